//! A wall clock of a program's own, that can be wrong and be set right while the program runs.

use super::program::Recipe;
use super::services::required;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// The clock of one program: libfaketime reads the offset from a file at each look. The monotonic clock goes on as it is, as
/// it does when an operator or NTP sets the time of a device. Like that of a device it goes on while the program is down.
#[derive(Debug)]
pub struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// A right clock, whose offset is kept in `file`. None where libfaketime is not installed and need not be.
    #[must_use]
    pub fn new(file: PathBuf) -> Option<Self> {
        let library = required("libfaketime (Debian faketime)", fogline_lab::faketime())?;
        let clock = Self { library, file };
        clock.set(0);
        Some(clock)
    }

    /// From now on the clock is so many seconds ahead; behind, if negative.
    pub fn set(&self, seconds: i64) {
        // Whole or not at all: the program may be reading it.
        let new = self.file.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).unwrap();
        std::fs::rename(&new, &self.file).unwrap();
    }

    /// The right time, in microseconds since 1970.
    #[must_use]
    pub fn right_us() -> i64 {
        i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
    }

    /// A program that lives by this clock.
    pub(super) fn shown_to(&self, recipe: Recipe) -> Recipe {
        recipe
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }
}
