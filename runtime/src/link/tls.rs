//! From certificate files to a TLS configuration: rustls with ring, TLS 1.2 and 1.3.
//!
//! The provider is given explicitly and never taken from the process, so that no other crate can change it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore};

use super::security::{ClientCertificate, LinkSecurity};

/// Largest file of certificates or keys, in bytes: the bundles of systems have about 200 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What is wrong with a file of certificates or keys: says which, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFileError {
    /// It cannot be read, or is no file.
    #[error("{}: {reason}; give a readable PEM file", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// It is longer than a file of certificates can be.
    #[error("{}: more than 1 MiB; give a PEM file of certificates or of a key", .0.display())]
    TooLarge(PathBuf),
    /// It holds no certificate that can be used.
    #[error("{}: {reason}; give a PEM file that has -----BEGIN CERTIFICATE----- in it", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// It holds no private key that can be used. Nothing of it is shown.
    #[error("{}: {reason}; give a PEM file of one private key that is not encrypted", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Certificate and key do not belong together.
    #[error("{} is not the key of {}; give the two files that were made together", .key.display(), .certificate.display())]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The system has no roots, and no file was given.
    #[error("this system has no root certificates; give a PEM file of the broker's CA")]
    NoRoots,
    /// The TLS library refused what was read.
    #[error("TLS cannot be set up: {0}")]
    Library(String),
}

impl LinkSecurity {
    /// The configuration of one TLS connection, from the files as they are now. Blocks on the disk.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn client_config(&self) -> Result<Arc<ClientConfig>, TlsFileError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(library)?.with_root_certificates(self.roots()?);
        let Some(files) = &self.certificate else {
            return Ok(Arc::new(builder.with_no_client_auth()));
        };
        let (chain, key) = files.load()?;
        Ok(Arc::new(builder.with_client_auth_cert(chain, key).map_err(library)?))
    }

    /// Those who may have signed a broker's certificate.
    pub(super) fn roots(&self) -> Result<RootCertStore, TlsFileError> {
        match &self.ca {
            Some(path) => roots_of(path),
            None => system_roots(),
        }
    }
}

impl ClientCertificate {
    /// All that is wrong with the two files.
    pub(super) fn faults(&self) -> Vec<TlsFileError> {
        let each = [certificates(&self.certificate).err(), private_key(&self.key).err()];
        let each: Vec<TlsFileError> = each.into_iter().flatten().collect();
        if each.is_empty() { self.load().err().into_iter().collect() } else { each }
    }

    /// The chain and its key, seen to belong together.
    pub(super) fn load(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsFileError> {
        let chain = certificates(&self.certificate)?;
        let key = private_key(&self.key)?;
        let provider = rustls::crypto::ring::default_provider();
        match CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider) {
            Ok(_) => Ok((chain, key)),
            Err(rustls::Error::InconsistentKeys(_)) => {
                Err(TlsFileError::Pair { certificate: self.certificate.clone(), key: self.key.clone() })
            }
            Err(rustls::Error::InvalidCertificate(error)) => {
                Err(TlsFileError::Certificate { path: self.certificate.clone(), reason: error.to_string() })
            }
            Err(_) => {
                Err(TlsFileError::Key { path: self.key.clone(), reason: "a key of a kind that is not supported" })
            }
        }
    }
}

fn library(error: rustls::Error) -> TlsFileError {
    TlsFileError::Library(error.to_string())
}

/// All of a CA file must be usable: one that is skipped today is the one that is needed tomorrow.
fn roots_of(path: &Path) -> Result<RootCertStore, TlsFileError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots
            .add(certificate)
            .map_err(|error| TlsFileError::Certificate { path: path.to_owned(), reason: error.to_string() })?;
    }
    Ok(roots)
}

