//! Opening the database: only one's own, only undamaged, and only once at a time.

use super::layout::{self, LAYOUT};
use super::lock::{Sharing, lock};
use super::{StateDb, StoreError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Of the ingester's 150 MB. Holds the ends of the tables and the recent windows of thousands of agents.
const CACHE_KIB: i64 = 24 * 1024;
/// The write-ahead log is copied into the file when it has this many pages: 4 MiB. That holds a commit up for some 10 ms.
/// Four times as many cost three times that, and gain 5% of speed.
const CHECKPOINT_PAGES: i64 = 512;
/// What is left of the log's file after a burst.
const LOG_KEPT_BYTES: i64 = 16 << 20;
/// How long to wait for whoever holds things up, before the node is told to ask again: longer than a commit of another
/// ingester takes, also when the disk is slow.
const BUSY: Duration = Duration::from_secs(5);
/// How long to wait, and how often at most, for another ingester that makes the same file ready at this moment.
const READY_PAUSE: Duration = Duration::from_millis(10);
const READY_TRIES: u32 = 500;
/// Files up to this size are read whole when they are opened, to find damage before readings are trusted to them: that takes
/// about 0.1 s. In larger ones damage is found when the damaged page is needed.
const CHECKED_MAX_BYTES: u64 = 64 << 20;
/// Statements kept ready; there are about 45.
const STATEMENTS: usize = 64;

/// When a commit counts as durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// When the disk says so: power may fail at any time.
    #[default]
    Full,
    /// When the operating system has it: the last commits are lost when power fails, and with them acknowledged readings.
    Normal,
}

impl Synchronous {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

/// Opens the database at `path`, or makes it. One that is there, undamaged and up to date is not written to: another ingester
/// may lead with it.
pub(super) fn open(path: &Path, synchronous: Synchronous, sharing: Sharing) -> Result<StateDb, StoreError> {
    let lock = lock(path, sharing)?;
    let fresh = std::fs::metadata(path).map_or(true, |found| found.len() == 0);
    let classify = |error| classify(path, &error);
    let ready = !fresh && inspect(path)? == LAYOUT;
    let mut connection = Connection::open(path).map_err(classify)?;
    connection.busy_timeout(BUSY).map_err(classify)?;
    if !ready {
        layout::make(&mut connection).map_err(classify)?;
    }
    configure(&connection, synchronous).map_err(classify)?;
    let identity = identity(path, &connection).map_err(classify)?;
    Ok(StateDb { connection, names: super::names::Names::default(), identity, _lock: lock })
}

/// What tells this file from any other. A copy of it has the same random number, and another place on the disk.
fn identity(path: &Path, connection: &Connection) -> rusqlite::Result<String> {
    let number: String = connection.query_row("SELECT identity FROM state", [], |row| row.get(0))?;
    Ok(match place(path) {
        Some(place) => format!("{number}-{place:x}"),
        None => number,
    })
}

#[cfg(unix)]
fn place(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|found| std::os::unix::fs::MetadataExt::ino(&found))
}

#[cfg(not(unix))]
const fn place(_: &Path) -> Option<u64> {
    None
}

/// Opens the database for reading beside its ingester.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open_read_only(path)?;
    layout::of(path, &connection)?;
    Ok(connection)
}

fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| classify(path, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| classify(path, &error))?;
    Ok(connection)
}

/// Looks at an existing file without a chance of changing it; says which layout it has.
fn inspect(path: &Path) -> Result<i64, StoreError> {
    let connection = open_read_only(path)?;
    let layout = layout::of(path, &connection)?;
    if std::fs::metadata(path).map_or(0, |found| found.len()) > CHECKED_MAX_BYTES {
        return Ok(layout);
    }
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| classify(path, &error))?;
    if verdict == "ok" { Ok(layout) } else { Err(StoreError::Damaged { file: path.to_owned(), detail: verdict }) }
}

fn configure(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    write_ahead(connection)?;
    connection.pragma_update(None, "synchronous", synchronous.pragma())?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT_BYTES, |_| Ok(()))?;
    connection.pragma_update(None, "foreign_keys", "OFF")
}

