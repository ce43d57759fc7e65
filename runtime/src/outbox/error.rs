//! What can go wrong: when a queue is opened ([`OutboxError`]), and while it works ([`Fault`], told to the node as
//! [`QueueFault`]).

use super::file::SCHEMA_VERSION;
use fogline_protocol::queue::QueueFault;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use std::path::{Path, PathBuf};

/// What a file is whose beginning is not SQLite's.
pub(super) const NO_SQLITE: &str = "it is no SQLite file, or its beginning is damaged";

/// Why a queue could not be opened or closed. In each case the file was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// Stop the other process, or use another file.
    #[error(
        "the queue {} is in use by another agent ({holder}): stop that one, or give this one a queue of its own",
        path.display()
    )]
    InUse {
        /// The queue.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// Name the right file.
    #[error("{} is not a queue of Fogline: {found}. It was left untouched: name another file, or move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        found: String,
    },
    /// Install the newer version.
    #[error(
        "the queue {} has layout {found}, written by a newer version (this one knows {SCHEMA_VERSION}). It was left \
         untouched: start that version again, let it drain the queue, and then change versions",
        path.display()
    )]
    Newer {
        /// The queue.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// Start its agent once. Only when looking into one: opening changes the layout.
    #[error(
        "the queue {} has layout {found} of an earlier version: start its agent once, which brings it to layout {SCHEMA_VERSION}",
        path.display()
    )]
    Older {
        /// The queue.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// Start that agent again and let it drain the queue, or name another file.
    #[error(
        "the queue {} holds {readings} readings of {known}: start that agent again until it is empty, or name another data \
         directory",
        path.display()
    )]
    OtherAgent {
        /// The queue.
        path: PathBuf,
        /// Whose readings it holds.
        known: String,
        /// How many.
        readings: u64,
    },
    /// Start the agent: opening a queue heals it. Only when looking into one.
    #[error(
        "the queue {} is damaged: {what}. It was left untouched: start its agent, which heals it, keeps the damaged file \
         beside it, and reports what is lost",
        path.display()
    )]
    Damaged {
        /// The queue.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Name an existing queue. Only when looking into one: opening makes it.
    #[error("there is no queue {}: name the file of an agent that has been started before", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Make room and try again.
    #[error("there is no room left on the disk of the queue {}: {cause}", path.display())]
    DiskFull {
        /// The queue.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// Check that the folder exists, and the permissions.
    #[error("the queue {} cannot be read or written: {cause}", path.display())]
    Io {
        /// The queue.
        path: PathBuf,
        /// What the system said.
        cause: String,
    },
}

impl OutboxError {
    /// The error that `source` means for the file at `path`.
    pub(super) fn system(path: &Path, source: &std::io::Error) -> Self {
        let (path, cause) = (path.to_owned(), source.to_string());
        match source.kind() {
            std::io::ErrorKind::StorageFull => Self::DiskFull { path, cause },
            _ => Self::Io { path, cause },
        }
    }

    /// The error that `fault` means for the file at `path`.
    pub(super) fn of(path: &Path, fault: &Fault) -> Self {
        let path = path.to_owned();
        match fault {
            Fault::Inconsistent(what) | Fault::Damaged(what) => Self::Damaged { path, what: (*what).to_owned() },
            Fault::NotHealed(cause) => Self::Io { path, cause: cause.clone() },
            Fault::OtherAgent { known, readings } => {
                Self::OtherAgent { path, known: known.clone(), readings: *readings }
            }
            Fault::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => Self::Foreign { path, found: NO_SQLITE.to_owned() },
                Some(_) if fault.is_damage() => Self::Damaged { path, what: error.to_string() },
                _ if is_disk_full(error) => Self::DiskFull { path, cause: error.to_string() },
                Some(_) => Self::Io { path, cause: error.to_string() },
                // Not SQLite's own error: a value of a kind or size that was never written.
                None => Self::Damaged { path, what: error.to_string() },
            },
        }
    }
}

/// Why a transaction or a query failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// SQLite refused.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
    /// The command contradicts the file.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// The file is not as it was written.
    #[error("the queue is damaged: {0}")]
    Damaged(&'static str),
    /// The file is damaged, and could not be healed.
    #[error("the queue is damaged and cannot be healed yet: {0}")]
    NotHealed(String),
    /// The file holds another agent's readings.
    #[error("it holds {readings} readings of {known}")]
    OtherAgent { known: String, readings: u64 },
}

impl Fault {
    /// True when the file is not as it was written: to try again does not help, to heal it does.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Damaged(_) => true,
            Self::Inconsistent(_) | Self::NotHealed(_) | Self::OtherAgent { .. } => false,
            // Statements that the code has are understood, unless the tables are not those of the schema.
            Self::Sql(rusqlite::Error::SqlInputError { .. }) => true,
            Self::Sql(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => true,
                Some(ErrorCode::Unknown) => error.to_string().contains("no such"),
                Some(_) => false,
                // A value of a kind or size that was never written.
                None => matches!(
                    error,
                    rusqlite::Error::InvalidColumnType(..)
                        | rusqlite::Error::FromSqlConversionFailure(..)
                        | rusqlite::Error::IntegralValueOutOfRange(..)
                ),
            },
        }
    }
}

impl From<&Fault> for QueueFault {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Sql(error) if is_disk_full(error) => Self::DiskFull(error.to_string()),
            Fault::Sql(_)
            | Fault::Inconsistent(_)
            | Fault::Damaged(_)
            | Fault::NotHealed(_)
            | Fault::OtherAgent { .. } => Self::Io(fault.to_string()),
        }
    }
}

/// True when room on the disk would help. SQLite reports a write ahead log's index that cannot grow as an I/O error of
/// its own kind; a full disk is what causes it.
pub(super) fn is_disk_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|e| e.extended_code == SQLITE_IOERR_SHMSIZE)
}
