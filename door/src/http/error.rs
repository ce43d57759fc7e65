//! Why HTTP is not served.

use super::config::open_to_others;
use super::token::file::TokenFileError;
use crate::tls::TlsError;
use std::io;
use std::net::SocketAddr;

/// What kept an HTTP server from starting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// Others can reach the address, and there are no tokens: make some, or use a loopback address.
    #[error("{}", open_to_others(*.0))]
    OpenToOthers(SocketAddr),
    /// The address is taken or not this machine's: free it, or choose another.
    #[error("cannot listen on {address}: {source}; stop what uses it, or choose another address with --http")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The tokens cannot be used: correct their file.
    #[error(transparent)]
    Tokens(#[from] TokenFileError),
    /// Certificate or key cannot be used: correct the files.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
