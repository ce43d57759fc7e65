//! What the tests of the stores have in common.

use super::file::Synchronous;
use super::names::Names;
use super::{Sharing, SqliteStore, StateDb, layout};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId, Term};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, DecisionRecord, Fate, Fold, Points, Progress, StreamProgress, TakeOver};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, Scope};
use fogline_protocol::wire::Decision;
use rusqlite::Connection;
use std::sync::Arc;

/// The time of the readings made here: 2023-11-14.
pub(crate) const EPOCH_US: i64 = 1_700_000_000_000_000;

pub(crate) fn agent(region: &str, agent: &str) -> AgentId {
    AgentId { region: Name::new(region).unwrap(), agent: Name::new(agent).unwrap() }
}

/// The state in this folder, with which nobody else may work.
pub(crate) fn state(dir: &tempfile::TempDir) -> StateDb {
    StateDb::open(&dir.path().join("fogline.db"), Synchronous::Normal, Sharing::Alone).unwrap()
}

/// The same for one of several ingesters.
pub(crate) fn shared(dir: &tempfile::TempDir) -> StateDb {
    StateDb::open(&dir.path().join("fogline.db"), Synchronous::Normal, Sharing::OneFile).unwrap()
}

/// Run 1 leads in it.
pub(crate) fn sqlite(dir: &tempfile::TempDir) -> SqliteStore {
    let mut state = state(dir);
    state.take_over(take(1)).unwrap();
    SqliteStore::new(state)
}

pub(crate) const fn take(run: u64) -> TakeOver {
    TakeOver { run, above: 0, since: Wall::from_us(EPOCH_US) }
}

/// A database that nothing remains of.
pub(super) fn memory() -> (Connection, Names) {
    let mut connection = Connection::open_in_memory().unwrap();
    layout::make(&mut connection).unwrap();
    (connection, Names::default())
}

/// `count` readings from `first` on, a millisecond apart, of speeds 90 + seq.
pub(crate) fn points(agent: &AgentId, stream: u64, first: u64, count: u64) -> Points {
    let mut readings = Readings::new();
    for seq in first..first + count {
        let ts = Wall::from_us(EPOCH_US + i64::try_from(seq).unwrap() * 1000);
        let speed = 90.0 + f64::from(u32::try_from(seq).unwrap());
        readings.push(ts, "lane-1", "road", &[("speed_kmh", Value::Number(speed))]).unwrap();
    }
    let fresh = vec![Range::new(first, first + count - 1)];
    Points {
        agent: agent.clone(),
        stream: StreamId::from_bits(stream),
        clock: 7,
        time: None,
        first,
        readings: Arc::new(readings),
        fresh,
    }
}

/// The values as a fold of agent r1 into the 5-second window at `start_us`.
pub(crate) fn fold(start_us: i64, values: &[f64]) -> Fold {
    let mut aggregate = Aggregate::default();
    values.iter().for_each(|value| aggregate.add(*value));
    Fold {
        scope: Scope::Agent(agent("north", "r1")),
        kind: "road",
        field: "speed_kmh",
        width_s: 5,
        start: Wall::from_us(start_us),
        aggregate,
    }
}

pub(crate) fn decision(to: &str, seq: u64) -> DecisionRecord {
    DecisionRecord {
        agent: agent("north", to),
        decision: Decision {
            key: "limit".into(),
            term: Term { counter: 3, ingester: Name::new("cloud-1").unwrap() },
            seq,
            decided_us: EPOCH_US,
            ttl_ms: 60_000,
            body: serde_json::json!({"limit_kmh": 90, "mean_kmh": 97.25}),
        },
        decided: Wall::from_us(EPOCH_US),
        fate: Fate::Outstanding,
        reason: None,
    }
}

/// A commit of stream 7 of agent r1 that goes on from three readings before `through`.
pub(crate) fn commit(run: u64, id: u64, through: u64) -> Commit {
    let id_of_agent = agent("north", "r1");
    Commit {
        run,
        id,
        term: 3,
        points: vec![points(&id_of_agent, 7, through - 2, 3)],
        progress: vec![StreamProgress {
            agent: id_of_agent,
            stream: StreamId::from_bits(7),
            progress: Progress { through, ranges: vec![] },
            new_gaps: vec![],
        }],
        folds: vec![fold(EPOCH_US, &[91.0, 92.0])],
        ..Commit::default()
    }
}

/// The rows of a table.
pub(crate) fn count(dir: &tempfile::TempDir, table: &str) -> i64 {
    let db = Connection::open(dir.path().join("fogline.db")).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// These readings of the commit's first batch become dead letters.
pub(crate) fn bury(state: &mut StateDb, commit: &Commit, seqs: &[u64]) {
    let letter = |seq: &u64| super::dead::DeadLetter {
        points: 0,
        seq: *seq,
        reason: super::dead::Reason::Refused,
        detail: "a field has another type".into(),
    };
    let letters: Vec<_> = seqs.iter().map(letter).collect();
    super::dead::save(&state.connection, &mut state.names, commit, &letters, EPOCH_US).unwrap();
}
