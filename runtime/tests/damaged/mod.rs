//! Queues with some history, to be damaged.

use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{Name, Seq, StreamId, Term};
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, Rows, SavedDecision,
    SegmentHead, SourcePosition,
};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Decision;
use fogline_runtime::outbox::{Outbox, OutboxConfig, Synchronous};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What the clock of these queues shows.
pub(crate) const NOW_US: i64 = 1_700_000_000_000_000;

/// A queue in a folder of its own.
pub(crate) struct Queue {
    folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

/// What was written.
pub(crate) struct Made {
    /// All readings, those that were freed or dropped too.
    pub(crate) ever: BTreeMap<Seq, Vec<u8>>,
    /// What the queue holds.
    pub(crate) rows: BTreeMap<Seq, Vec<u8>>,
    /// Where streams begin.
    pub(crate) origins: BTreeMap<Seq, (StreamId, u16)>,
    pub(crate) gone: Seq,
    pub(crate) next: Seq,
    /// Gaps that were acknowledged above readings that were not.
    pub(crate) told: RangeSet,
}

impl Made {
    pub(crate) fn origin_of(&self, seq: Seq) -> (StreamId, u16) {
        *self.origins.range(..=seq).next_back().unwrap().1
    }
}

impl Queue {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue.db");
        Self { folder, path }
    }

    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}{suffix}", self.path.display()))
    }

    pub(crate) fn config(&self) -> OutboxConfig {
        let policy = FullPolicy::DropOldest;
        let limits = QueueLimits { readings: 600, bytes: 1 << 40, max_age_us: None, policy };
        let mut config = OutboxConfig::new(&self.path, limits);
        config.owner = Some("a7/lane-1".to_owned());
        config.free_within = Duration::ZERO;
        config.synchronous = Synchronous::Normal;
        config.clock = Arc::new(|| Wall::from_us(NOW_US));
        config
    }

    /// The same with room for more.
    pub(crate) fn roomy(&self) -> OutboxConfig {
        let mut config = self.config();
        config.limits.readings = 1 << 40;
        config
    }

    /// Where in the file these bytes are.
    pub(crate) fn find(&self, bytes: &[u8]) -> usize {
        let whole = std::fs::read(&self.path).unwrap();
        whole.windows(bytes.len()).position(|window| window == bytes).unwrap()
    }

    /// The page that these bytes are on.
    pub(crate) fn page_with(&self, bytes: &[u8]) -> PageBytes {
        let page = self.find(bytes) / 2_048;
        PageBytes { first: page * 2_048, last: page * 2_048 + 2_047 }
    }

    /// Everything but the folder is gone.
    pub(crate) fn clear(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap().flatten() {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }

    /// Overwrites bytes of the file, whoever has it open.
    pub(crate) fn overwrite(&self, at: usize, bytes: &[u8]) {
        use std::os::unix::fs::FileExt;
        let file = std::fs::File::options().write(true).open(&self.path).unwrap();
        file.write_all_at(bytes, at as u64).unwrap();
    }

    /// The bytes of the file that hold the only page of this table.
    pub(crate) fn page_of(&self, table: &str) -> PageBytes {
        let conn = rusqlite::Connection::open(&self.path).unwrap();
        let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
        let page: usize = conn.query_row(sql, [table], |row| row.get(0)).unwrap();
        PageBytes { first: (page - 1) * 2_048, last: page * 2_048 - 1 }
    }

    pub(crate) fn append(&self, outbox: &mut Outbox, stream: u64, bodies: &[Vec<u8>]) {
        let mut rows = Rows::default();
        for body in bodies {
            rows.push(Wall::from_us(NOW_US), |json| json.extend_from_slice(body));
        }
        let part = AppendPart {
            segment: Some(SegmentHead { stream: StreamId::from_bits(stream), clock: 3, stamps: Stamps::Given }),
            rows,
        };
        let position = SourcePosition { source: "csv:a".to_owned(), position: bodies.len().to_string() };
        let append = Append { parts: vec![part], positions: vec![position] };
        outbox.handle.send(QueueCommand::Append(Arc::new(append)));
        let answer = outbox.answers.blocking_recv();
        assert!(matches!(answer, Some(QueueAnswer::Appended(Ok(_)))), "{answer:?}");
    }

    /// A closed queue: some openings, each with a stream; the oldest dropped, some acknowledged.
    pub(crate) fn make(&self, seed: u64) -> Made {
        let (outbox, made) = self.fill(seed, 4);
        outbox.handle.close().unwrap();
        made
    }

    /// The same as SIGKILL leaves it: with what the log has.
    pub(crate) fn make_and_crash(&self, seed: u64) -> Made {
        let (outbox, made) = self.fill(seed, 4);
        let (file, log) = (std::fs::read(&self.path).unwrap(), std::fs::read(self.beside("-wal")).unwrap());
        drop(outbox);
        self.clear_when_closed();
        std::fs::write(&self.path, file).unwrap();
        std::fs::write(self.beside("-wal"), log).unwrap();
        made
    }

    /// Waits until nobody has the queue any more.
    fn clear_when_closed(&self) {
        let lock = std::fs::File::open(self.beside(".lock")).unwrap();
        lock.lock().unwrap();
        self.clear();
    }

    fn fill(&self, seed: u64, openings: u64) -> (Outbox, Made) {
        let mut rng = Rng::new(seed);
        let (mut rows, mut origins, mut next) = (BTreeMap::new(), BTreeMap::new(), 1_u64);
        let mut last = None;
        for opening in 1..=openings {
            let mut outbox = Outbox::open(self.config()).unwrap();
            for _ in 0..8 {
                let bodies: Vec<Vec<u8>> = (0..=rng.below(40)).map(|_| row_of(rng.next_u64())).collect();
                origins.insert(next, (StreamId::from_bits(opening), 3));
                for body in &bodies {
                    rows.insert(next, body.clone());
                    next += 1;
                }
                self.append(&mut outbox, opening, &bodies);
            }
            last = Some(outbox);
            if opening < openings {
                last.take().unwrap().handle.close().unwrap();
            }
        }
        let mut outbox = last.unwrap();
        let key = |key: &str| SavedDecision { decision: decision(key), received: Wall::from_us(NOW_US) };
        outbox.handle.send(QueueCommand::SaveDecision(key("limit")));
        assert!(matches!(outbox.answers.blocking_recv(), Some(QueueAnswer::DecisionSaved(Ok(_)))));
        let gone = next.saturating_sub(1 + rng.below(400).max(80)).max(1);
        outbox.handle.send(QueueCommand::Free(Free { through: gone, gaps: vec![Range::new(1, gone)] }));
        assert!(matches!(outbox.answers.blocking_recv(), Some(QueueAnswer::Freed(Ok(_)))));
        let state = fogline_runtime::outbox::inspect(&self.path).unwrap().state;
        let gone = state.oldest.map_or(next - 1, |oldest| oldest - 1).max(gone);
        let ever = rows.clone();
        rows.retain(|seq, _| *seq > gone);
        let made = Made { ever, rows, origins, gone, next, told: RangeSet::new() };
        (outbox, made)
    }
}

