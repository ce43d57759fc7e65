//! The data directory: writable, private, fast enough, and with room.

use super::finding::Findings;
use crate::figures::{bytes, micros};
use rustix::fs::statvfs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often a small write is made durable: enough for a median, and seconds on the slowest card.
const SYNCS: usize = 16;
/// The size of a small write: a commit of some readings.
const SYNC_BYTES: usize = 4096;
/// A large write, for the rate: more than a queue writes at once, and little wear.
const RATE_BYTES: usize = 8 << 20;
/// No measurement of a disk takes longer.
const MEASURE_MAX: Duration = Duration::from_secs(5);
/// Above this a commit is slower than the readings of 50 ms gather (`--commit-every`).
const SYNC_SLOW: Duration = Duration::from_millis(50);
/// Below this a program soon stops writing: SQLite's log and the room that a queue holds back.
const FREE_MIN: u64 = 64 << 20;
/// A reading in a queue takes its JSON and about as much again: row, index, pages that are half full.
const OVERHEAD: u64 = 2;

/// Looks at `dir`; `bound` is how many bytes of readings a queue there may hold.
pub(super) fn check(findings: &mut Findings, dir: &Path, bound: Option<u64>, used: u64) {
    let Some(existing) = nearest(dir) else {
        return findings.fail("data directory", format!("{}: no such path", dir.display()), "give --data-dir");
    };
    private(findings, dir);
    let measured = measure(&existing);
    writable(findings, dir, &existing, &measured);
    if let Ok(measured) = &measured {
        speed(findings, measured);
    }
    match room(&existing) {
        Ok(free) => space(findings, free, bound, used),
        Err(error) => findings.fail("disk space", format!("{}: {error}", existing.display()), "mount the disk"),
    }
}

/// The directory, or the nearest above it that is there: where it would be made.
fn nearest(dir: &Path) -> Option<PathBuf> {
    let full = std::path::absolute(dir).ok()?;
    full.ancestors().find(|path| path.is_dir()).map(Path::to_owned)
}

fn writable(findings: &mut Findings, dir: &Path, existing: &Path, measured: &io::Result<Measured>) {
    let (check, shown) = ("data directory", dir.display());
    match measured {
        Ok(_) if dir.is_dir() => findings.ok(check, format!("{shown}, writable")),
        Ok(_) => findings.ok(check, format!("{shown}, made at the first start")),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::PermissionDenied => format!("chown it to the user that runs the program: {}", id()),
                io::ErrorKind::ReadOnlyFilesystem => {
                    "mount it writable; a failing card turns read-only: dmesg".to_owned()
                }
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room".to_owned(),
                _ => "look at the disk: dmesg".to_owned(),
            };
            findings.fail(check, format!("{}: {error}", existing.display()), remedy);
        }
    }
}

fn id() -> String {
    format!("this one has uid {}", rustix::process::geteuid().as_raw())
}

/// Queues hold readings, and plates of cars; a directory that all may write to lets all replace them.
fn private(findings: &mut Findings, dir: &Path) {
    let Ok(metadata) = dir.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    let (check, shown) = ("data directory, rights", dir.display());
    if mode & 0o002 != 0 {
        findings.fail(check, format!("{mode:o}: every user of this machine may write"), format!("chmod o-w {shown}"));
    } else if mode & 0o005 != 0 {
        findings.warn(check, format!("{mode:o}: every user of this machine may look"), format!("chmod o= {shown}"));
    } else {
        findings.ok(check, format!("{mode:o}"));
    }
}

struct Measured {
    median: Duration,
    worst: Duration,
    bytes_per_s: u64,
}

