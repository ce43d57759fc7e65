//! Files that are refused, and left as they were; one agent per queue; looking into a queue.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::StreamId;
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, QueueState, Rows, SegmentHead,
};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig, OutboxError, holdings, inspect, set_aside};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn config(path: &Path) -> OutboxConfig {
    let policy = FullPolicy::DropOldest;
    OutboxConfig::new(path, QueueLimits { readings: 1 << 40, bytes: 1 << 40, max_age_us: None, policy })
}

fn open(path: &Path) -> Outbox {
    Outbox::open(config(path)).unwrap()
}

fn append(outbox: &mut Outbox, count: i64) {
    let mut rows = Rows::default();
    for at in 0..count {
        rows.push(Wall::from_us(at), |json| json.extend_from_slice(&[b'7'; 120]));
    }
    let part = AppendPart {
        segment: Some(SegmentHead { stream: StreamId::from_bits(9), clock: 1, stamps: Stamps::Given }),
        rows,
    };
    let append = Append { parts: vec![part], positions: Vec::new() };
    outbox.handle.send(QueueCommand::Append(Arc::new(append)));
    assert!(matches!(outbox.answers.blocking_recv(), Some(QueueAnswer::Appended(Ok(_)))));
}

/// A closed queue of some pages.
fn closed_queue(folder: &Path) -> PathBuf {
    let path = folder.join("queue.db");
    let mut outbox = open(&path);
    append(&mut outbox, 1_000);
    outbox.handle.close().unwrap();
    path
}

/// Opens what must be refused, and looks into it; checks that neither has changed it.
fn refused(path: &Path) -> OutboxError {
    let before = std::fs::read(path).unwrap();
    let error = Outbox::open(config(path)).unwrap_err();
    drop(inspect(path));
    drop(holdings(path));
    assert_eq!(std::fs::read(path).unwrap(), before, "{error}");
    let text = error.to_string();
    assert!(text.contains("queue.db") && text.contains("untouched"), "{text}");
    error
}

fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    let mut content = std::fs::read(path).unwrap();
    content[at..at + bytes.len()].copy_from_slice(bytes);
    std::fs::write(path, content).unwrap();
}

#[test]
fn files_of_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    std::fs::write(&path, "ts_us,power_w\n1,2\n").unwrap();
    assert!(matches!(refused(&path), OutboxError::Foreign { .. }));
    std::fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE readings (seq INTEGER PRIMARY KEY)").unwrap();
    other.close().unwrap();
    assert!(matches!(refused(&path), OutboxError::Foreign { .. }));
    assert!(matches!(inspect(&path), Err(OutboxError::Foreign { .. })));
}

#[test]
fn a_newer_layout_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = closed_queue(folder.path());
    overwrite(&path, 60, &3_u32.to_be_bytes());
    assert!(matches!(refused(&path), OutboxError::Newer { found: 3, .. }));
    assert!(matches!(inspect(&path), Err(OutboxError::Newer { found: 3, .. })));
}

#[test]
fn a_log_without_its_file_is_not_taken_into_a_new_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    std::fs::write(folder.path().join("queue.db-wal"), "what was in it").unwrap();
    assert_eq!(open(&path).state.usage.readings, 0);
    let kept: Vec<PathBuf> = set_aside(&path).into_iter().map(|file| file.path).collect();
    assert_eq!(kept, [folder.path().join("queue.db.damaged-1-wal")]);
    assert_eq!(std::fs::read(&kept[0]).unwrap(), b"what was in it");
}

#[test]
fn counters_that_would_give_a_number_twice_are_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = closed_queue(folder.path());
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite.execute_batch("UPDATE counters SET next = 5").unwrap();
    sqlite.close().unwrap();
    assert!(matches!(inspect(&path), Err(OutboxError::Damaged { .. })), "a look changes nothing");
    let state = open(&path).state;
    assert_eq!((state.next, state.usage.readings, state.usage.damaged), (1_001, 1_000, 0));
}

