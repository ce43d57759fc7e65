//! A wall clock that can be set: libfaketime reads the offset from a file at each look. The monotonic clock goes on as it is, as it
//! does when an operator or NTP sets the time of a machine.

use crate::LabError;
use crate::process::Recipe;
use std::path::{Path, PathBuf};

/// The clock of one program.
#[derive(Debug)]
pub(crate) struct FakeClock {
    library: PathBuf,
    file: PathBuf,
}

impl FakeClock {
    /// A right clock, whose offset is kept in `file`.
    ///
    /// # Errors
    /// [`LabError::File`] when that cannot be written.
    pub(crate) fn new(library: &Path, file: PathBuf) -> Result<Self, LabError> {
        let clock = Self { library: library.to_owned(), file };
        clock.set(0)?;
        Ok(clock)
    }

    /// From now on the clock is so many seconds ahead; behind, if negative.
    ///
    /// # Errors
    /// [`LabError::File`] when that cannot be written.
    pub(crate) fn set(&self, seconds: i64) -> Result<(), LabError> {
        // Whole or not at all: the program may be reading it.
        let new = self.file.with_extension("new");
        let written = std::fs::write(&new, format!("{seconds:+}\n")).and_then(|()| std::fs::rename(&new, &self.file));
        written.map_err(|error| LabError::file(&self.file, &error))
    }

    /// A program that lives by this clock.
    pub(crate) fn shown_to(&self, recipe: Recipe) -> Recipe {
        recipe
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
    }
}
