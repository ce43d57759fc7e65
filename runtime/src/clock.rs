//! The two clocks of the machine, read together.

use fogline_protocol::clock::BootId;
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::sync::OnceLock;
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

    /// How long the device had been running when the monotonic time of this clock began. A wall clock that is not set counts on
    /// with it; should the device have slept in this process with a clock that goes on meanwhile, it counts as set anew.
    #[must_use]
    pub fn uptime_at_origin(&self) -> Duration {
        uptime().saturating_sub(self.origin.elapsed())
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

/// Which start of the device this is: Linux's own number, or else a random one of this process.
#[must_use]
pub fn boot_id() -> BootId {
    static OF_PROCESS: OnceLock<BootId> = OnceLock::new();
    let known = || BootId::parse(&std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?);
    let drawn = || BootId::from_bits((u128::from(entropy()) << 64) | u128::from(entropy()));
    *OF_PROCESS.get_or_init(|| known().unwrap_or_else(drawn))
}

/// How long the device has been running, with the time that it slept.
#[must_use]
pub fn uptime() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    // The kernel counts up from zero, in seconds and nanoseconds below one.
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_has_been_running_for_longer_than_a_clock_of_it() {
        assert_eq!(boot_id(), boot_id());
        let before = uptime();
        let clock = Clock::new();
        assert!(before > Duration::ZERO && clock.uptime_at_origin() + Duration::from_millis(1) >= before);
        assert!(clock.uptime_at_origin() <= uptime());
    }
}