/// Where a page is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageBytes {
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// A reading, some of them too long for one page.
pub(crate) fn row_of(drawn: u64) -> Vec<u8> {
    let note = "x".repeat(if drawn.is_multiple_of(40) { 3_000 } else { usize::try_from(drawn % 60).unwrap() + 60 });
    let reading = format!(
        r#"{{"ts_us":{NOW_US},"sensor":"lane-1","kind":"road","fields":{{"speed_kmh":{},"note":"{note}"}}}}"#,
        drawn % 1_000_000
    );
    reading.into_bytes()
}

/// All readings of a queue, as they are loaded for sending.
pub(crate) fn load_all(outbox: &mut Outbox) -> BTreeMap<Seq, Vec<u8>> {
    let mut rows = BTreeMap::new();
    let mut from = 1;
    loop {
        let load = Load { from, until: u64::MAX, max_bytes: 1, max_rows: 1 };
        outbox.handle.send(QueueCommand::Load(load));
        match outbox.answers.blocking_recv() {
            Some(QueueAnswer::Loaded(Ok(Some(run)))) => {
                from = run.first + 1;
                rows.insert(run.first, run.json);
            }
            Some(QueueAnswer::Loaded(Ok(None))) => return rows,
            other => panic!("{other:?}"),
        }
    }
}

fn decision(key: &str) -> Decision {
    let term = Term { counter: 3, ingester: Name::new("site-a").unwrap() };
    let body = serde_json::json!({ "limit_kmh": 90 });
    Decision { key: key.to_owned(), term, seq: 5, decided_us: NOW_US, ttl_ms: 60_000, body }
}
