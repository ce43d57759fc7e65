//! What damage leaves, set aside in files beside the queue: `queue.db.damaged-3.jsonl` has the readings that could be read
//! and not be trusted, one JSON object a line; `queue.db.damaged-3` (and `-wal`) is the whole file as it was found.
//!
//! A line is `{"seq":7,"stream":"…","clock":3,"why":"checksum","reading":{…}}`, or with `"text":"…"` instead of a reading
//! where it is no JSON any more.

use super::error::OutboxError;
use super::load::Broken;
use super::lock::with_suffix;
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of one file of readings: enough for what damage spares of some thousand pages. Beyond it they are counted only.
pub(super) const ASIDE_BYTES_MAX: u64 = 16 << 20;
/// Whole files that are kept; they may be as large as the queue, so an older one gives way.
const COPIES_KEPT: usize = 3;
/// Files of readings that are kept.
const READINGS_KEPT: usize = 16;
/// What the name goes on with, before a number.
const DAMAGED: &str = ".damaged-";

/// A file that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// True for readings as JSON lines; false for a damaged file as it was found, or its log.
    pub readings: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<u16>,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reading: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// The files that were set aside of the queue at `path`, oldest first.
#[must_use]
pub fn set_aside(path: &Path) -> Vec<SetAside> {
    let mut numbered = numbered(path);
    numbered.sort();
    let file = |(_, path): (u64, PathBuf)| {
        let bytes = std::fs::metadata(&path).map_or(0, |data| data.len());
        let readings = path.extension().is_some_and(|extension| extension == "jsonl");
        SetAside { path, bytes, readings }
    };
    numbered.into_iter().map(file).collect()
}

/// A number that no file has yet that was set aside.
pub(super) fn next_number(path: &Path) -> u64 {
    numbered(path).iter().map(|(number, _)| number + 1).max().unwrap_or(1)
}

/// The file of readings with this number.
pub(super) fn readings_path(path: &Path, number: u64) -> PathBuf {
    with_suffix(path, &format!("{DAMAGED}{number}.jsonl"))
}

/// The copy of the whole file with this number.
pub(super) fn copy_path(path: &Path, number: u64) -> PathBuf {
    with_suffix(path, &format!("{DAMAGED}{number}"))
}

/// Adds readings to the file at `path`, durably, up to its bound. Returns how many it took.
pub(super) fn write(path: &Path, broken: &[Broken]) -> Result<usize, OutboxError> {
    let failed = |error: std::io::Error| OutboxError::system(path, &error);
    let mut file = File::options().append(true).create(true).open(path).map_err(failed)?;
    let mut bytes = file.metadata().map_err(failed)?.len();
    let mut text = Vec::new();
    let mut taken = 0;
    for line in broken.iter().map(line) {
        bytes += line.len() as u64;
        if bytes > ASIDE_BYTES_MAX {
            break;
        }
        text.extend_from_slice(&line);
        taken += 1;
    }
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(taken)
}

fn line(broken: &Broken) -> Vec<u8> {
    let reading: Option<serde_json::Value> = serde_json::from_slice(&broken.body).ok();
    let text = reading.is_none().then(|| String::from_utf8_lossy(&broken.body).into_owned());
    let line = Line {
        seq: broken.seq,
        stream: broken.origin.map(|origin| origin.stream.to_string()),
        clock: broken.origin.map(|origin| origin.clock),
        why: broken.why,
        reading,
        text,
    };
    // Texts and numbers always are JSON.
    let mut line = serde_json::to_vec(&line).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Removes the oldest files beyond those that are kept.
pub(super) fn forget_old(path: &Path) {
    let (readings, copies): (Vec<_>, Vec<_>) = set_aside(path).into_iter().partition(|file| file.readings);
    let files = |copies: &[SetAside]| copies.iter().filter(|file| !is_log(&file.path)).count();
    let mut copies = copies;
    while files(&copies) > COPIES_KEPT {
        let oldest = copies.remove(0);
        tracing::warn!(file = %oldest.path.display(), "an old copy of a damaged queue gives way to newer ones");
        std::fs::remove_file(&oldest.path).ok();
        let log = with_suffix(&oldest.path, "-wal");
        std::fs::remove_file(&log).ok();
        copies.retain(|file| file.path != log);
    }
    for oldest in readings.iter().take(readings.len().saturating_sub(READINGS_KEPT)) {
        tracing::warn!(file = %oldest.path.display(), "old readings that were set aside give way to newer ones");
        std::fs::remove_file(&oldest.path).ok();
    }
}

fn is_log(path: &Path) -> bool {
    path.to_string_lossy().ends_with("-wal")
}

fn numbered(path: &Path) -> Vec<(u64, PathBuf)> {
    let Some(name) = path.file_name() else { return Vec::new() };
    let begin = format!("{}{DAMAGED}", name.to_string_lossy());
    let entries = std::fs::read_dir(super::file::folder(path)).into_iter().flatten().flatten();
    let number = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        let rest = name.strip_prefix(&begin)?;
        let rest = rest.trim_end_matches(".jsonl").trim_end_matches("-wal");
        Some((rest.parse().ok()?, path))
    };
    entries.filter_map(|entry| number(entry.path())).collect()
}
