//! A store that takes only so many readings a second, to measure what happens when more come.

use super::{LetterId, Retried, StateDb, Store};
use fogline_protocol::store::{Commit, CommitReport, StoreFault};
use std::time::{Duration, Instant};

/// Another store, whose commits take at least as long as their readings need at a rate.
pub struct SlowStore {
    inner: Box<dyn Store>,
    per_s: f64,
}

impl SlowStore {
    /// `inner`, slowed down to so many readings a second.
    #[must_use]
    pub fn new(inner: Box<dyn Store>, per_s: u32) -> Self {
        Self { inner, per_s: f64::from(per_s.max(1)) }
    }
}

impl Store for SlowStore {
    fn state(&mut self) -> &mut StateDb {
        self.inner.state()
    }

    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault> {
        let started = Instant::now();
        let report = self.inner.commit(commit)?;
        let readings =
            u32::try_from(commit.points.iter().map(|points| points.count()).sum::<u64>()).unwrap_or(u32::MAX);
        let needed = Duration::from_secs_f64(f64::from(readings) / self.per_s);
        // As a disk would: nobody is told before it is done.
        std::thread::sleep(needed.saturating_sub(started.elapsed()));
        Ok(report)
    }

    fn retry(&mut self, run: u64, letter: LetterId) -> Result<Retried, StoreFault> {
        self.inner.retry(run, letter)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{commit, sqlite};
    use super::*;

    #[test]
    fn a_commit_takes_as_long_as_its_readings_need() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SlowStore::new(Box::new(sqlite(&dir)), 30);
        let started = Instant::now();
        assert_eq!(store.commit(&commit(1, 1, 3)).unwrap().stored, 3);
        assert!(started.elapsed() >= Duration::from_millis(100));
    }
}
