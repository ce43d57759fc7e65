//! The ingester's own database: everything but the way points take.

use super::commit::fault;
use super::file::{self, Synchronous};
use super::lock::Sharing;
use super::names::Names;
use super::{StoreError, progress};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Progress, StoreFault};
use rusqlite::Connection;
use std::fs::File;
use std::path::Path;

/// The state of an ingester in a SQLite file: progress of streams, aggregates, decisions, statuses, gaps, dead letters, the
/// term, and the number of the last commit.
pub struct StateDb {
    pub(super) connection: Connection,
    pub(super) names: Names,
    pub(super) identity: String,
    /// Held as long as the connection: nobody works on the file who may not.
    pub(super) _lock: File,
}

impl StateDb {
    /// Opens the file at `path`, or makes it; its folder must exist. Beside it lies `path` + `.lock`. Nothing is committed to a
    /// file that is up to date before [`Self::take_over`] or [`Self::adopt`]: another ingester may lead with it.
    ///
    /// # Errors
    /// [`StoreError`]: a file that is not the ingester's own, damaged, newer, or in use is refused and left as it is.
    pub fn open(path: &Path, synchronous: Synchronous, sharing: Sharing) -> Result<Self, StoreError> {
        file::open(path, synchronous, sharing)
    }

    /// What tells this file from any other, also from a copy of it: ingesters that say the same share it.
    #[must_use]
    pub fn identity(&self) -> String {
        self.identity.clone()
    }

    /// What is written of a stream; see [`Store::recall`](super::Store::recall).
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody.
    pub fn recall(&self, agent: &AgentId, stream: StreamId) -> Result<Option<Progress>, StoreFault> {
        progress::load(&self.connection, agent, stream).map_err(|error| fault(&error))
    }
}
