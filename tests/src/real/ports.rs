//! Ports that stay free while what listens on them is down.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections (32768 and up on Linux): one of those could take the port of
/// a program that is restarted, or a client that connects to it meanwhile could be connected to itself.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// How many ports this process has taken.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A port on loopback that nobody listens on. Given once per process; others begin elsewhere.
pub fn free_port() -> u16 {
    let start = std::process::id().wrapping_mul(7919) % u32::from(COUNT);
    let start = u16::try_from(start).unwrap();
    for _ in 0..COUNT {
        let port = FIRST + (start + TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT);
}
