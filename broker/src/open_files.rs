//! Room for as many sockets as connections are allowed.
//!
//! The usual soft limit of 1,024 open files is there for programs that use `select`. When files run out, newcomers
//! wait until others have ended.

/// Standard streams, listener, epoll, signals, and the watchdog's connection.
const FILES_BESIDE_CONNECTIONS: u64 = 64;

/// Raises the process's soft limit of open files to what `connections` need, as far as the hard limit goes, and says
/// if that is not enough: no warning, as the default allows more connections than most sites will ever see.
#[cfg(unix)]
pub(crate) fn allow(connections: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(FILES_BESIDE_CONNECTIONS);
    let limit = getrlimit(Resource::Nofile);
    // `None` is unlimited.
    if limit.current.is_none_or(|current| current >= needed) {
        return;
    }
    let possible = limit.maximum.map_or(needed, |maximum| maximum.min(needed));
    let raised = Rlimit { current: Some(possible), maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    } else if possible < needed {
        tracing::info!(
            open_files = possible,
            max_connections = connections,
            "fewer connections are possible than allowed: raise the hard limit (ulimit -Hn) or lower --max-connections"
        );
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn allow(_connections: usize) {}
