//! A store without points, to measure everything else.

use super::commit::Begun;
use super::letter::Letter;
use super::{LetterId, Retried, StateDb, Store};
use fogline_protocol::store::{Commit, CommitReport, StoreFault};

/// Keeps the state and forgets the points, which it counts as stored.
pub struct NullStore {
    state: StateDb,
}

impl NullStore {
    /// A store with this state.
    #[must_use]
    pub const fn new(state: StateDb) -> Self {
        Self { state }
    }
}

impl Store for NullStore {
    fn state(&mut self) -> &mut StateDb {
        &mut self.state
    }

    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault> {
        match self.state.begin(commit)? {
            Begun::Done(report) => Ok(report),
            Begun::New(mut work) => {
                work.merge(commit)?;
                work.finish(commit, &[])
            }
        }
    }

    fn retry(&mut self, run: u64, letter: LetterId) -> Result<Retried, StoreFault> {
        self.state.take_up(run, letter)?.map_or(Ok(Retried::Unknown), Letter::stored)
    }
}