/// The system's own bundles hold roots that rustls does not take; only to have none at all is a fault.
fn system_roots() -> Result<RootCertStore, TlsFileError> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if taken == 0 { Err(TlsFileError::NoRoots) } else { Ok(roots) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let bytes = read(path)?;
    let fault = |reason: String| TlsFileError::Certificate { path: path.to_owned(), reason };
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|_| fault("not PEM".to_owned()))?;
    if found.is_empty() { Err(fault("no certificate in it".to_owned())) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
        let encrypted = bytes.windows(9).any(|part| part == b"ENCRYPTED");
        let reason = match error {
            _ if encrypted => "an encrypted private key",
            pem::Error::NoItemsFound => "no private key in it",
            _ => "not PEM",
        };
        TlsFileError::Key { path: path.to_owned(), reason }
    })
}

fn read(path: &Path) -> Result<Vec<u8>, TlsFileError> {
    let failed = |reason: String| TlsFileError::Read { path: path.to_owned(), reason };
    // Opening a pipe would wait for whoever writes into it.
    if !std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.is_file() {
        return Err(failed("not a file".to_owned()));
    }
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(failed(error.to_string())),
        Ok(_) if bytes.len() as u64 > MAX_FILE_BYTES => Err(TlsFileError::TooLarge(path.to_owned())),
        Ok(_) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    struct Folder(TempDir);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for name in ["a", "b"] {
                let key = KeyPair::generate().unwrap();
                let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
                folder.write(&format!("{name}.pem"), &certificate.pem());
                folder.write(&format!("{name}-key.pem"), &key.serialize_pem());
            }
            folder
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.path(name), text).unwrap();
        }

        fn security(&self, ca: &str, certificate: &str, key: &str) -> LinkSecurity {
            let certificate = ClientCertificate { certificate: self.path(certificate), key: self.path(key) };
            LinkSecurity { ca: Some(self.path(ca)), certificate: Some(certificate), ..LinkSecurity::default() }
        }
    }

    #[test]
    fn good_files_make_a_configuration() {
        let folder = Folder::new();
        let security = folder.security("a.pem", "b.pem", "b-key.pem");
        assert!(security.client_config().unwrap().client_auth_cert_resolver.has_certs());
        assert_eq!(security.file_faults(), []);
    }

    #[test]
    fn each_bad_file_is_named_with_what_to_do() {
        let folder = Folder::new();
        folder.write("text", "hello");
        folder.write("broken", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
        folder.write("nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        folder.write("locked", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n");
        folder.write("large", &" ".repeat(1024 * 1024 + 1));
        let cases = [
            (("missing", "b.pem", "b-key.pem"), "missing", "No such file"),
            ((".", "b.pem", "b-key.pem"), ".", "not a file"),
            (("text", "b.pem", "b-key.pem"), "text", "no certificate in it"),
            (("broken", "b.pem", "b-key.pem"), "broken", "not PEM"),
            (("nonsense", "b.pem", "b-key.pem"), "nonsense", "BEGIN CERTIFICATE"),
            (("large", "b.pem", "b-key.pem"), "large", "more than 1 MiB"),
            (("a.pem", "nonsense", "b-key.pem"), "nonsense", "BEGIN CERTIFICATE"),
            (("a.pem", "b.pem", "b.pem"), "b.pem", "no private key in it"),
            (("a.pem", "b.pem", "locked"), "locked", "encrypted"),
            (("a.pem", "b.pem", "a-key.pem"), "a-key.pem", "is not the key of"),
        ];
        for ((ca, certificate, key), file, reason) in cases {
            let security = folder.security(ca, certificate, key);
            let error = security.client_config().unwrap_err();
            let text = error.to_string();
            assert!(text.contains(&folder.path(file).display().to_string()) && text.contains(reason), "{text}");
            assert!(text.contains("; give "), "{text}");
            assert_eq!(security.file_faults(), [error]);
        }
    }

    #[test]
    fn all_faults_are_found_together() {
        let folder = Folder::new();
        assert_eq!(folder.security("missing", "none", "gone").file_faults().len(), 3);
    }
}
