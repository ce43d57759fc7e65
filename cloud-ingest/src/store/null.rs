//! A store without points, to measure everything else.

use super::commit::Begun;
use super::{StateDb, Store, StoreError};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Commit, CommitReport, Progress, Recovered, StoreFault};
use fogline_protocol::time::Wall;

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
    fn recover(&mut self, run: u64, since: Wall) -> Result<Recovered, StoreError> {
        self.state.recover(run, since)
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

    fn recall(&mut self, agent: &AgentId, stream: StreamId) -> Result<Option<Progress>, StoreFault> {
        self.state.recall(agent, stream)
    }
}