/// Nothing is written where this is so already. SQLite does not wait by itself here for another process that does the same.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let set = || connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()));
    for _ in 1..READY_TRIES {
        match set() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => std::thread::sleep(READY_PAUSE),
            done => return done,
        }
    }
    set()
}

/// What an error while opening means to the operator.
pub(super) fn classify(path: &Path, error: &rusqlite::Error) -> StoreError {
    let file = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::Foreign(file),
        Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { file, detail: error.to_string() },
        _ => StoreError::Io { file, detail: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_in(dir: &tempfile::TempDir) -> Result<StateDb, StoreError> {
        open(&dir.path().join("fogline.db"), Synchronous::Normal, Sharing::Alone)
    }

    #[test]
    fn a_file_is_opened_once_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let first = open_in(&dir).unwrap();
        assert!(matches!(open_in(&dir), Err(StoreError::InUse { .. })));
        drop(first);
        open_in(&dir).unwrap();
    }

    #[test]
    fn a_file_that_others_lead_with_is_opened_without_writing_or_waiting() {
        let dir = tempfile::tempdir().unwrap();
        let share = || open(&dir.path().join("fogline.db"), Synchronous::Full, Sharing::OneFile);
        let leader = share().unwrap();
        leader.connection.execute_batch("BEGIN IMMEDIATE; UPDATE state SET term = 7").unwrap();
        let begun = std::time::Instant::now();
        let other = share().unwrap();
        assert!(begun.elapsed() < BUSY, "{:?}", begun.elapsed());
        assert_eq!(other.identity(), leader.identity());
        leader.connection.execute_batch("COMMIT").unwrap();
    }

    #[test]
    fn those_that_share_a_file_may_make_it_at_the_same_moment() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("fogline.db");
            let start = std::sync::Barrier::new(3);
            let identities: Vec<String> = std::thread::scope(|scope| {
                let open = || {
                    start.wait();
                    open(&path, Synchronous::Normal, Sharing::OneFile).unwrap().identity()
                };
                let threads: Vec<_> = (0..3).map(|_| scope.spawn(open)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");
        }
    }

    #[test]
    fn a_file_that_another_one_makes_ready_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fogline.db");
        let mut other = Connection::open(&path).unwrap();
        layout::make(&mut other).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let (done, opened) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| done.send(open(&path, Synchronous::Full, Sharing::OneFile)).unwrap());
            assert!(opened.recv_timeout(Duration::from_millis(300)).is_err(), "it waits");
            other.execute_batch("COMMIT").unwrap();
            opened.recv().unwrap().unwrap();
        });
    }

    #[test]
    fn a_copy_is_another_store() {
        let dir = tempfile::tempdir().unwrap();
        let first = open_in(&dir).unwrap().identity();
        std::fs::copy(dir.path().join("fogline.db"), dir.path().join("copy.db")).unwrap();
        let copy = open(&dir.path().join("copy.db"), Synchronous::Normal, Sharing::Alone).unwrap().identity();
        assert_eq!(copy.split('-').next(), first.split('-').next());
        assert_ne!(copy, first);
    }

    #[test]
    fn a_foreign_file_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fogline.db");
        for content in [&b"my thesis"[..], &[0; 8192]] {
            std::fs::write(&path, content).unwrap();
            assert!(matches!(open_in(&dir), Err(StoreError::Foreign(_))));
            assert_eq!(std::fs::read(&path).unwrap(), content);
        }
        std::fs::remove_file(&path).unwrap();
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
        let before = std::fs::read(&path).unwrap();
        assert!(matches!(open_in(&dir), Err(StoreError::Foreign(_))));
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        drop(open_in(&dir).unwrap());
        let path = dir.path().join("fogline.db");
        let whole = std::fs::read(&path).unwrap();
        let mut scratched = whole.clone();
        scratched.get_mut(3 * 8192..4 * 8192).unwrap().fill(0x5A);
        for damaged in [scratched, whole.get(..whole.len() / 2).unwrap().to_vec()] {
            std::fs::write(&path, &damaged).unwrap();
            assert!(matches!(open_in(&dir), Err(StoreError::Damaged { .. })));
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }
}
