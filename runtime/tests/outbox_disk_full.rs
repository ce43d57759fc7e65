//! A disk without room: reported, survived, and drained. On a small file system in memory, which only root can mount.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use fogline_protocol::clock::Stamps;
use fogline_protocol::ids::StreamId;
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueFault, QueueLimits, Rows, SegmentHead,
};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Unmounted when the test ends, however it ends.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        if mount.status().is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: only root can mount the small disk that this test fills");
        None
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0.path()).status().unwrap();
    }
}

fn open(path: &Path) -> Outbox {
    let limits = QueueLimits { readings: 1 << 40, bytes: 1 << 40, max_age_us: None, policy: FullPolicy::DropOldest };
    Outbox::open(OutboxConfig::new(path, limits)).unwrap()
}

fn append(outbox: &mut Outbox, begin: bool) -> Result<u64, QueueFault> {
    let mut rows = Rows::default();
    for at in 0..200 {
        rows.push(Wall::from_us(at), |json| json.extend_from_slice(&[b'7'; 150]));
    }
    let segment = begin.then_some(SegmentHead { stream: StreamId::from_bits(9), clock: 1, stamps: Stamps::Given });
    let append = Append { parts: vec![AppendPart { segment, rows }], positions: Vec::new() };
    outbox.handle.send(QueueCommand::Append(Arc::new(append)));
    match outbox.answers.blocking_recv() {
        Some(QueueAnswer::Appended(result)) => result.map(|appended| appended.usage.readings),
        other => panic!("{other:?}"),
    }
}

fn fill(outbox: &mut Outbox) -> u64 {
    let mut readings = outbox.state.usage.readings;
    loop {
        match append(outbox, readings == 0) {
            Ok(now) => readings = now,
            Err(QueueFault::DiskFull(_)) => return readings,
            Err(other) => panic!("{other}"),
        }
    }
}

fn free(outbox: &mut Outbox, through: u64) -> Result<u64, QueueFault> {
    outbox.handle.send(QueueCommand::Free(Free { through, gaps: Vec::new() }));
    match outbox.answers.blocking_recv() {
        Some(QueueAnswer::Freed(result)) => result.map(|(_, usage)| usage.readings),
        other => panic!("{other:?}"),
    }
}

fn last_row(outbox: &mut Outbox, from: u64) -> Option<u64> {
    let load = Load { from, until: u64::MAX, max_bytes: usize::MAX, max_rows: usize::MAX };
    outbox.handle.send(QueueCommand::Load(load));
    match outbox.answers.blocking_recv() {
        Some(QueueAnswer::Loaded(run)) => run.unwrap().map(|run| run.range().last),
        other => panic!("{other:?}"),
    }
}

#[test]
fn when_others_fill_the_disk_the_queue_goes_on_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    std::fs::write(disk.file("others"), vec![0; 12 << 20]).unwrap();
    let mut outbox = open(&disk.file("queue.db"));
    let readings = fill(&mut outbox);
    assert_eq!(last_row(&mut outbox, readings), Some(readings), "nothing of the refused append is there");
    std::fs::remove_file(disk.file("others")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let appended = loop {
        match append(&mut outbox, false) {
            Err(QueueFault::DiskFull(_)) if Instant::now() < deadline => std::thread::yield_now(),
            result => break result,
        }
    };
    assert_eq!(appended, Ok(readings + 200));
    outbox.handle.close().unwrap();
    assert_eq!(open(&disk.file("queue.db")).state.usage.readings, readings + 200);
}

#[test]
fn a_queue_that_has_filled_its_disk_drains_and_fills_again() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let mut outbox = open(&disk.file("queue.db"));
    let readings = fill(&mut outbox);
    for _ in 0..3 {
        let last = last_row(&mut outbox, 1).unwrap();
        assert_eq!(free(&mut outbox, last), Ok(0));
        let again = fill(&mut outbox);
        assert!(again > readings / 2, "{again} of {readings}");
    }
    outbox.handle.close().unwrap();
}

#[test]
fn a_queue_opens_and_drains_on_a_disk_that_is_full_to_the_last_byte() {
    let Some(disk) = SmallDisk::mount(24) else { return };
    let path = disk.file("queue.db");
    let mut outbox = open(&path);
    let readings = append(&mut outbox, true).unwrap();
    outbox.handle.close().unwrap();
    assert!(std::fs::write(disk.file("others"), vec![0; 24 << 20]).is_err());
    let mut outbox = open(&path);
    assert_eq!(outbox.state.usage.readings, readings);
    assert_eq!(free(&mut outbox, readings), Ok(0));
    outbox.handle.close().unwrap();
}
