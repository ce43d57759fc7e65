//! Commits, and stores to give them to.

use fogline_ingest::store::{InfluxConfig, InfluxStore, Sharing, StateDb, Store, Synchronous};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, Fold, Points, Progress, StreamProgress, TakeOver};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, Scope};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// 2023-11-14, the start of a 5-second window.
pub(crate) const EPOCH_US: i64 = 1_700_000_000_000_000;
pub(crate) const STREAM: StreamId = StreamId::from_bits(0xfeed);

pub(crate) fn agent() -> AgentId {
    AgentId { region: Name::new("north").unwrap(), agent: Name::new("r1").unwrap() }
}

/// A store with its state in a folder of its own.
pub(crate) struct Site {
    pub(crate) store: InfluxStore,
    dir: TempDir,
}

impl Site {
    pub(crate) fn new(url: &str) -> Self {
        Self::with(url, |_| ())
    }

    pub(crate) fn with(url: &str, change: impl FnOnce(&mut InfluxConfig)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut config = InfluxConfig { url: url.to_owned(), timeout: Duration::from_secs(20), ..Default::default() };
        change(&mut config);
        let mut state = StateDb::open(&dir.path().join("state.db"), Synchronous::Normal, Sharing::Alone).unwrap();
        state.take_over(TakeOver { run: 1, above: 0, since: Wall::MIN }).unwrap();
        Self { store: InfluxStore::new(state, &config).unwrap(), dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("state.db")
    }

    /// What is written of the one stream.
    pub(crate) fn through(&mut self) -> Option<u64> {
        self.store.recall(&agent(), STREAM).unwrap().map(|progress| progress.through)
    }

    /// The sequence numbers and reasons of the dead letters.
    pub(crate) fn dead(&self) -> Vec<(u64, String)> {
        let db = rusqlite::Connection::open(self.path()).unwrap();
        let mut statement = db.prepare("SELECT seq, reason FROM dead_letter ORDER BY seq").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get(1)?))).unwrap();
        rows.map(|row| row.map(|(seq, reason)| (u64::try_from(seq).unwrap(), reason)).unwrap()).collect()
    }
}

/// `count` readings from `first` on, a millisecond apart; those for whose number `bad` holds carry a flag that servers here
/// take offence at.
pub(crate) fn commit_with(id: u64, first: u64, count: u64, bad: impl Fn(u64) -> bool) -> Commit {
    let mut readings = Readings::new();
    for seq in first..first + count {
        let ts = Wall::from_us(EPOCH_US + i64::try_from(seq).unwrap() * 1000);
        let fields = [("speed_kmh", Value::Number(speed(seq))), ("bad", Value::Flag(true))];
        let fields = if bad(seq) { &fields[..] } else { &fields[..1] };
        readings.push(ts, "lane-1", "road", fields).unwrap();
    }
    let last = first + count - 1;
    let points = Points {
        agent: agent(),
        stream: STREAM,
        clock: 3,
        time: None,
        first,
        readings: Arc::new(readings),
        fresh: vec![Range::new(first, last)],
    };
    let mut aggregate = Aggregate::default();
    (first..=last).for_each(|seq| aggregate.add(speed(seq)));
    Commit {
        run: 1,
        id,
        term: 1,
        points: vec![points],
        progress: vec![StreamProgress {
            agent: agent(),
            stream: STREAM,
            progress: Progress { through: last, ranges: vec![] },
            new_gaps: vec![],
        }],
        folds: vec![Fold {
            scope: Scope::Agent(agent()),
            kind: "road",
            field: "speed_kmh",
            width_s: 5,
            start: Wall::from_us(EPOCH_US),
            aggregate,
        }],
        ..Commit::default()
    }
}

pub(crate) fn commit(id: u64, first: u64, count: u64) -> Commit {
    commit_with(id, first, count, |_| false)
}

/// Exact in binary, so that sums can be compared.
pub(crate) fn speed(seq: u64) -> f64 {
    60.0 + f64::from(u32::try_from(seq % 64).unwrap()) / 4.0
}
