//! The file itself: made whole or not at all, looked at before it is touched, and opened.

use super::books::Books;
use super::error::{Fault, NO_SQLITE, OutboxError};
use super::heal::log_is_damaged;
use super::lock::with_suffix;
use super::state;
use super::{OutboxConfig, Synchronous};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The layout of `schema.sql`, in the header of the file as `user_version`.
pub(super) const SCHEMA_VERSION: u32 = 2;
/// Marks an SQLite file as a queue of Fogline, in its header as `application_id`: "FogQ".
pub(super) const APPLICATION_ID: u32 = u32::from_be_bytes(*b"FogQ");

const SCHEMA: &str = include_str!("schema.sql");
/// What makes a file of layout 1 one of layout 2.
const FROM_1_TO_2: &str = include_str!("layout.sql");
/// No version will write a layout above this one: a number like that is damage.
const LAYOUTS_MAX: u32 = 1_000;
/// What SQLite writes at the beginning of its files.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// The header of an SQLite file.
const HEADER_BYTES: usize = 100;
/// Files up to this size are checked page by page when they are opened (some 20 ms); larger ones would take too long to
/// open, and damage in them is found when the page is read.
const CHECKED_WHOLE_BYTES: u64 = 16 << 20;
/// SQLite's cache. Small, because an agent is to run in 16 MB; large enough for the pages of one transaction.
const CACHE_KIB: u32 = 1536;
/// Small pages, because a commit of few readings writes mostly pages that it changes little. At 1,000 readings/s in commits
/// of 50 ms, 4 KiB write 7.5 bytes per byte of payload, 2 KiB 5.5 and 1 KiB 3.9, but at 1 KiB appending takes half as much
/// processor time again.
pub(super) const PAGE_BYTES: usize = 2048;
/// What the log may keep of the disk after it was written back: as much as it will need again.
const LOG_KEPT_BYTES: u32 = 6 << 20;
/// How long to wait for a process that looks into the queue: it holds SQLite's locks for milliseconds.
const BUSY: Duration = Duration::from_secs(2);

/// Makes an empty queue at `path`, whole or not at all: under another name first.
pub(super) fn create(path: &Path) -> Result<(), OutboxError> {
    let system = |error: std::io::Error| OutboxError::system(path, &error);
    let making = with_suffix(path, ".making");
    // Left behind by a crash on the way. The lock is held: nobody else is making it.
    for leftover in [making.clone(), with_suffix(&making, "-journal"), with_suffix(&making, "-wal")] {
        if leftover.exists() {
            std::fs::remove_file(leftover).map_err(system)?;
        }
    }
    lay_out(&making).map_err(|error| OutboxError::of(path, &Fault::Sql(error)))?;
    File::open(&making).and_then(|file| file.sync_all()).map_err(system)?;
    std::fs::rename(&making, path).map_err(system)?;
    sync_folder(path).map_err(system)
}

/// Makes an empty queue in place. It is not synced.
pub(super) fn lay_out(path: &Path) -> Result<(), rusqlite::Error> {
    let conn = Connection::open(path)?;
    // Synced once, by the caller, before the file gets its name.
    conn.execute_batch("PRAGMA synchronous = OFF;")?;
    conn.execute_batch(&format!("PRAGMA page_size = {PAGE_BYTES}; PRAGMA application_id = {APPLICATION_ID};"))?;
    conn.execute_batch(&format!("BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;"))?;
    conn.execute_batch("PRAGMA journal_mode = WAL;")?;
    conn.close().map_err(|(_, error)| error)
}

/// Opens a file that [`lay_out`] has made to fill it in one transaction, without a journal: after a crash it is made anew.
pub(super) fn open_to_fill(path: &Path) -> Result<Connection, rusqlite::Error> {
    let conn = Connection::open(path)?;
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE_KIB}; PRAGMA temp_store = MEMORY;"
    ))?;
    Ok(conn)
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Makes durable which names the files beside `path` have.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder(path)).and_then(|folder| folder.sync_all())
}

/// Refuses a file that is no queue, a newer one, or a damaged one, without changing it. The lock must be held: closing
/// a file that SQLite has open elsewhere in this process would end SQLite's locks on it.
pub(super) fn check(path: &Path) -> Result<(), OutboxError> {
    let length = check_header(path)?;
    let log = with_suffix(path, "-wal");
    if log_is_damaged(&log, PAGE_BYTES).map_err(|error| OutboxError::system(&log, &error))? {
        let what = "its log is broken in the middle".to_owned();
        return Err(OutboxError::Damaged { path: path.to_owned(), what });
    }
    let conn = read_only(path)?;
    let result = check_content(&conn, length);
    result.map_err(|fault| OutboxError::of(path, &fault))
}

