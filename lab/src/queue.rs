//! What an agent's queue file says, read from a copy of it with plain SQL, so that the lab neither trusts the agent's own count
//! nor changes the file that it is to judge.

use crate::LabError;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Files of a queue that hold its content: the database, and what is not written back into it yet.
pub(crate) const FILES: [&str; 2] = ["queue.db", "queue.db-wal"];

/// How long to wait for an agent that writes.
const PATIENCE: Duration = Duration::from_secs(2);

/// A queue of an agent that does not run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// The sequence number that the next reading would have.
    pub(crate) next: u64,
    /// The lab's numbers of the readings in it.
    pub(crate) waiting: Vec<u64>,
    /// Sequence numbers that it has dropped and of which the ingester has not said that it knows.
    pub(crate) gaps: Vec<(u64, u64)>,
}

/// The sequence number that the next reading would have; 1 when there is no queue yet.
///
/// # Errors
/// [`LabError::File`] when it cannot be read.
pub(crate) fn next(folder: &Path) -> Result<u64, LabError> {
    with_copy(folder, 1, read_next)
}

/// The same of a queue that an agent has open.
///
/// # Errors
/// [`LabError::File`] when it cannot be read.
pub(crate) fn next_of_running(folder: &Path) -> Result<u64, LabError> {
    let path = folder.join(FILES[0]);
    let look = || {
        let db = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(PATIENCE)?;
        read_next(&db)
    };
    look().map_err(|error| LabError::file(&path, &error))
}

/// All that the queue in `folder` holds; an empty one when there is none yet.
///
/// # Errors
/// [`LabError::File`] when it cannot be read.
pub(crate) fn read(folder: &Path) -> Result<Queue, LabError> {
    with_copy(folder, Queue { next: 1, ..Queue::default() }, |db| {
        let (next, gone) = (read_next(db)?, gone(db)?);
        let numbers = "SELECT CAST(json_extract(body, '$.fields.n') AS INTEGER) FROM readings WHERE seq > ?1";
        let waiting = db.prepare(numbers)?.query_map([gone], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let gaps = db.prepare("SELECT first, last FROM gap")?;
        let gaps = { gaps }.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
        Ok(Queue { next, waiting, gaps })
    })
}

fn read_next(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT next FROM counters", [], |row| row.get(0)).optional().map(|next| next.unwrap_or(1))
}

fn gone(db: &Connection) -> rusqlite::Result<u64> {
    db.query_row("SELECT gone FROM counters", [], |row| row.get(0)).optional().map(Option::unwrap_or_default)
}

fn with_copy<T>(
    folder: &Path,
    missing: T,
    read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> Result<T, LabError> {
    let path = folder.join(FILES[0]);
    if !path.exists() {
        return Ok(missing);
    }
    let failed = |error: &dyn std::fmt::Display| LabError::file(&path, error);
    // Not beside the original: that disk may be full.
    let copy = tempfile::tempdir().map_err(|error| failed(&error))?;
    copy_into(folder, copy.path()).map_err(|error| failed(&error))?;
    let db = Connection::open(copy.path().join(FILES[0])).map_err(|error| failed(&error))?;
    read(&db).map_err(|error| failed(&error))
}

/// Copies the files of the queue in `from` into the folder `to`.
pub(crate) fn copy_into(from: &Path, to: &Path) -> std::io::Result<()> {
    for name in FILES {
        let (source, target): (PathBuf, PathBuf) = (from.join(name), to.join(name));
        if source.exists() {
            std::fs::copy(source, target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_read_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(next(folder.path()).unwrap(), 1);
        let db = Connection::open(folder.path().join(FILES[0])).unwrap();
        db.execute_batch(
            r#"PRAGMA journal_mode = WAL;
            CREATE TABLE counters (next INTEGER, gone INTEGER); INSERT INTO counters VALUES (5, 2);
            CREATE TABLE gap (first INTEGER, last INTEGER); INSERT INTO gap VALUES (1, 1);
            CREATE TABLE readings (seq INTEGER, body TEXT);
            INSERT INTO readings VALUES (2, '{"fields":{"n":1.0}}'), (3, '{"fields":{"n":2.0}}'), (4, '{"fields":{"n":3}}');"#,
        )
        .unwrap();
        let queue = read(folder.path()).unwrap();
        assert_eq!(queue, Queue { next: 5, waiting: vec![2, 3], gaps: vec![(1, 1)] });
    }
}
