//! When answers come. What they say is held against the simulated queue, in the crate of the tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use fogline_protocol::clock::Stamps;
use fogline_protocol::ids::StreamId;
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, Rows, SegmentHead,
};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig};
use std::sync::Arc;
use std::time::Duration;

struct Queue {
    outbox: Outbox,
    folder: tempfile::TempDir,
}

impl Queue {
    fn open(free_within: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = FullPolicy::DropOldest;
        let limits = QueueLimits { readings: 1 << 40, bytes: 1 << 40, max_age_us: None, policy };
        let mut config = OutboxConfig::new(folder.path().join("queue.db"), limits);
        config.free_within = free_within;
        Self { outbox: Outbox::open(config).unwrap(), folder }
    }

    fn append(&self, count: i64) {
        let mut rows = Rows::default();
        for at in 0..count {
            rows.push(Wall::from_us(at), |json| json.extend_from_slice(b"{}"));
        }
        let part = AppendPart {
            segment: Some(SegmentHead { stream: StreamId::from_bits(9), clock: 1, stamps: Stamps::Given }),
            rows,
        };
        let append = Append { parts: vec![part], positions: Vec::new() };
        self.outbox.handle.send(QueueCommand::Append(Arc::new(append)));
    }

    fn free(&self, through: u64) {
        self.outbox.handle.send(QueueCommand::Free(Free { through, gaps: Vec::new() }));
    }

    fn load(&self) {
        let load = Load { from: 1, until: u64::MAX, max_bytes: usize::MAX, max_rows: 1 };
        self.outbox.handle.send(QueueCommand::Load(load));
    }

    /// The next answer, in short.
    fn answer(&mut self) -> String {
        match self.outbox.answers.blocking_recv() {
            Some(QueueAnswer::Appended(Ok(appended))) => format!("appended, {} now", appended.usage.readings),
            Some(QueueAnswer::Freed(Ok((free, usage)))) => format!("freed {}, {} now", free.through, usage.readings),
            Some(QueueAnswer::Loaded(Ok(run))) => format!("loaded {:?}", run.map(|run| run.first)),
            other => format!("{other:?}"),
        }
    }
}

const NEVER: Duration = Duration::from_secs(3_600);

#[test]
fn a_free_goes_with_the_next_append_and_counts_at_once() {
    let mut queue = Queue::open(NEVER);
    queue.append(10);
    queue.free(4);
    queue.free(6);
    queue.load();
    queue.append(1);
    let answers: Vec<String> = (0..5).map(|_| queue.answer()).collect();
    assert_eq!(answers, ["appended, 10 now", "loaded Some(7)", "freed 4, 6 now", "freed 6, 4 now", "appended, 5 now"]);
}

#[test]
fn a_free_does_not_wait_longer_than_it_may() {
    let mut queue = Queue::open(Duration::from_millis(1));
    queue.append(10);
    queue.free(4);
    assert_eq!(queue.answer(), "appended, 10 now");
    assert_eq!(queue.answer(), "freed 4, 6 now");
}

#[test]
fn a_large_free_does_not_wait() {
    let mut queue = Queue::open(NEVER);
    queue.append(20_000);
    queue.free(20_000);
    assert_eq!(queue.answer(), "appended, 20000 now");
    assert_eq!(queue.answer(), "freed 20000, 0 now");
}

#[test]
fn closing_does_what_was_asked_for_and_leaves_one_file_in_order() {
    let mut queue = Queue::open(NEVER);
    queue.append(10);
    queue.free(4);
    queue.outbox.handle.close().unwrap();
    let answers: Vec<QueueAnswer> = std::iter::from_fn(|| queue.outbox.answers.blocking_recv()).collect();
    assert!(matches!(&answers[..], [QueueAnswer::Appended(Ok(_)), QueueAnswer::Freed(Ok(_))]), "{answers:?}");
    assert!(!queue.folder.path().join("queue.db-wal").exists());
    let sqlite = rusqlite::Connection::open(queue.folder.path().join("queue.db")).unwrap();
    let rows: u64 = sqlite.query_row("SELECT count(*) FROM readings", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 6);
}

#[test]
fn a_handle_that_is_dropped_closes_the_queue_too() {
    let mut queue = Queue::open(NEVER);
    queue.append(10);
    queue.free(4);
    drop(queue.outbox.handle);
    let answers: Vec<QueueAnswer> = std::iter::from_fn(|| queue.outbox.answers.blocking_recv()).collect();
    assert!(matches!(&answers[..], [QueueAnswer::Appended(Ok(_)), QueueAnswer::Freed(Ok(_))]), "{answers:?}");
}
