//! Texts that are never shown: passwords and tokens.

use std::fmt;
use std::path::Path;

/// Longest secret that a file may hold, in bytes: a token has a few KiB, and a CONNECT must fit into a packet.
pub const MAX_SECRET_BYTES: usize = 16 * 1024;

/// A password or a token. It prints as `***`, cannot be serialized, and is read on purpose with [`Secret::expose`] only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why there is no secret. The text never holds any of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read, or is not text.
    #[error("{path}: {reason}; give a readable file that holds the secret and nothing else")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// There is nothing in it.
    #[error("the secret is empty; write it into the file, or leave the setting out")]
    Empty,
    /// It is longer than [`MAX_SECRET_BYTES`].
    #[error("the secret has more than {MAX_SECRET_BYTES} bytes; is this the right file?")]
    TooLong,
}

impl Secret {
    /// A secret from a text. The end of its last line, which editors and `echo` add, does not belong to it.
    ///
    /// # Errors
    /// [`SecretError::Empty`] and [`SecretError::TooLong`].
    pub fn new(text: impl Into<String>) -> Result<Self, SecretError> {
        let mut text = text.into();
        text.truncate(text.trim_end_matches(['\r', '\n']).len());
        match text.len() {
            0 => Err(SecretError::Empty),
            1..=MAX_SECRET_BYTES => Ok(Self(text)),
            _ => Err(SecretError::TooLong),
        }
    }

    /// The secret that a file holds.
    ///
    /// # Errors
    /// Each of [`SecretError`].
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        use std::io::Read;
        let failed =
            |error: std::io::Error| SecretError::Read { path: path.display().to_string(), reason: error.to_string() };
        let mut text = String::new();
        // Room for a last line end, and one byte to see that there is too much.
        let limit = u64::try_from(MAX_SECRET_BYTES + 3).unwrap_or(u64::MAX);
        std::fs::File::open(path).map_err(failed)?.take(limit).read_to_string(&mut text).map_err(failed)?;
        Self::new(text)
    }

    /// The text itself, for where it is used. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_prints_as_stars() {
        assert_eq!(format!("{:?}", Secret::new("hunter2").unwrap()), "***");
    }

    #[test]
    fn the_end_of_a_line_does_not_belong_to_it_and_spaces_do() {
        for text in [" a b ", " a b \n", " a b \r\n"] {
            assert_eq!(Secret::new(text).unwrap().expose(), " a b ");
        }
    }

    #[test]
    fn what_is_empty_or_too_long_is_refused() {
        assert_eq!(Secret::new("\n"), Err(SecretError::Empty));
        assert!(Secret::new("x".repeat(MAX_SECRET_BYTES)).is_ok());
        assert_eq!(Secret::new("x".repeat(MAX_SECRET_BYTES + 1)), Err(SecretError::TooLong));
    }

    #[test]
    fn a_file_is_read_within_bounds_and_named_when_it_cannot_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        let longest = "x".repeat(MAX_SECRET_BYTES);
        std::fs::write(&path, longest.clone() + "\r\n").unwrap();
        assert_eq!(Secret::read(&path).unwrap().expose(), longest);
        std::fs::write(&path, longest + "xxxxxxxx").unwrap();
        assert_eq!(Secret::read(&path), Err(SecretError::TooLong));
        let missing = Secret::read(&folder.path().join("missing")).unwrap_err().to_string();
        assert!(missing.contains("missing") && missing.contains("give a readable file"), "{missing}");
    }
}