#[test]
fn a_queue_of_layout_1_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let sqlite = rusqlite::Connection::open(&path).unwrap();
    sqlite.execute_batch(include_str!("layout-1.sql")).unwrap();
    sqlite.close().unwrap();
    assert!(matches!(inspect(&path), Err(OutboxError::Older { found: 1, .. })));
    let mut outbox = open(&path);
    let QueueState { opening, next, gaps, usage, segments, .. } = outbox.state.clone();
    assert_eq!((opening, next, gaps, usage.readings, usage.dropped), (4, 4, vec![Range::new(1, 1)], 2, 1));
    assert_eq!(segments[0].stream, StreamId::from_bits(0xabc));
    append(&mut outbox, 1);
    outbox.handle.send(QueueCommand::Load(Load { from: 1, until: 9, max_bytes: 1 << 20, max_rows: 9 }));
    let Some(QueueAnswer::Loaded(Ok(Some(run)))) = outbox.answers.blocking_recv() else { panic!("nothing loaded") };
    assert_eq!((run.first, run.times.len()), (2, 3), "rows without a seal are taken as they are");
    outbox.handle.close().unwrap();
    assert_eq!(inspect(&path).unwrap().state.usage.readings, 3);
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = Outbox::open(config(&folder.path().join("none/queue.db"))).unwrap_err();
    assert!(matches!(&error, OutboxError::Io { .. }) && error.to_string().contains("none"), "{error}");
}

#[test]
fn one_agent_per_queue() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let first = open(&path);
    let error = Outbox::open(config(&path)).unwrap_err();
    assert!(matches!(&error, OutboxError::InUse { .. }), "{error}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    first.handle.close().unwrap();
    assert_eq!(open(&path).state.opening, 2);
}

#[test]
fn a_queue_is_looked_into_while_it_runs_and_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    assert!(matches!(inspect(&path), Err(OutboxError::Missing { .. })));
    assert!(!path.exists());
    let mut outbox = open(&path);
    append(&mut outbox, 10);
    let seen = inspect(&path).unwrap();
    assert!(seen.running);
    assert_eq!((seen.state.opening, seen.state.usage.readings, seen.acknowledged), (1, 10, 0));
    append(&mut outbox, 5);
    assert_eq!(inspect(&path).unwrap().state.usage.readings, 15);
    outbox.handle.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let seen = inspect(&path).unwrap();
    assert!(!seen.running);
    assert_eq!((seen.state.opening, seen.state.usage.readings), (1, 15));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(open(&path).state.opening, 2, "a look is no opening");
}

#[test]
fn a_queue_with_readings_of_another_agent_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let owned = |owner: &str| {
        let mut config = config(&path);
        config.owner = Some(owner.to_owned());
        Outbox::open(config)
    };
    owned("a7/lane-1").unwrap().handle.close().unwrap();
    let mut outbox = owned("b2/lane-1").expect("an empty queue may change hands");
    append(&mut outbox, 3);
    outbox.handle.close().unwrap();
    let error = owned("a7/lane-1").unwrap_err();
    assert!(matches!(&error, OutboxError::OtherAgent { known, readings: 3, .. } if known == "b2/lane-1"), "{error}");
    owned("b2/lane-1").unwrap().handle.close().unwrap();
}

#[test]
fn the_numbers_of_a_queue_are_told_beside_its_agent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queue.db");
    let mut config = config(&path);
    (config.limits.readings, config.owner) = (20, Some("north/lane-1".to_owned()));
    (config.free_within, config.delete_rows) = (std::time::Duration::ZERO, 1_000);
    let mut outbox = Outbox::open(config).unwrap();
    append(&mut outbox, 10);
    append(&mut outbox, 20);
    outbox.handle.send(QueueCommand::Free(Free { through: 15, gaps: vec![Range::new(1, 4)] }));
    assert!(matches!(outbox.answers.blocking_recv(), Some(QueueAnswer::Freed(Ok(_)))));
    let held = holdings(&path).unwrap();
    assert_eq!((held.owner.as_deref(), held.next), (Some("north/lane-1"), 31));
    // The rows up to 15 are still in the file, and count for nothing.
    assert_eq!(held.rows.iter().collect::<Vec<_>>(), [Range::new(16, 30)]);
    assert_eq!(held.gaps, [Range::new(5, 10)]);
    assert_eq!(held.segments.iter().map(|segment| segment.first).collect::<Vec<_>>(), [1, 11]);
    outbox.handle.close().unwrap();
    assert_eq!(holdings(&path).unwrap(), held);
}
