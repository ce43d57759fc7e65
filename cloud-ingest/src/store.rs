//! Where readings end up: the stores, and the thread that they work on.
//!
//! [`SqliteStore`] keeps points and state in one file and changes them in one transaction. [`InfluxStore`] sends points to
//! InfluxDB and keeps its state in a file of its own, which is changed after the database has taken the points: a commit
//! that is done again writes the same points again, and the same point replaces itself. [`NullStore`] forgets points: for
//! measuring everything else.
//!
//! All of them are built on [`StateDb`]. Whatever is asked of it is in `store/schema.sql` and `store/schema/`; the views there are for people:
//! `sqlite3 -readonly fogline.db 'SELECT * FROM readings LIMIT 5'`.

mod agents;
mod aggregates;
mod city;
mod commit;
mod common;
mod dead;
mod decisions;
mod directives;
mod file;
mod influx;
mod latest;
mod layout;
mod ledger;
mod letter;
mod lock;
mod names;
mod null;
mod number;
mod progress;
pub mod query;
mod recover;
mod replica;
mod slow;
mod sqlite;
mod state;
#[cfg(test)]
mod takeovers;
#[cfg(test)]
pub(crate) mod testing;
mod thread;

pub use aggregates::{HOURS_KEPT, MINUTES_KEPT, WINDOWS_KEPT};
pub use city::{CITY_AHEAD_MAX, CITY_IDS_KEPT, CITY_KEPT};
pub(crate) use common::share_as;
pub use dead::{DEAD_LETTERS_MAX, LetterId, LetterIdError};
pub use decisions::DECISIONS_KEPT;
pub use directives::DIRECTIVES_KEPT;
pub use file::Synchronous;
pub use influx::{InfluxConfig, InfluxStore};
pub(crate) use influx::{NotTaken, SideWriter};
pub use letter::Retried;
pub use lock::Sharing;
pub use null::NullStore;
pub use progress::GAPS_KEPT;
pub use replica::{GAPS_NAMED_MAX, GAPS_PER_ROW, PAGE_BYTES};
pub use slow::SlowStore;
pub use sqlite::SqliteStore;
pub use state::StateDb;
pub(crate) use thread::{ChangeError, StoreChanges};
pub use thread::{StoreClosed, StoreThread};

use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Commit, CommitReport, Export, Page, Progress, Recovered, Rows, StoreFault, TakeOver};
use std::path::PathBuf;

/// What a cloud node needs to be kept. Calls block; [`StoreThread`] makes them from a thread of their own.
pub trait Store: Send {
    /// Where everything but points is kept.
    fn state(&mut self) -> &mut StateDb;

    /// Does all of a commit or nothing of what can be seen of its progress; durable when it returns. A commit whose
    /// `(run, id)` was done is answered again and not done again.
    ///
    /// # Errors
    /// [`StoreFault::Deposed`]: the commit's run does not lead, or leads no more; it has changed nothing now. Other
    /// [`StoreFault`]s say whether to wait or to call somebody; the same commit may be asked for again at any time.
    fn commit(&mut self, commit: &Commit) -> Result<CommitReport, StoreFault>;

    /// Takes the lead with a run of this random number, in a term of its own: what an ingester needs to carry on. From now on
    /// the commits of any other run are refused. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit. It may be asked for again with the same run, whose commits still hold.
    fn take_over(&mut self, take: TakeOver) -> Result<Recovered, StoreFault> {
        self.state().take_over(take)
    }

    /// What is written of a stream: none when nothing was ever.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit.
    fn recall(&mut self, agent: &AgentId, stream: StreamId) -> Result<Option<Progress>, StoreFault> {
        self.state().recall(agent, stream)
    }

    /// Rows of the state for one that follows, all as they are at one moment.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit.
    fn export(&mut self, export: &Export) -> Result<Page, StoreFault> {
        self.state().export(export)
    }

    /// Puts rows of one that leads in the place of one's own, all or none; durable when it returns. The run stays; the term is
    /// raised to that of the rows.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit. It may be asked for again at any time.
    fn adopt(&mut self, rows: &Rows) -> Result<(), StoreFault> {
        self.state().adopt(rows)
    }

    /// Gives a dead letter back to the database, as the point that it was to be: same series, time, number and stream. What it
    /// added to averages is in them since it was refused.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit of this run; the dead letter is as it was then.
    fn retry(&mut self, run: u64, letter: LetterId) -> Result<Retried, StoreFault>;

    /// Forgets a dead letter, and with it its reading; false when there is no such one. It stays counted, so that the audit finds
    /// out. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit of this run.
    fn discard(&mut self, run: u64, letter: LetterId) -> Result<bool, StoreFault> {
        self.state().discard(run, letter)
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Stop the other ingester, give this one another file, or let both share the file.
    #[error(
        "{} is in use by another ingester (it holds {}): stop that one, give this one another file, or start both \
         with --shared, as sites that share the file", .file.display(), .lock.display()
    )]
    InUse {
        /// The database.
        file: PathBuf,
        /// The lock beside it.
        lock: PathBuf,
    },
    /// Stop the other ingester and start it as one that shares the file, too.
    #[error(
        "{} is in use by an ingester that shares it with nobody (it holds {}): stop that one, and start both with \
         --shared, as sites that share the file", .file.display(), .lock.display()
    )]
    NotShared {
        /// The database.
        file: PathBuf,
        /// The lock beside it.
        lock: PathBuf,
    },
    /// Who shares a database takes the same agents.
    #[error(
        "{} is shared by an ingester that takes {theirs}, and this one takes {ours}: give both the same --region or --share, or \
         this one a --data-dir of its own", .file.display()
    )]
    OtherRealm {
        /// The database.
        file: PathBuf,
        /// What the others take.
        theirs: String,
        /// What this one takes.
        ours: String,
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
