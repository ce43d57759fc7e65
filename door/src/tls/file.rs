//! Reading one PEM file.

use super::error::TlsError;
use rustls::pki_types::pem::{self, PemObject};
use std::io::Read;
use std::path::Path;

/// A chain or a bundle of CAs has some kilobytes; the lists of a CA that revoked a hundred thousand clients some megabytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A file of a known purpose, read whole.
pub(super) struct PemFile<'a> {
    what: &'static str,
    path: &'a Path,
    bytes: Vec<u8>,
}

impl<'a> PemFile<'a> {
    /// Reads `path`, called `what` in errors.
    pub(super) fn read(what: &'static str, path: &'a Path) -> Result<Self, TlsError> {
        let mut bytes = Vec::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
            .map_err(|source| TlsError::Read { what, path: path.to_owned(), source })?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
            return Err(TlsError::TooLarge { what, path: path.to_owned(), max: FILE_BYTES_MAX });
        }
        Ok(Self { what, path, bytes })
    }

    /// All sections of a kind; at least one. Sections of other kinds are passed over.
    pub(super) fn sections<T: PemObject>(&self, section: &'static str) -> Result<Vec<T>, TlsError> {
        let found: Vec<T> = T::pem_slice_iter(&self.bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| self.unusable(format!("it is not whole PEM ({error:?}); copy it again")))?;
        if found.is_empty() { Err(self.missing(section)) } else { Ok(found) }
    }

    /// The first section of a kind.
    pub(super) fn section<T: PemObject>(&self, section: &'static str) -> Result<T, TlsError> {
        T::from_pem_slice(&self.bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => self.missing(section),
            // The text of other errors may hold a line of the file, and the file may be a key.
            _ => self.unusable("it is not whole PEM; copy it again"),
        })
    }

    /// That what is in the file cannot be used.
    pub(super) fn unusable(&self, detail: impl Into<String>) -> TlsError {
        TlsError::Unusable { what: self.what, path: self.path.to_owned(), detail: detail.into() }
    }

    fn missing(&self, section: &'static str) -> TlsError {
        TlsError::Missing { what: self.what, path: self.path.to_owned(), section }
    }
}
