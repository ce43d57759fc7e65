//! Where readings end up: the stores, and the thread that they work on.
//!
//! [`SqliteStore`] keeps points and state in one file and changes them in one transaction. [`InfluxStore`] sends points to
//! InfluxDB and keeps its state in a file of its own, which is changed after the database has taken the points: a commit
//! that is done again writes the same points again, and the same point replaces itself. [`NullStore`] forgets points: for
//! measuring everything else.
//!
//! All of them are built on [`StateDb`]. Whatever is asked of it is in `store/schema.sql`; the views there are for people:
//! `sqlite3 -readonly fogline.db 'SELECT * FROM readings LIMIT 5'`.

mod agents;
mod aggregates;
mod commit;
mod dead;
mod decisions;
mod file;
mod influx;
mod names;
mod null;
mod number;
mod progress;
pub mod query;
mod recover;
mod sqlite;
mod state;
#[cfg(test)]
mod testing;
mod thread;

pub use aggregates::{HOURS_KEPT, MINUTES_KEPT, WINDOWS_KEPT};
pub use dead::DEAD_LETTERS_MAX;
pub use decisions::DECISIONS_KEPT;
pub use file::Synchronous;
pub use influx::{InfluxConfig, InfluxStore};
pub use null::NullStore;
pub use progress::GAPS_KEPT;
pub use sqlite::SqliteStore;
pub use state::StateDb;
pub use thread::{StoreClosed, StoreThread};

use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Commit, CommitReport, Progress, Recovered, StoreFault};
use fogline_protocol::time::Wall;
use std::path::PathBuf;

/// What a cloud node needs to be kept. Calls block; [`StoreThread`] makes them from a thread of their own.
pub trait Store: Send {
    /// Begins the run with this random number: what an ingester needs to carry on. `since` is the start of the oldest
    /// 5-second window that may still be open.
    ///
    /// # Errors
    /// [`StoreError`], when the state cannot be read or written.
    fn recover(&mut self, run: u64, since: Wall) -> Result<Recovered, StoreError>;

    /// Does all of a commit or nothing of what can be seen of its progress; durable when it returns. A commit whose
    /// `(run, id)` was done is answered again and not done again.
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody. The same commit may be asked for again at any time.
    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault>;

    /// What is written of a stream: none when nothing was ever.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit.
    fn recall(&mut self, agent: &AgentId, stream: StreamId) -> Result<Option<Progress>, StoreFault>;
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Stop the other ingester, or give this one another file.
    #[error("{} is in use by another ingester (it holds {})", .file.display(), .lock.display())]
    InUse {
        /// The database.
        file: PathBuf,
        /// The lock beside it.
        lock: PathBuf,
    },
    /// Give another file: this one is left as it is.
    #[error("{} is not a file of fogline's ingester: it was left untouched; give another path", .0.display())]
    Foreign(PathBuf),
    /// Update the program.
    #[error("{} was written by a newer version of fogline (layout {found}, this program knows {known})", .file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its layout.
        found: i64,
        /// The newest layout that this program reads.
        known: i64,
    },
    /// Restore it from a copy, or move it away and begin anew: agents then send again what they still hold.
    #[error("{} is damaged and was left untouched: {detail}", .file.display())]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What was found.
        detail: String,
    },
    /// Mend the folder, its permissions or its disk.
    #[error("cannot open {}: {detail}", .file.display())]
    Io {
        /// The database or its lock.
        file: PathBuf,
        /// What the system says.
        detail: String,
    },
    /// Correct the configuration.
    #[error("{0}")]
    Config(String),
}