fn check_header(path: &Path) -> Result<u64, OutboxError> {
    let system = |error: std::io::Error| OutboxError::system(path, &error);
    let file = File::open(path).map_err(system)?;
    let length = file.metadata().map_err(system)?.len();
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64).read_to_end(&mut header).map_err(system)?;
    let damaged = |what: String| OutboxError::Damaged { path: path.to_owned(), what };
    if length == 0 {
        return Err(damaged("it is empty".to_owned()));
    }
    if was_ours(path, &header) && !is_header(&header) {
        return Err(damaged("its beginning is not what was written".to_owned()));
    }
    if !header.starts_with(MAGIC) {
        return Err(OutboxError::Foreign { path: path.to_owned(), found: NO_SQLITE.to_owned() });
    }
    check_identity(path, number(&header, 68), number(&header, 60))?;
    // While the log holds pages the file may rightly be shorter than it says.
    let logged = std::fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let whole = PAGE_BYTES as u64 * u64::from(number(&header, 28));
    if !logged && length < whole {
        return Err(damaged(format!("it ends after {length} of {whole} bytes")));
    }
    Ok(length)
}

/// True when there is no doubt that the file was a queue: an agent has worked with it here before, or it says so itself.
fn was_ours(path: &Path, header: &[u8]) -> bool {
    number(header, 68) == APPLICATION_ID || with_suffix(path, ".reserve").exists()
}

/// True for a beginning as every version writes it.
fn is_header(header: &[u8]) -> bool {
    header.len() == HEADER_BYTES
        && header.starts_with(MAGIC)
        && number(header, 16) >> 16 == u32::try_from(PAGE_BYTES).unwrap_or(0)
        && number(header, 68) == APPLICATION_ID
        && (1..=LAYOUTS_MAX).contains(&number(header, 60))
}

/// The big-endian number at `at` of an SQLite header; 0 where the header is cut off.
fn number(header: &[u8], at: usize) -> u32 {
    header.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// Refuses what another program, or a newer version, has written.
pub(super) fn check_identity(path: &Path, application: u32, version: u32) -> Result<(), OutboxError> {
    let path = path.to_owned();
    if application != APPLICATION_ID {
        let found = format!("it is an SQLite file of another program (application id {application:#010x})");
        return Err(OutboxError::Foreign { path, found });
    }
    if version > SCHEMA_VERSION {
        return Err(OutboxError::Newer { path, found: version });
    }
    if version == 0 {
        return Err(OutboxError::Damaged { path, what: format!("it says that its layout is {version}") });
    }
    Ok(())
}

fn check_content(conn: &Connection, length: u64) -> Result<(), Fault> {
    if length <= CHECKED_WHOLE_BYTES {
        let verdict: String = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Fault::Damaged("SQLite's check finds broken pages in it"));
        }
    }
    if layout(conn)? < SCHEMA_VERSION {
        // What this version knows of its rows it can read once it has changed the layout.
        return Ok(());
    }
    let books = Books::read(conn)?;
    state::read(conn, &books).map(|_| ())
}

fn layout(conn: &Connection) -> Result<u32, Fault> {
    Ok(conn.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Makes a file of an earlier layout one of this version's, in one transaction.
pub(super) fn upgrade(conn: &Connection) -> Result<(), Fault> {
    if layout(conn)? == 1 {
        conn.execute_batch(&format!("BEGIN IMMEDIATE; {FROM_1_TO_2} COMMIT;"))?;
    }
    Ok(())
}

/// Opens the file to look at it. Never writes to it, not even at the end.
pub(super) fn read_only(path: &Path) -> Result<Connection, OutboxError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_timeout(BUSY)?;
        conn.execute_batch("PRAGMA query_only = ON; PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF;")?;
        Ok(conn)
    };
    open().map_err(|error| OutboxError::of(path, &Fault::Sql(error)))
}

/// Opens the file to work with it.
pub(super) fn read_write(config: &OutboxConfig) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(&config.path, flags)?;
    conn.busy_timeout(BUSY)?;
    // Else each range query is prepared again for each pair of bounds.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let synchronous = match config.synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    conn.execute_batch(&format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = {synchronous};
         PRAGMA cache_size = -{CACHE_KIB};
         PRAGMA wal_autocheckpoint = 0;
         PRAGMA journal_size_limit = {LOG_KEPT_BYTES};
         PRAGMA temp_store = MEMORY;
         PRAGMA secure_delete = OFF;
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;"
    ))?;
    Ok(conn)
}
