//! Ports of this machine that are free.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// The loopback address with this port, or with a free one if that is taken.
///
/// Somebody else may take it before it is used: whoever uses it reports that.
///
/// # Errors
/// The system's, when it has no port at all.
pub(crate) fn preferred(port: u16) -> io::Result<SocketAddr> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(listener) => listener.local_addr(),
        Err(_) => free(),
    }
}

/// A free port on loopback.
///
/// # Errors
/// The system's, when it has none.
pub(crate) fn free() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_replaced() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let other = preferred(port).unwrap();
        assert_ne!(other.port(), port);
        assert!(other.ip().is_loopback());
        let free = free().unwrap().port();
        assert_eq!(preferred(free).unwrap().port(), free);
    }
}
