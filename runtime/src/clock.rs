//! The two clocks of the machine, read together.

use fogline_protocol::time::{Monotonic, Now, Wall};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Reads both clocks. Monotonic time is that of tokio, so that tests can pause it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock whose monotonic time begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }

    /// Both clocks now.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono = Monotonic::ZERO + self.origin.elapsed();
        Now { mono, wall: wall() }
    }

    /// The instant of a monotonic time.
    #[must_use]
    pub fn instant(&self, mono: Monotonic) -> Instant {
        self.origin + Duration::from_micros(mono.us())
    }
}

/// The wall clock now. Before 1970 it reads 1970.
#[must_use]
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall::from_us(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// 64 random bits of the system, for stream ids, runs and jitter.
#[must_use]
pub fn entropy() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The standard library seeds each RandomState from the system's generator and counts on from there; two of them, the
    // process id and the time make two processes with the same bits as unlikely as 64 bits allow.
    let mut hasher = std::hash::RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.write_i64(wall().us());
    hasher.write_u64(std::hash::RandomState::new().build_hasher().finish());
    hasher.finish()
}
