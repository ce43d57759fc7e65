//! Clocks that run apart: each party has one of its own.

use fogline_protocol::clock::BootId;
use fogline_protocol::time::{Monotonic, Now, Wall};
use std::time::Duration;

/// The wall time at which every simulation begins: 2024-06-01, a multiple of every window's length.
pub const EPOCH_US: i64 = 1_717_200_000_000_000;
/// True microseconds in which an exact clock counts as many.
const EXACT: u64 = 1_000_000;

/// A party's two clocks. They share a rate; only the wall clock jumps.
#[derive(Debug, Clone)]
pub struct Clock {
    booted_us: u64,
    /// When the device was switched on, and how often it was.
    powered_us: u64,
    starts: u128,
    rate: u64,
    offset_us: i64,
    /// It starts in 1970, whenever that is.
    without_battery: bool,
}

impl Clock {
    /// A clock that counts `rate` microseconds in each true second and is off by `offset_us`.
    #[must_use]
    pub const fn new(rate: u64, offset_us: i64) -> Self {
        let without_battery = offset_us == -EPOCH_US;
        Self { booted_us: 0, powered_us: 0, starts: 1, rate, offset_us, without_battery }
    }

    /// What it shows at the true time `true_us`.
    #[must_use]
    pub fn read(&self, true_us: u64) -> Now {
        let mono = Monotonic::from_us(true_us.saturating_sub(self.booted_us) * self.rate / EXACT);
        let wall = Wall::from_us(EPOCH_US + self.offset_us) + Duration::from_micros(true_us * self.rate / EXACT);
        Now { mono, wall }
    }

    /// The first true time at which it shows `mono` or more.
    #[must_use]
    pub const fn reaches(&self, mono: Monotonic) -> u64 {
        self.booted_us + (mono.us().saturating_mul(EXACT)).div_ceil(self.rate)
    }

    /// Sets the wall clock forward, or back.
    pub const fn jump(&mut self, by_us: i64) {
        self.offset_us += by_us;
    }

    /// Sets the wall clock right.
    pub fn set_right(&mut self, true_us: u64) {
        let right = Wall::from_us(EPOCH_US) + Duration::from_micros(true_us);
        self.offset_us += right.us() - self.read(true_us).wall.us();
    }

    /// The device is switched off and on.
    pub fn power_cut(&mut self, true_us: u64) {
        self.starts += 1;
        self.powered_us = true_us;
        if self.without_battery {
            self.offset_us -= self.read(true_us).wall.us();
        }
    }

    /// Which start of the device this is, and how long it had been running when the process started.
    #[must_use]
    pub fn start(&self) -> (BootId, Duration) {
        let uptime_us = self.booted_us.saturating_sub(self.powered_us) * self.rate / EXACT;
        (BootId::from_bits(self.starts), Duration::from_micros(uptime_us))
    }

    /// How long the device has been running.
    #[must_use]
    pub const fn running(&self, true_us: u64) -> Duration {
        Duration::from_micros(true_us.saturating_sub(self.powered_us) * self.rate / EXACT)
    }

    /// The process starts anew: so does its monotonic clock.
    pub const fn reboot(&mut self, true_us: u64) {
        self.booted_us = true_us;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_rings_when_its_clock_says_so_and_not_before() {
        for rate in [999_000, 1_000_000, 1_000_997] {
            let mut clock = Clock::new(rate, 0);
            clock.reboot(123_457);
            for mono in [0, 1, 17, 1_000_001, 77_777_777] {
                let rings = clock.reaches(Monotonic::from_us(mono));
                assert!(clock.read(rings).mono.us() >= mono);
                assert!(rings == clock.booted_us || clock.read(rings - 1).mono.us() < mono);
            }
        }
    }

    #[test]
    fn jumps_move_only_the_wall_clock() {
        let mut clock = Clock::new(1_000_000, 0);
        let before = clock.read(5);
        clock.jump(-3);
        assert_eq!(clock.read(5).mono, before.mono);
        assert_eq!(clock.read(5).wall.us(), before.wall.us() - 3);
    }
}
