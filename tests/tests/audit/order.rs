//! What is stored and let go while an audit reads is no loss: it reads queues first, the ingester next, and the database last.

use fogline::audit::{Database, InfluxServer, Sources, audit};
use fogline_ingest::store::{InfluxConfig, InfluxStore, Sharing, StateDb, Store, Synchronous};
use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, QueueAnswer, QueueCommand, QueueLimits, Rows, SegmentHead,
};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, Points, Progress, StreamProgress, TakeOver};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig};
use fogline_tests::real::Influxd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const EPOCH_US: i64 = 1_700_000_000_000_000;
const STREAM: StreamId = StreamId::from_bits(7);
/// Readings that the agent has; up to which of them all are stored before an audit; and up to which when it has read.
const ACCEPTED: u64 = 20;
const BEFORE: u64 = 10;
const MEANWHILE: u64 = 15;

/// A queue and a store, and no program that would move anything by itself.
struct Moving {
    queue: Outbox,
    store: InfluxStore,
}

impl Moving {
    fn new(server: &Influxd, folder: &Path) -> Self {
        let mut state = StateDb::open(&folder.join("state.db"), Synchronous::Normal, Sharing::Alone).unwrap();
        state.take_over(TakeOver { run: 1, above: 0, since: Wall::MIN }).unwrap();
        let config = InfluxConfig { url: server.translator().url(), ..InfluxConfig::default() };
        let mut moving = Self { queue: queue(folder), store: InfluxStore::new(state, &config).unwrap() };
        moving.store(1, BEFORE);
        moving
    }

    /// Stores these readings, and then frees them, as an agent does when it is told that they are stored.
    fn store(&mut self, first: u64, last: u64) {
        assert_eq!(self.store.commit(&commit(first, last)).unwrap().stored, last - first + 1);
        self.queue.handle.send(QueueCommand::Free(Free { through: last, gaps: Vec::new() }));
        assert!(matches!(self.queue.answers.blocking_recv(), Some(QueueAnswer::Freed(Ok(_)))));
    }
}

/// A queue that has all readings.
fn queue(folder: &Path) -> Outbox {
    let limits = QueueLimits { readings: 1000, bytes: 1 << 20, max_age_us: None, policy: FullPolicy::Block };
    let mut config = OutboxConfig::new(folder.join("queue.db"), limits);
    (config.owner, config.free_within) = (Some("north/lane-1".to_owned()), Duration::ZERO);
    let mut queue = Outbox::open(config).unwrap();
    let mut rows = Rows::default();
    (0..ACCEPTED).for_each(|_| rows.push(Wall::from_us(EPOCH_US), |json| json.extend_from_slice(b"{}")));
    let parts =
        vec![AppendPart { segment: Some(SegmentHead { stream: STREAM, clock: 0, stamps: Stamps::Given }), rows }];
    queue.handle.send(QueueCommand::Append(Arc::new(Append { parts, positions: Vec::new() })));
    assert!(matches!(queue.answers.blocking_recv(), Some(QueueAnswer::Appended(Ok(_)))));
    queue
}

fn commit(first: u64, last: u64) -> Commit {
    let mut readings = Readings::new();
    for seq in first..=last {
        let time = Wall::from_us(EPOCH_US + i64::try_from(seq).unwrap());
        readings.push(time, "lane-1", "road", &[("speed_kmh", Value::Number(80.0))]).unwrap();
    }
    let agent = AgentId { region: Name::new("north").unwrap(), agent: Name::new("lane-1").unwrap() };
    let (readings, fresh) = (Arc::new(readings), vec![Range::new(first, last)]);
    let points = Points { agent: agent.clone(), stream: STREAM, clock: 0, time: None, first, readings, fresh };
    let progress = Progress { through: last, ranges: Vec::new() };
    let progress = vec![StreamProgress { agent, stream: STREAM, progress, new_gaps: Vec::new() }];
    Commit { run: 1, id: last, points: vec![points], progress, ..Commit::default() }
}

/// Audits, and moves on as soon as all points of the database were read.
fn audit_while_it_moves(queues: impl FnOnce(&Path) -> Vec<PathBuf>) -> Option<[u64; 3]> {
    let server = Influxd::start()?;
    let folder = tempfile::tempdir().unwrap();
    let mut moving = Moving::new(&server, folder.path());
    let (url, bucket) = (server.api().url(), "fogline".to_owned());
    let database = Database::Influx(InfluxServer { url, bucket, token: String::new(), dialect: None });
    let sources = Sources { ingesters: vec![folder.path().join("state.db")], queues: queues(folder.path()), database };
    let mut moved = false;
    let account = audit(&sources, &mut |points| {
        assert_eq!(points, BEFORE, "the last page was read");
        // The store waits for its requests, which it may not do where the audit does.
        std::thread::scope(|scope| scope.spawn(|| moving.store(BEFORE + 1, MEANWHILE)).join()).unwrap();
        moved = true;
    });
    let account = account.unwrap();
    assert!(moved && account.passed, "{account}");
    Some([account.total.stored, account.total.queued, account.total.lost])
}

#[test]
fn what_leaves_its_queue_meanwhile_was_in_the_queue() {
    let Some(found) = audit_while_it_moves(|folder| vec![folder.to_owned()]) else { return };
    assert_eq!(found, [BEFORE, ACCEPTED - BEFORE, 0]);
}

#[test]
fn what_the_ingester_claims_meanwhile_was_not_claimed() {
    let Some(found) = audit_while_it_moves(|_| Vec::new()) else { return };
    assert_eq!(found, [BEFORE, 0, 0]);
}
