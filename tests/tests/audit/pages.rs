//! More points than a page has, and many at the same time, in a real InfluxDB.

use fogline::audit::{Database, InfluxServer, Sources, audit};
use fogline_ingest::store::{InfluxConfig, InfluxStore, Sharing, StateDb, Store, Synchronous};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, Points, Progress, StreamProgress, TakeOver};
use fogline_protocol::time::Wall;
use fogline_tests::real::Influxd;
use std::sync::Arc;
use tempfile::TempDir;

/// Two pages and a half.
const READINGS: u64 = 25_000;
const EPOCH_US: i64 = 1_700_000_000_000_000;
const STREAM: StreamId = StreamId::from_bits(0xA1);

/// Readings of so many sensors at each time.
fn commit(agent: &str, sensors: u64) -> Commit {
    let mut readings = Readings::new();
    for at in 0..READINGS {
        let time = Wall::from_us(EPOCH_US + i64::try_from(at / sensors).unwrap());
        let sensor = format!("lane-{}", at % sensors);
        readings.push(time, &sensor, "road", &[("speed_kmh", Value::Number(80.0))]).unwrap();
    }
    let agent = AgentId { region: Name::new("north").unwrap(), agent: Name::new(agent).unwrap() };
    let all = vec![Range::new(1, READINGS)];
    let points = Points {
        agent: agent.clone(),
        stream: STREAM,
        clock: 0,
        time: None,
        first: 1,
        readings: Arc::new(readings),
        fresh: all,
    };
    let progress = Progress { through: READINGS, ranges: Vec::new() };
    let progress = vec![StreamProgress { agent, stream: STREAM, progress, new_gaps: Vec::new() }];
    Commit { run: 1, id: sensors, points: vec![points], progress, ..Commit::default() }
}

/// What these commits leave behind. Nothing of a site runs.
fn sources(server: &Influxd, commits: &[Commit]) -> (TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let mut state = StateDb::open(&file, Synchronous::Normal, Sharing::Alone).unwrap();
    state.take_over(TakeOver { run: 1, above: 0, since: Wall::MIN }).unwrap();
    let config = InfluxConfig { url: server.translator().url(), ..InfluxConfig::default() };
    let mut store = InfluxStore::new(state, &config).unwrap();
    for commit in commits {
        assert_eq!(store.commit(commit).unwrap().stored, READINGS);
    }
    let (url, bucket) = (server.api().url(), "fogline".to_owned());
    let server = InfluxServer { url, bucket, token: String::new(), dialect: None };
    (folder, Sources { ingesters: vec![file], queues: Vec::new(), database: Database::Influx(server) })
}

#[test]
fn points_at_one_time_are_counted_once_wherever_a_page_ends() {
    let Some(server) = Influxd::start() else { return };
    // One and three sensors: pages end between times, and within one. 12,000: a page is full before the time is over.
    let commits = [commit("lane-1", 1), commit("lane-3", 3), commit("hall-1", 12_000)];
    let (_folder, sources) = sources(&server, &commits);
    let account = audit(&sources, &mut |_| ()).unwrap();
    assert!(account.passed && account.agents.len() == commits.len(), "{account}");
    for agent in &account.agents {
        assert_eq!((agent.counts.stored, agent.counts.unknown), (READINGS, 0), "{account}");
    }
}

#[test]
fn an_audit_may_be_made_within_a_runtime() {
    let Some(server) = Influxd::start() else { return };
    let (_folder, sources) = sources(&server, &[commit("lane-1", 1)]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let account = runtime.block_on(async { audit(&sources, &mut |_| ()) }).unwrap();
    assert!(account.passed, "{account}");
}
