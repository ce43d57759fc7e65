//! One agent per queue: a lock on a file beside the queue. SQLite's own locks would let two agents take turns.
//!
//! The lock file is never removed (removing it would let two processes hold two locks), and the lock itself ends with the
//! process that holds it, however that ends.

use super::error::OutboxError;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock is tried: a look at the queue ([`is_held`]) takes it for a moment, and must not keep an agent from
/// starting.
const TRIES: u32 = 20;
/// How long to wait between tries: longer than a look takes.
const TRY_AGAIN: Duration = Duration::from_millis(5);
/// More than a process id takes.
const HOLDER_BYTES_MAX: u64 = 64;

/// Held as long as the queue is open.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the queue at `path`, and notes this process's id in it.
    pub(super) fn take(path: &Path) -> Result<Self, OutboxError> {
        let beside = beside(path);
        let failed = |error: std::io::Error| OutboxError::system(&beside, &error);
        let mut file =
            File::options().read(true).write(true).create(true).truncate(false).open(&beside).map_err(failed)?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    // Only makes another's error message better: a full disk must not keep a queue from draining.
                    file.set_len(0).and_then(|()| writeln!(file, "process {}", std::process::id())).ok();
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(TRY_AGAIN),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        let mut holder = String::new();
        // Who it is only makes the message better: an unreadable name is no reason for another error.
        file.take(HOLDER_BYTES_MAX).read_to_string(&mut holder).ok();
        Err(OutboxError::InUse { path: path.to_owned(), holder: holder.trim().to_owned() })
    }
}

/// True when an agent has the queue at `path` open.
pub(super) fn is_held(path: &Path) -> bool {
    let Ok(file) = File::open(beside(path)) else { return false };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The lock file of the queue at `path`.
fn beside(path: &Path) -> PathBuf {
    with_suffix(path, ".lock")
}

/// `path` with `suffix` after its name.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