/// Writes as a queue does, into a file that nobody sees.
fn measure(dir: &Path) -> io::Result<Measured> {
    let mut file = tempfile::tempfile_in(dir)?;
    let began = Instant::now();
    let mut times = Vec::with_capacity(SYNCS);
    while times.len() < SYNCS && began.elapsed() < MEASURE_MAX || times.is_empty() {
        let start = Instant::now();
        file.write_all(&[0x5A; SYNC_BYTES])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort_unstable();
    let start = Instant::now();
    file.write_all(&vec![0xA5; RATE_BYTES])?;
    file.sync_data()?;
    let us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
    let bytes_per_s = (RATE_BYTES as u64).saturating_mul(1_000_000) / us;
    let at = |index: usize| times.get(index).copied().unwrap_or_default();
    Ok(Measured { median: at(times.len() / 2), worst: at(times.len() - 1), bytes_per_s })
}

fn speed(findings: &mut Findings, measured: &Measured) {
    let show = |time: Duration| micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    let finding = format!(
        "fsync {} (worst {} of {SYNCS}), {} a second",
        show(measured.median),
        show(measured.worst),
        bytes(measured.bytes_per_s)
    );
    if measured.median > SYNC_SLOW {
        findings.warn("disk speed", finding, "gather longer with --commit-every 500ms, or take a better disk");
    } else {
        findings.ok("disk speed", finding);
    }
}

/// What this user may still write, in bytes.
fn room(dir: &Path) -> rustix::io::Result<u64> {
    statvfs(dir).map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn space(findings: &mut Findings, free: u64, bound: Option<u64>, used: u64) {
    let wanted = bound.map(|bound| bound.saturating_mul(OVERHEAD).saturating_sub(used));
    let shown = bytes(free);
    if free < FREE_MIN {
        findings.fail("disk space", format!("{shown} free"), format!("make room: at least {}", bytes(FREE_MIN)));
    } else if let Some(wanted) = wanted.filter(|wanted| *wanted > free) {
        findings.warn(
            "disk space",
            format!("{shown} free; a full queue would take {} more", bytes(wanted)),
            format!("lower --queue-bytes to {}, or make room", free.saturating_add(used) / OVERHEAD / 10 * 9),
        );
    } else {
        findings.ok("disk space", format!("{shown} free"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;
    use std::fs::{Permissions, set_permissions};

    fn looked(look: impl FnOnce(&mut Findings)) -> Findings {
        let mut findings = Findings::default();
        look(&mut findings);
        findings
    }

    #[test]
    fn a_directory_that_is_there_and_one_that_is_not_yet_are_well() {
        let folder = tempfile::tempdir().unwrap();
        set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        for dir in [folder.path().to_owned(), folder.path().join("a/b")] {
            let findings = looked(|findings| check(findings, &dir, Some(1), 0));
            assert_eq!(findings.of("data directory").outcome, Outcome::Ok, "{findings:?}");
            assert_eq!(findings.of("disk speed").check, "disk speed");
        }
        assert!(!folder.path().join("a").exists(), "a check makes nothing");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn one_that_cannot_be_written_fails_and_says_whom_to_give_it_to() {
        // For root nothing is read-only but what the system keeps.
        let findings = looked(|findings| check(findings, Path::new("/proc/self"), None, 0));
        let finding = findings.of("data directory");
        assert_eq!(finding.outcome, Outcome::Fail, "{finding:?}");
        assert!(!finding.remedy.is_empty());
    }

    #[test]
    fn rights_of_others_are_told() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, expected) in [(0o777, Outcome::Fail), (0o755, Outcome::Warn), (0o750, Outcome::Ok)] {
            set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let findings = looked(|findings| private(findings, folder.path()));
            assert_eq!(findings.of("data directory, rights").outcome, expected, "{mode:o}");
        }
    }

    #[test]
    fn room_is_compared_with_the_bound_of_the_queue() {
        let outcome =
            |free, bound, used| looked(|findings| space(findings, free, bound, used)).of("disk space").outcome;
        assert_eq!(outcome(1 << 20, None, 0), Outcome::Fail);
        assert_eq!(outcome(1 << 30, Some(1 << 30), 0), Outcome::Warn);
        assert_eq!(outcome(1 << 30, Some(1 << 30), 1 << 30), Outcome::Ok);
        assert_eq!(outcome(4 << 30, Some(1 << 30), 0), Outcome::Ok);
        assert_eq!(outcome(4 << 30, None, 0), Outcome::Ok);
    }

    #[test]
    fn a_slow_disk_is_told() {
        let measured = |ms| Measured {
            median: Duration::from_millis(ms),
            worst: Duration::from_millis(ms),
            bytes_per_s: 1_000_000,
        };
        assert_eq!(looked(|findings| speed(findings, &measured(200))).of("disk speed").outcome, Outcome::Warn);
        assert_eq!(looked(|findings| speed(findings, &measured(5))).of("disk speed").outcome, Outcome::Ok);
    }
}
