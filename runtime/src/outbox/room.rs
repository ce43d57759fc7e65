//! Room on the disk, so that a queue which has filled its disk can still drain.
//!
//! To free a reading takes a transaction, a transaction takes room in the log, and to write the log back takes room in the
//! file. On a full disk none of that is to be had, and the queue would stay full for ever, acknowledged or not. So a file
//! beside the queue holds some room back. When the disk is full it is given up: the log is written back, frees go on, and
//! readings are taken only into room that frees have made within the file, or once the held room could be put back.

use super::error::Fault;
use super::lock::with_suffix;
use rusqlite::Connection;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Room that is held back: more than a log has that is due to be written back ([`CHECKPOINT_FRAMES`] pages of 2 KiB, and
/// one append of more than 1 MiB).
const HELD_BYTES: usize = 6 << 20;
/// Pages in the log before they are written back. Each page is written back once however often it was logged since, so a
/// larger log wears the disk less; this one is 4 MB.
const CHECKPOINT_FRAMES: u64 = 2_000;
/// Free pages that a transaction may need besides those for its readings: inner pages, gaps, positions.
const SPARE_PAGES: u64 = 64;
/// What must be free beside the held room before it is put back: what a log takes. Else that log would soon need the held
/// room again.
const BESIDE_BYTES: usize = HELD_BYTES;
/// How long to wait before the room is tried to be put back, at first; doubled after each try, because a try on a full disk
/// writes in vain.
const TRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between tries.
const TRY_LAST: Duration = Duration::from_secs(64);

/// The room of one queue.
#[derive(Debug)]
pub(super) struct Room {
    held: PathBuf,
    given_up: bool,
    next_try: Instant,
    pause: Duration,
}

impl Room {
    /// Holds room back for the queue at `path`. On a full disk there is none to hold: it counts as given up.
    pub(super) fn hold(path: &Path) -> Self {
        let held = held(path);
        let given_up = fill(&held, HELD_BYTES).is_err();
        if given_up {
            remove(&held);
        }
        Self { held, given_up, next_try: Instant::now(), pause: TRY_FIRST }
    }

    /// Gives up the room that an earlier opening has held for the queue at `path`. True when there was some.
    pub(super) fn release(path: &Path) -> bool {
        std::fs::remove_file(held(path)).is_ok()
    }

    /// True when the disk was full and the room is not put back yet.
    pub(super) const fn is_short(&self) -> bool {
        self.given_up
    }

    /// Whether readings of `bytes` may be appended without taking what frees need.
    pub(super) fn admits(&mut self, conn: &Connection, bytes: usize) -> Result<bool, Fault> {
        if !self.given_up {
            return Ok(true);
        }
        if self.next_try <= Instant::now() {
            self.put_back();
        }
        let free: u64 = conn.prepare_cached("PRAGMA freelist_count")?.query_row([], |row| row.get(0))?;
        let page: u64 = conn.prepare_cached("PRAGMA page_size")?.query_row([], |row| row.get(0))?;
        let needed = (bytes as u64 * 2).div_ceil(page) + SPARE_PAGES;
        Ok(!self.given_up || free >= needed)
    }

    /// The disk is full: gives the room to the log.
    pub(super) fn give_up(&mut self, conn: &Connection) {
        self.given_up = true;
        self.pause = TRY_FIRST;
        self.next_try = Instant::now() + self.pause;
        tracing::warn!(reserve = %self.held.display(), "the disk of the queue is full: readings wait, frees go on");
        remove(&self.held);
        // Should that fail, the next transaction says so.
        checkpoint(conn, "TRUNCATE").ok();
    }

    /// Writes the log back when that is due. To be called after each write, and after its answer.
    pub(super) fn tidy(&mut self, conn: &Connection) -> Result<(), Fault> {
        if self.given_up {
            return checkpoint(conn, "TRUNCATE");
        }
        if frames(conn)? < CHECKPOINT_FRAMES {
            return Ok(());
        }
        checkpoint(conn, "PASSIVE")
    }

    fn put_back(&mut self) {
        let filled = fill(&self.held, HELD_BYTES + BESIDE_BYTES).and_then(|()| shorten(&self.held, HELD_BYTES as u64));
        self.given_up = filled.is_err();
        if self.given_up {
            remove(&self.held);
            self.pause = TRY_LAST.min(self.pause * 2);
            self.next_try = Instant::now() + self.pause;
        } else {
            tracing::info!("the disk of the queue has room again");
        }
    }
}

/// Pages in the log.
fn frames(conn: &Connection) -> Result<u64, Fault> {
    let frames: i64 = conn.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))?;
    Ok(u64::try_from(frames).unwrap_or(0))
}

/// Writes the log back into the file.
pub(super) fn checkpoint(conn: &Connection, mode: &str) -> Result<(), Fault> {
    conn.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))?;
    Ok(())
}

fn held(path: &Path) -> PathBuf {
    with_suffix(path, ".reserve")
}

/// What there is of the held room would be missed by the frees. Where there is none, that is as well.
fn remove(held: &Path) {
    std::fs::remove_file(held).ok();
}

/// Makes the file at least so long, without holes: those hold nothing back.
fn fill(path: &Path, bytes: usize) -> Result<(), std::io::Error> {
    let mut file = File::options().append(true).create(true).open(path)?;
    match fallocate(&file, FallocateFlags::empty(), 0, bytes as u64) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let missing = (bytes as u64).saturating_sub(file.metadata()?.len());
            std::io::copy(&mut std::io::repeat(0).take(missing), &mut file).map(|_| ())
        }
        // Only claimed, and not written: 6 MiB a start would wear a small device's flash.
        result => Ok(result?),
    }
}

fn shorten(path: &Path, bytes: u64) -> Result<(), std::io::Error> {
    File::options().write(true).open(path)?.set_len(bytes)
}
