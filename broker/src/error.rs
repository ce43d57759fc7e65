//! What can go wrong, named for what the caller can do about it.

use std::{io, net::SocketAddr, time::Duration};

use fogline_door::{http::DoorError, tls::TlsError};
use fogline_service::settings::SettingsError;

use crate::access::AccessError;

/// Why a broker did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// The settings cannot be used: correct them, all at once.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The files of users or rules cannot be used: correct them, all at once.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The address is taken or not this machine's: free it, or choose another.
    #[error("cannot listen on {address}: {source}; stop what uses it, or choose another address with {flag}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The flag that gave it.
        flag: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The TLS files cannot be used: mend the one that is named.
    #[error("no TLS: {0}")]
    Tls(#[from] TlsError),
    /// Health and metrics cannot be served: the text says what to do.
    #[error(transparent)]
    Http(#[from] DoorError),
    /// The operating system gave no threads: free resources and try again.
    #[error("cannot start the broker's threads: {0}")]
    Threads(#[source] io::Error),
    /// The broker listened, but carried no message in time: look at the last reason, and try again.
    #[error("the broker on {address} carried no message within {waited:?} of its start; last attempt: {last}")]
    NotReady {
        /// Where it listened.
        address: SocketAddr,
        /// How long it was given.
        waited: Duration,
        /// Why the last round trip failed.
        last: String,
    },
    /// The broker was ready and then died: start a new one.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// Why a running broker can no longer serve. In every case the remedy is a new broker: rumqttd cannot be mended in place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The router thread panicked: connections are accepted, and never answered.
    #[error("the router died ({0}); the broker must be restarted")]
    Router(String),
    /// No message made its round trip for longer than the watchdog's deadline.
    #[error(
        "no message made its round trip through the broker for {silent_for:?} (last attempt: {last}): \
         its router is dead, or the machine is overloaded; the broker must be restarted"
    )]
    Unresponsive {
        /// Time since the first of the failed attempts.
        silent_for: Duration,
        /// Why the last attempt failed.
        last: String,
    },
}
