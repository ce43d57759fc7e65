//! What tells that a file is another one than before.

use std::path::Path;
use std::time::SystemTime;

/// A file's outer marks; none when there is no such file.
///
/// Time and length alone would miss a file of the same length that a restore puts in place with its old time, so the
/// inode and the time of its last change count too where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp(Option<(SystemTime, u64, [u64; 2], [i64; 2])>);

impl Stamp {
    pub(crate) fn of(path: &Path) -> Self {
        let marks = std::fs::metadata(path).ok().and_then(|meta| {
            let (inode, changed) = identity(&meta);
            Some((meta.modified().ok()?, meta.len(), inode, changed))
        });
        Self(marks)
    }
}

#[cfg(unix)]
fn identity(meta: &std::fs::Metadata) -> ([u64; 2], [i64; 2]) {
    use std::os::unix::fs::MetadataExt;
    ([meta.dev(), meta.ino()], [meta.ctime(), meta.ctime_nsec()])
}

#[cfg(not(unix))]
fn identity(_: &std::fs::Metadata) -> ([u64; 2], [i64; 2]) {
    ([0, 0], [0, 0])
}
