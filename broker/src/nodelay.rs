//! Small packets at once.
//!
//! rumqttd leaves Nagle's algorithm on: what follows a PUBACK to the same client waits for that client's delayed TCP
//! acknowledgement, 40 ms on Linux, and every acknowledgement of readings follows one. rumqttd owns its listening socket and
//! shows it to nobody; but a connection inherits the option from the socket that accepted it, and a process may duplicate its
//! own descriptors.

use std::net::SocketAddr;

/// Turns Nagle's algorithm off for all that will connect to `address`, where this process listens. Without it everything
/// works, later: what goes wrong is only logged.
#[cfg(target_os = "linux")]
pub(crate) fn inherit(address: SocketAddr) {
    match linux::set_on_listener(address) {
        Ok(true) => {}
        Ok(false) => tracing::debug!(%address, "no TCP_NODELAY: the listening socket was not found"),
        Err(error) => tracing::debug!(%address, %error, "no TCP_NODELAY: acknowledgements take up to 40 ms longer"),
    }
}

/// Elsewhere a connection does not inherit it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn inherit(_: SocketAddr) {}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::net::{getsockname, sockopt};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
    use std::net::SocketAddr;
    use std::os::fd::OwnedFd;

    /// False when no descriptor of this process listens on `address`.
    pub(super) fn set_on_listener(address: SocketAddr) -> std::io::Result<bool> {
        let process = pidfd_open(getpid(), PidfdFlags::empty())?;
        for entry in std::fs::read_dir("/proc/self/fd")? {
            let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            // One that was closed since it was listed is not the listener.
            let Ok(duplicate) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
            if listens(&duplicate, address) {
                sockopt::set_tcp_nodelay(&duplicate, true)?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn listens(socket: &OwnedFd, address: SocketAddr) -> bool {
        sockopt::socket_acceptconn(socket).unwrap_or(false)
            && getsockname(socket).is_ok_and(|name| SocketAddr::try_from(name).is_ok_and(|name| name == address))
    }

    #[cfg(test)]
    mod tests {
        use super::*;
        use std::net::{Ipv4Addr, TcpListener, TcpStream};

        #[test]
        fn connections_inherit_it() {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = listener.local_addr().unwrap();
            assert!(set_on_listener(address).unwrap());
            let _client = TcpStream::connect(address).unwrap();
            assert!(listener.accept().unwrap().0.nodelay().unwrap());
            let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
            assert!(!set_on_listener(other).unwrap(), "nobody listens there any more");
        }
    }
}
