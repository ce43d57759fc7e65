//! Looking into a queue, of a running agent or a stopped one, without changing it.

use super::books::Books;
use super::error::{Fault, OutboxError};
use super::lock::with_suffix;
use super::{file, lock, state};
use fogline_protocol::queue::QueueState;
use rusqlite::Connection;
use std::path::Path;

/// What a look into a queue shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// What the queue holds as of its last commit. `opening` is the newest opening's number, not a new one.
    pub state: QueueState,
    /// True when an agent has it open.
    pub running: bool,
    /// Readings acknowledged and freed since the file was made.
    pub acknowledged: u64,
    /// Bytes that the file and its log take of the disk.
    pub file_bytes: u64,
}

/// Looks into the queue at `path`, whether an agent has it open or not. Nothing is written to it.
///
/// # Errors
/// [`OutboxError::Missing`] when there is no such file, [`OutboxError::Foreign`], [`OutboxError::Newer`] or
/// [`OutboxError::Damaged`] when it is not a queue that this version can read, [`OutboxError::Io`] when it cannot be read.
pub fn inspect(path: &Path) -> Result<Inspection, OutboxError> {
    let state = look(path, state::read)?;
    let given = state.next - 1;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    Ok(Inspection {
        acknowledged: given.saturating_sub(state.usage.dropped).saturating_sub(state.usage.readings),
        running: lock::is_held(path),
        file_bytes: size(path) + size(&with_suffix(path, "-wal")),
        state,
    })
}

/// Reads in one read transaction, so that all that is shown belongs to one commit. The file is asked through SQLite alone: to
/// close it otherwise would end the locks of an agent in this process.
pub(super) fn look<T>(
    path: &Path,
    read: impl FnOnce(&Connection, &Books) -> Result<T, Fault>,
) -> Result<T, OutboxError> {
    if !path.exists() {
        return Err(OutboxError::Missing { path: path.to_owned() });
    }
    let conn = file::read_only(path)?;
    look_at(&conn, path, read).map_err(|fault| OutboxError::of(path, &fault))?
}

fn look_at<T>(
    conn: &Connection,
    path: &Path,
    read: impl FnOnce(&Connection, &Books) -> Result<T, Fault>,
) -> Result<Result<T, OutboxError>, Fault> {
    let tx = conn.unchecked_transaction()?;
    let application = tx.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let version = tx.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if let Err(error) = file::check_identity(path, application, version) {
        return Ok(Err(error));
    }
    if version < file::SCHEMA_VERSION {
        return Ok(Err(OutboxError::Older { path: path.to_owned(), found: version }));
    }
    let books = Books::read(&tx)?;
    read(&tx, &books).map(Ok)
}
