//! The pages of a damaged file as of its last commit: those of the log in place of those of the file.

use super::super::file::PAGE_BYTES;
use super::super::lock::with_suffix;
use super::log;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// With more unreadable pages than one in so many it is the disk that fails, and perhaps it comes back: nothing is given up.
const UNREADABLE_PART: u64 = 10;
/// So few pages are given up, however small the file.
const UNREADABLE_FEW: u64 = 16;

/// The pages of a queue.
pub(super) struct Pages {
    file: Option<File>,
    log: Option<File>,
    /// Where in the log the newest version of a page is.
    logged: BTreeMap<u32, u64>,
    count: u32,
    unreadable: u64,
}

impl Pages {
    /// Those of the queue at `path`. A file that is missing has none.
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        let (file, log) = (open(path)?, open(&with_suffix(path, "-wal"))?);
        let frames = log.as_ref().map(|file| log::read(file, PAGE_BYTES)).transpose()?.unwrap_or_default().frames;
        let logged: BTreeMap<u32, u64> = frames.into_iter().map(|frame| (frame.page, frame.at)).collect();
        let bytes = file.as_ref().map(|file| file.metadata()).transpose()?.map_or(0, |data| data.len());
        let in_file = u32::try_from(bytes.div_ceil(PAGE_BYTES as u64)).unwrap_or(u32::MAX);
        let count = in_file.max(logged.last_key_value().map_or(0, |(page, _)| *page));
        Ok(Self { file, log, logged, count, unreadable: 0 })
    }

    /// How many there are; they are numbered from 1.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// A page: none when it cannot be read. What is cut off is filled with zeros.
    pub(super) fn read(&mut self, number: u32) -> Option<Vec<u8>> {
        let (file, at) = match self.logged.get(&number) {
            Some(at) => (self.log.as_ref()?, *at),
            None => (self.file.as_ref()?, u64::from(number.checked_sub(1)?) * PAGE_BYTES as u64),
        };
        let mut page = vec![0; PAGE_BYTES];
        let mut filled = 0;
        while let Some(rest) = page.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, at + filled as u64) {
                Ok(0) => break,
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.unreadable += 1;
                    return None;
                }
            }
        }
        Some(page)
    }

    /// The pages that the file does not use: none when its list of them is damaged.
    pub(super) fn unused(&mut self) -> BTreeSet<u32> {
        let head = self.read(1).unwrap_or_default();
        let (mut trunk, stated) = (word(&head, 32), word(&head, 36));
        let mut unused = BTreeSet::new();
        while trunk > 0 && unused.insert(trunk) {
            let Some(page) = self.read(trunk) else { return BTreeSet::new() };
            let leaves = usize::try_from(word(&page, 4)).unwrap_or(0).min(PAGE_BYTES / 4 - 2);
            unused.extend((0..leaves).map(|index| word(&page, 8 + 4 * index)));
            trunk = word(&page, 0);
        }
        if u32::try_from(unused.len()) == Ok(stated) { unused } else { BTreeSet::new() }
    }

    /// Refuses to give up a file of which too much cannot be read.
    pub(super) fn check_readable(&self) -> std::io::Result<()> {
        let most = (u64::from(self.count) / UNREADABLE_PART).max(UNREADABLE_FEW);
        if self.unreadable <= most {
            return Ok(());
        }
        let text = format!("{} of {} pages cannot be read: check the disk", self.unreadable, self.count);
        Err(std::io::Error::other(text))
    }
}

/// The big-endian number at `at`; 0 beyond the end.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

fn open(path: &Path) -> std::io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
