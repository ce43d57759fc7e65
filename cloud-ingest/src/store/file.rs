//! Opening the database: only one's own, only undamaged, and only once at a time.

use super::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Marks files of the ingester, for SQLite and for `file`: "FogI".
const APPLICATION_ID: i64 = 0x466F_6749;
/// The layout of `schema.sql`. Raised with each change that an older program could not live with.
const LAYOUT: i64 = 1;
const SCHEMA: &str = include_str!("schema.sql");
/// Larger pages than SQLite's default: points come in by the megabyte, and each page written costs a checksum in the log.
const PAGE_BYTES: i64 = 8192;
/// Of the ingester's 150 MB. Holds the ends of the tables and the recent windows of thousands of agents.
const CACHE_KIB: i64 = 24 * 1024;
/// The write-ahead log is copied into the file when it has this many pages: 4 MiB. That holds a commit up for some 10 ms.
/// Four times as many cost three times that, and gain 5% of speed.
const CHECKPOINT_PAGES: i64 = 512;
/// What is left of the log's file after a burst.
const LOG_KEPT_BYTES: i64 = 16 << 20;
/// How long to wait for a reader that holds things up, before the node is told to ask again.
const BUSY: Duration = Duration::from_secs(2);
/// Files up to this size are read whole when they are opened, to find damage before readings are trusted to them: that takes
/// about 0.1 s. In larger ones damage is found when the damaged page is needed.
const CHECKED_MAX_BYTES: u64 = 64 << 20;
/// Statements kept ready; there are about 30.
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

/// Opens the database at `path`, or makes it. The file that is returned holds the lock; keep it as long as the connection.
pub(super) fn open(path: &Path, synchronous: Synchronous) -> Result<(Connection, File), StoreError> {
    let lock = lock(path)?;
    let fresh = std::fs::metadata(path).map_or(true, |found| found.len() == 0);
    let classify = |error| classify(path, &error);
    if !fresh {
        inspect(path)?;
    }
    let mut connection = Connection::open(path).map_err(classify)?;
    connection.busy_timeout(BUSY).map_err(classify)?;
    if fresh {
        create(&mut connection).map_err(classify)?;
    }
    configure(&connection, synchronous).map_err(classify)?;
    Ok((connection, lock))
}

/// Opens the database for reading beside its ingester.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = open_read_only(path)?;
    check_marks(path, &connection)?;
    Ok(connection)
}

fn open_read_only(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| classify(path, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| classify(path, &error))?;
    Ok(connection)
}

/// The lock is a file of its own, because SQLite's own locks must let readers in.
fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let failed = |error: std::io::Error| StoreError::Io { file: name.clone(), detail: error.to_string() };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { file: path.to_owned(), lock: name }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Looks at an existing file without a chance of changing it.
fn inspect(path: &Path) -> Result<(), StoreError> {
    let connection = open_read_only(path)?;
    check_marks(path, &connection)?;
    if std::fs::metadata(path).map_or(0, |found| found.len()) > CHECKED_MAX_BYTES {
        return Ok(());
    }
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|error| classify(path, &error))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Damaged { file: path.to_owned(), detail: verdict }) }
}

fn check_marks(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let pragma = |name| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|error| classify(path, &error))
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    match pragma("user_version")? {
        LAYOUT => Ok(()),
        found if found > LAYOUT => Err(StoreError::Newer { file: path.to_owned(), found, known: LAYOUT }),
        _ => Err(StoreError::Foreign(path.to_owned())),
    }
}

/// All of the layout and its marks in one transaction: a file is a whole one of ours, or empty.
pub(super) fn create(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()
}

fn configure(connection: &Connection, synchronous: Synchronous) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", synchronous.pragma())?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_KEPT_BYTES, |_| Ok(()))?;
    connection.pragma_update(None, "foreign_keys", "OFF")
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

    fn open_in(dir: &tempfile::TempDir) -> Result<(Connection, File), StoreError> {
        open(&dir.path().join("fogline.db"), Synchronous::Normal)
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
    fn a_newer_layout_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (connection, lock) = open_in(&dir).unwrap();
        connection.pragma_update(None, "user_version", LAYOUT + 1).unwrap();
        drop((connection, lock));
        assert!(matches!(open_in(&dir), Err(StoreError::Newer { found: 2, known: 1, .. })));
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

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = open(&dir.path().join("no/fogline.db"), Synchronous::Full).unwrap_err();
        assert!(error.to_string().contains("fogline.db.lock"), "{error}");
    }
}
