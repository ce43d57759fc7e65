//! `fogline audit`: what was accepted is stored, queued, dead-lettered, or in a reported gap; or else it is lost. And nothing is
//! stored twice. Told by agent, from a running system or a stopped one, which it reads and never changes.
//!
//! The account is made of what everybody wrote down for a purpose of their own: which numbers the queue files have given and
//! still hold (`queue`), what the ingester's file says of progress, gaps and dead letters (`ingester`), and what the
//! database holds (`sqlite`, `influx`). `facts` gathers it, `judge` says what it means, and neither reads a file.
//!
//! **Order.** A reading leaves its queue only after it is stored, and progress is recorded with or after the points that it
//! speaks of. So queues are read first, the ingester's file after them, and the database last: whatever a queue had let go,
//! or progress had claimed, when that was read, was in the database before that was read. Readings that are on their way in
//! between are in the queue as it was read. Read the other way around, every one of them would look lost.
//!
//! **Where numbers begin.** An ingester that meets a stream takes over the sender's floor, and does not know whether that
//! stream had numbers below it. The streams of one queue file continue each other's numbers, so with that file all numbers
//! from 1 on are judged. Without it, numbers that no stream is known to have had are reported as unknown, not as lost.

mod account;
mod command;
mod error;
mod facts;
mod influx;
mod ingester;
mod judge;
mod queue;
mod report;
mod sets;
mod sqlite;

pub(crate) use command::TOKEN_VARIABLE;

pub use account::{Account, AgentAccount, Counts, LostRange, RANGES_LISTED};
pub use command::{AuditArgs, EXAMPLES, execute};
pub use error::AuditError;
pub use influx::{Dialect, InfluxServer};

use facts::Facts;
use std::path::{Path, PathBuf};

/// What is audited.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The ingester's file, or the data directory that it is in: `fogline.db`, with the readings in it, or `state.db` when these
    /// are in another database. Where several ingesters work for the same agents, the files of all of them.
    pub ingesters: Vec<PathBuf>,
    /// Queues of agents: their files, or the data directories that these are in. Those of all agents make the account
    /// complete; without an agent's queue, what it still holds, or has lost before it was ever sent, is not seen.
    pub queues: Vec<PathBuf>,
    /// Where the readings are.
    pub database: Database,
}

/// Where readings are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Database {
    /// In the ingester's file.
    Sqlite,
    /// In a database that takes InfluxDB's writes.
    Influx(InfluxServer),
}

/// Makes the account. Blocks for as long as it takes to read all of the database: some seconds for some millions of readings.
/// `progress` hears now and then how many points were read.
///
/// # Errors
/// [`AuditError`], when something could not be read: then there is no account.
pub fn audit(sources: &Sources, progress: &mut (dyn FnMut(u64) + Send)) -> Result<Account, AuditError> {
    let mut facts = Facts::default();
    // The order is what the account rests on: see above.
    for path in &sources.queues {
        queue::read(path, &mut facts)?;
    }
    let ingesters = sources.files()?;
    for file in &ingesters {
        ingester::read(file, &mut facts)?;
    }
    match &sources.database {
        Database::Sqlite => {
            for file in &ingesters {
                sqlite::read(file, &mut facts, progress)?;
            }
        }
        Database::Influx(server) => influx::read(server, &mut facts, progress)?,
    }
    Ok(judge::account(&facts))
}

impl Sources {
    /// The ingesters' files.
    fn files(&self) -> Result<Vec<PathBuf>, AuditError> {
        let (name, other) = match self.database {
            Database::Sqlite => (ingester::WITH_READINGS, ingester::WITHOUT_READINGS),
            Database::Influx(_) => (ingester::WITHOUT_READINGS, ingester::WITH_READINGS),
        };
        let file = |path: &PathBuf| {
            let file = file_in(path, name);
            if file.exists() || !path.join(other).exists() {
                Ok(file)
            } else {
                Err(AuditError::Elsewhere(path.clone()))
            }
        };
        self.ingesters.iter().map(file).collect()
    }
}

/// The file that a path names: itself, or the one called `name` in the folder that it is.
fn file_in(path: &Path, name: &str) -> PathBuf {
    if path.is_dir() { path.join(name) } else { path.to_owned() }
}
