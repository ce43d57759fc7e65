//! Why TLS cannot be had from the files.

use std::io;
use std::path::PathBuf;

/// What is wrong with the files of a server's TLS. No text holds anything of a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read: put it there, or let this program's user read it.
    #[error("{what} {}: {source}; put it there, and let this program's user read it", path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is larger than any of its kind: it is the wrong file.
    #[error("{what} {}: larger than {max} bytes; is it the right file?", path.display())]
    TooLarge {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Most bytes that are read.
        max: u64,
    },
    /// A file holds no section of the kind that it is for.
    #[error("{what} {}: there is no {section} in it; it must be PEM (-----BEGIN ...-----)", path.display())]
    Missing {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The PEM section that was looked for.
        section: &'static str,
    },
    /// A file holds something that cannot be used.
    #[error("{what} {}: {detail}", path.display())]
    Unusable {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        detail: String,
    },
    /// The certificate and the key do not belong together.
    #[error(
        "the key {} does not fit the certificate {}: give the key that the certificate was made for, and the server's \
         own certificate first in its file",
        key.display(), certificate.display()
    )]
    KeyMismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The server's certificate is over: renew it.
    #[error("the certificate {} expired on {since}: renew it", certificate.display())]
    Expired {
        /// The file.
        certificate: PathBuf,
        /// Its last moment.
        since: String,
    },
    /// Clients are to be asked for certificates, and nobody says whose are good.
    #[error("clients are asked for certificates, and no CA says whose are good: give the file of the clients' CA")]
    NoClientCa,
    /// There are lists of revoked certificates, and none of one CA.
    #[error(
        "the revocation lists {}: there is none of the CA {ca:?}, so none of its clients could connect; add its list, \
         which may be empty", crl.display()
    )]
    NoCrl {
        /// The file of the lists.
        crl: PathBuf,
        /// The subject of the CA.
        ca: String,
    },
}
