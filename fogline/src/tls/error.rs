//! What can go wrong with a folder of certificates.

use std::path::{Path, PathBuf};

/// Why certificates were not made or revoked: what, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsToolError {
    /// The folder belongs to something else.
    #[error("{} is not empty and holds no CA: give a new or an empty folder", .0.display())]
    NotEmpty(PathBuf),
    /// There is something that would be overwritten.
    #[error("{} is there already: give --force to replace it", .0.display())]
    Exists(PathBuf),
    /// There is no CA.
    #[error("{} is not there: make a CA with `fogline tls init {}` first", .path.display(), .dir.display())]
    NoAuthority {
        /// The file that is missing.
        path: PathBuf,
        /// The folder that was given.
        dir: PathBuf,
    },
    /// A file or folder cannot be read or written.
    #[error("{}: {error}", .path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{}: {reason}; restore it from a copy, or begin again with `fogline tls init --force`", .path.display())]
    Broken {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The CA's own certificate has ended.
    #[error("the CA in {} has expired: begin again with `fogline tls init --force`", .0.display())]
    Expired(PathBuf),
    /// An agent and an ingester would be the same user.
    #[error("{0} would be an agent and an ingester: names are user names, give another one")]
    Twice(String),
    /// Nothing was issued under this name.
    #[error("no certificate in {} is for {name}: see its folder `issued`", .dir.display())]
    Unknown {
        /// The name.
        name: String,
        /// The folder.
        dir: PathBuf,
    },
    /// Everything of this name is on the list already.
    #[error("all certificates of {0} are revoked already")]
    Revoked(String),
    /// Another process works in the folder.
    #[error("another `fogline tls` works in {}: wait for its end", .0.display())]
    Busy(PathBuf),
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Making(#[from] rcgen::Error),
}

/// The error of a file or folder.
pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TlsToolError {
    move |error| TlsToolError::Io { path: path.to_owned(), error }
}

/// The error of a file that does not hold what it should.
pub(super) fn broken(path: &Path, reason: &'static str) -> TlsToolError {
    TlsToolError::Broken { path: path.to_owned(), reason }
}
