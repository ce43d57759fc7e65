//! Healing: a new file of what can be read of a damaged one, which is set aside.
//!
//! SQLite is not asked for what is in the damaged file, because a broken page at the top of a table would cost all below it.
//! Instead every page is looked at by itself (`pages`, `cells`): a row that is as its seal says belongs to the queue, wherever
//! it is found. So a page costs the records on it and no others. A page that was given back to the file may show rows that
//! were freed before; those above the counter `gone` are told apart by it, and where that counter is lost they are sent
//! again, as after a return of an old copy: the ingester knows them.
//!
//! Numbers that should be there and were not found become gaps. What is read and cannot be trusted is set aside (`aside`).
//!
//! A crash on the way does no harm. The new file is made under the name `.healing`; nothing else has changed until it is
//! whole, on the disk, and called `.healed-N`. From then on every opening first moves the damaged file aside under the number
//! N, with its log, and then gives the new one its name.

mod build;
mod cells;
mod found;
mod log;
mod pages;

pub(super) use log::is_damaged as log_is_damaged;

use super::aside;
use super::books::Books;
use super::error::{Fault, OutboxError};
use super::file;
use super::lock::with_suffix;
use fogline_protocol::time::Wall;
use pages::Pages;
use std::fs::File;
use std::path::{Path, PathBuf};

const HEALING: &str = ".healing";
const HEALED: &str = ".healed-";
/// The readings that are to be set aside, before the new file is whole.
const READINGS: &str = ".healing.jsonl";

/// What was found of a damaged queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Healed {
    /// Readings that go on.
    pub(super) kept: u64,
    /// Readings that do not.
    pub(super) damaged: u64,
    /// Those of them that were set aside in a file of their own.
    pub(super) set_aside: u64,
}

/// Heals the queue at `path`, at `now`. `known` are its books, when damage is found while it is at work: nothing of them must
/// be guessed. No connection to it may be open in this process, and its lock must be held.
pub(super) fn heal(path: &Path, known: Option<&Books>, now: Wall) -> Result<Healed, OutboxError> {
    let system = |error: std::io::Error| OutboxError::system(path, &error);
    for leftover in leftovers(path) {
        remove(&leftover).map_err(system)?;
    }
    let healing = with_suffix(path, HEALING);
    let mut pages = Pages::open(path).map_err(system)?;
    let built = file::lay_out(&healing)
        .map_err(Fault::Sql)
        .and_then(|()| build::build(&mut pages, &healing, known, now))
        .map_err(|fault| OutboxError::of(path, &fault))?;
    pages.check_readable().map_err(system)?;
    if !built.broken.is_empty() {
        aside::write(&with_suffix(path, READINGS), &built.broken)?;
    }
    File::open(&healing).and_then(|file| file.sync_all()).map_err(system)?;
    let whole = with_suffix(path, &format!("{HEALED}{}", aside::next_number(path)));
    std::fs::rename(&healing, &whole).and_then(|()| file::sync_folder(path)).map_err(system)?;
    finish(path)?;
    let Healed { kept, damaged, set_aside } = built.healed;
    tracing::warn!(
        queue = %path.display(), kept, damaged, set_aside,
        "the queue was damaged and is healed: what is lost is reported as gaps, the damaged file is kept beside it"
    );
    Ok(built.healed)
}

/// Gives the file that an earlier healing made its name. To be called before anything else is done with the queue.
pub(super) fn finish(path: &Path) -> Result<(), OutboxError> {
    let Some((number, whole)) = find_healed(path) else { return Ok(()) };
    let system = |error: std::io::Error| OutboxError::system(path, &error);
    let (copy, log) = (aside::copy_path(path, number), with_suffix(path, "-wal"));
    if std::fs::metadata(&log).is_ok_and(|log| log.len() == 0) {
        // Who looked into the file has made it.
        remove(&log).map_err(system)?;
    }
    for (from, to) in [
        (with_suffix(path, READINGS), aside::readings_path(path, number)),
        (path.to_owned(), copy.clone()),
        (log, with_suffix(&copy, "-wal")),
    ] {
        rename(&from, &to).map_err(system)?;
    }
    // The log's index; a log that belongs to another file must not find the new one.
    remove(&with_suffix(path, "-shm")).map_err(system)?;
    file::sync_folder(path).map_err(system)?;
    std::fs::rename(&whole, path).and_then(|()| file::sync_folder(path)).map_err(system)?;
    aside::forget_old(path);
    Ok(())
}

fn find_healed(path: &Path) -> Option<(u64, PathBuf)> {
    let begin = format!("{}{HEALED}", path.file_name()?.to_string_lossy());
    let entries = std::fs::read_dir(file::folder(path)).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).find_map(|whole| {
        let number = whole.file_name()?.to_string_lossy().strip_prefix(&begin)?.parse().ok()?;
        Some((number, whole))
    })
}

fn leftovers(path: &Path) -> Vec<PathBuf> {
    let healing = with_suffix(path, HEALING);
    let beside = ["-journal", "-wal", "-shm"].map(|suffix| with_suffix(&healing, suffix));
    [healing, with_suffix(path, READINGS)].into_iter().chain(beside).collect()
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    unless_missing(std::fs::remove_file(path))
}

/// Renames a file, if it is there.
fn rename(from: &Path, to: &Path) -> std::io::Result<()> {
    unless_missing(std::fs::rename(from, to))
}

fn unless_missing(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
