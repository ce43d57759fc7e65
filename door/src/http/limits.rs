//! What one client can take from the others.

use std::time::Duration;

/// The limits of an HTTP server. The defaults fit small requests of people and machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most connections at once; the next is closed. One costs two buffers of 16 KiB and its TLS.
    pub connections: usize,
    /// For the handshake of TLS.
    pub handshake_time: Duration,
    /// For the head of a request, and how long a connection may wait for its next request. A client that sends a byte now
    /// and then ("slow loris") would otherwise keep its place for ever.
    pub head_time: Duration,
    /// Most bytes of a body; larger ones get 413. Bodies are read whole before a handler sees them.
    pub body_bytes: usize,
    /// For a body; later ones get 408.
    pub body_time: Duration,
    /// For a handler to begin its answer; later ones are ended, and get 503.
    pub handler_time: Duration,
    /// How long a client may take nothing of an answer that is ready for it.
    pub write_time: Duration,
    /// Wrong tokens of one address in [`Self::failures_time`] that are answered with 401; the next ones get 429.
    pub failures: u32,
    /// For how long wrong tokens are counted.
    pub failures_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            handshake_time: Duration::from_secs(10),
            head_time: Duration::from_secs(10),
            body_bytes: 64 * 1024,
            body_time: Duration::from_secs(10),
            handler_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            failures: 10,
            failures_time: Duration::from_secs(60),
        }
    }
}
