//! Ports that stay free while what listens on them is down.

use crate::LabError;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that systems give to outgoing connections (32768 and up on Linux): one of those could take the port of
/// a program that is restarted.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// How many ports this process has taken.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A port on loopback that nobody listens on. Given once per process; other processes begin elsewhere.
///
/// # Errors
/// [`LabError::Machine`] when all of them are taken.
pub(crate) fn free_port() -> Result<u16, LabError> {
    let start = std::process::id().wrapping_mul(7919) % u32::from(COUNT);
    let start = u16::try_from(start).unwrap_or(0);
    for _ in 0..COUNT {
        let offset = (u32::from(start) + u32::from(TAKEN.fetch_add(1, Ordering::Relaxed))) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or(0);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    Err(LabError::machine("a port", &format!("none is free from {FIRST} to {}", FIRST + COUNT)))
}
