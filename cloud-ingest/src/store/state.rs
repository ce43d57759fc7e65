//! The ingester's own database: everything but the way points take.

use super::commit::fault;
use super::file::{self, Synchronous};
use super::names::Names;
use super::{StoreError, progress, recover};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Progress, Recovered, StoreFault};
use fogline_protocol::time::Wall;
use rusqlite::Connection;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The state of an ingester in a SQLite file: progress of streams, aggregates, decisions, statuses, gaps, dead letters, the
/// term, and the number of the last commit.
pub struct StateDb {
    pub(super) connection: Connection,
    pub(super) names: Names,
    path: PathBuf,
    /// Held as long as the connection: no second ingester works on the file.
    _lock: File,
}

impl StateDb {
    /// Opens the file at `path`, or makes it; its folder must exist. Beside it lies `path` + `.lock`.
    ///
    /// # Errors
    /// [`StoreError`]: a file that is not the ingester's own, damaged, newer, or in use is refused and left as it is.
    pub fn open(path: &Path, synchronous: Synchronous) -> Result<Self, StoreError> {
        let (connection, lock) = file::open(path, synchronous)?;
        Ok(Self { connection, names: Names::default(), path: path.to_owned(), _lock: lock })
    }

    /// Begins a run; see [`Store::recover`](super::Store::recover).
    ///
    /// # Errors
    /// [`StoreError`], when the state cannot be read or written.
    pub fn recover(&mut self, run: u64, since: Wall) -> Result<Recovered, StoreError> {
        recover::recover(&self.connection, run, since).map_err(|error| file::classify(&self.path, &error))
    }

    /// What is written of a stream; see [`Store::recall`](super::Store::recall).
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody.
    pub fn recall(&self, agent: &AgentId, stream: StreamId) -> Result<Option<Progress>, StoreFault> {
        progress::load(&self.connection, agent, stream).map_err(|error| fault(&error))
    }
}
