//! The status of agents that run, that stopped, and that never were.

use super::*;
use crate::program::{Running, run};
use crate::settings::{AgentConfig, SourceConfig, Until};
use crate::source::simulate::{Rate, SimulateConfig};
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::node::TupleState;
use fogline_protocol::queue::QueueUsage;
use fogline_protocol::usecase::Road;
use fogline_protocol::wire::State;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;
use tokio::sync::oneshot;

const COUNT: u64 = 3000;

fn config(data_dir: &Path) -> AgentConfig {
    let name = |text| Name::new(text).unwrap();
    let id = AgentId { region: name("north"), agent: name("lane-1") };
    let source = SourceConfig::Simulate(SimulateConfig {
        usecase: &Road,
        sensors: 2,
        sensor: "lane".to_owned(),
        rate: Rate::Fastest,
        seed: 1,
        count: Some(COUNT),
        reading_bytes: None,
        raw: false,
    });
    // The discard port: nobody listens there.
    AgentConfig::new(id, vec!["127.0.0.1:9".parse().unwrap()], data_dir.to_owned(), source)
}

#[tokio::test]
async fn a_running_agent_answers_and_a_stopped_one_is_looked_into() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("agent");
    assert!(ask(&data_dir).is_err());

    let (ready, running) = oneshot::channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move { stopped.await.unwrap() };
    let agent = tokio::spawn(run(config(&data_dir), shutdown, ready));
    let Running { mut snapshots, .. } = running.await.unwrap();
    let queued = snapshots.wait_for(|agent| agent.source.accepted == COUNT);
    tokio::time::timeout(Duration::from_secs(20), queued).await.unwrap().unwrap();

    let asked = data_dir.clone();
    let report = tokio::task::spawn_blocking(move || ask_with(&asked, 1000)).await.unwrap().unwrap();
    let live = report.live.as_ref().unwrap();
    assert_eq!((report.queue.readings, live.agent.as_str(), live.connected), (COUNT, "north/lane-1", false));
    assert_eq!((live.source.state, live.source.offered), (SourceState::Ended, COUNT));
    let tuples = &live.tuples;
    assert_eq!((tuples.new, tuples.sent, tuples.acknowledged, tuples.newest.len()), (COUNT, 0, 0, 100));
    assert!(tuples.newest.iter().all(|tuple| tuple.state == TupleState::New && tuple.sensor.starts_with("lane-")));
    assert_eq!(
        tuples.newest.iter().map(|tuple| tuple.seq).collect::<Vec<_>>(),
        (COUNT - 99..=COUNT).rev().collect::<Vec<_>>()
    );
    let mode = std::fs::metadata(socket_path(&data_dir)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(report.to_string().contains("3000 readings"), "{report}");

    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(10), agent).await.unwrap().unwrap().unwrap();
    assert!(!socket_path(&data_dir).exists());
    let report = ask(&data_dir).unwrap();
    assert_eq!((report.running, report.queue.readings, report.live.is_none()), (false, COUNT, true));
    assert!(report.to_string().starts_with("agent         stopped"), "{report}");
}

#[tokio::test]
async fn an_agent_stops_when_all_is_queued() {
    let folder = tempfile::tempdir().unwrap();
    let config = AgentConfig { until: Until::Queued, ..config(folder.path()) };
    let (ready, _running) = oneshot::channel();
    let ended = tokio::time::timeout(Duration::from_secs(20), run(config, std::future::pending(), ready)).await;
    ended.unwrap().unwrap();
    assert_eq!(ask(folder.path()).unwrap().queue.readings, COUNT);
}

#[test]
fn a_report_survives_json() {
    let (oldest, damaged_at) = (Some(Wall::from_us(5)), Some(Wall::from_us(7)));
    let usage = QueueUsage { readings: 3, bytes: 300, oldest, dropped: 1, damaged: 2, damaged_at };
    let report = StatusReport {
        v: 1,
        running: false,
        queue: QueueReport::new(usage, Some(4096)),
        acknowledged: 7,
        streams: 1,
        gaps: (0..9).map(|n| fogline_protocol::delivery::ranges::Range::new(n * 10 + 1, n * 10 + 2)).collect(),
        limit: Some(crate::limit::Limit::by_default(130.0)),
        households: HouseholdsReport::default(),
        in_force: Vec::new(),
        live: None,
    };
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<StatusReport>(&text).unwrap(), report);
    assert!(report.to_string().contains("1-2, 11-12, 21-22, 31-32, 41-42 and 4 more"), "{report}");
}

/// What an agent of before brokers were named says of itself.
const BEFORE: &str = r#"{"v":1,"running":true,"queue":{"readings":0,"bytes":0,"oldest_us":null,"dropped":0,"file_bytes":null},
    "acknowledged":7,"streams":0,"gaps":[],"in_force":[],"live":{"agent":"north/lane-1","version":"0.1.0","pid":7,"connected":true,
    "ingester":"ok","unsent":0,"in_flight":0,"in_flight_bytes":0,"credit_bytes":1,"acknowledged":7,"resent":0,"moved_times":0,
    "refused_messages":0,"fault":null,"source":{"state":"none","offered":0,"accepted":0,"skipped":0},
    "latency":{"count":0,"p50_us":0,"p99_us":0,"p999_us":0,"max_us":0,"counts":[]}}}"#;

#[test]
fn the_broker_in_use_is_shown_and_may_be_missing() {
    let mut report: StatusReport = serde_json::from_str(BEFORE).unwrap();
    let text = report.to_string();
    assert!(text.contains("connection    connected\ningester      no word from one yet\n"), "{text}");
    let live = report.live.as_mut().unwrap();
    live.broker = Some(BrokerReport { address: "b:1883".to_owned(), place: 2, of: 3 });
    live.moves = 4;
    let text = report.to_string();
    assert!(text.contains("connection    connected to b:1883, 2 of 3\n"), "{text}");
    assert!(text.contains("moves         4 to another broker"), "{text}");
    let json = serde_json::to_string(&report).unwrap();
    assert!(json.contains(r#""broker":{"address":"b:1883","place":2,"of":3},"moves":4"#), "{json}");
    assert_eq!(serde_json::from_str::<StatusReport>(&json).unwrap(), report);
}

#[test]
fn the_heartbeat_of_the_ingester_is_shown() {
    let mut report: StatusReport = serde_json::from_str(BEFORE).unwrap();
    for (heard_ms_ago, state, shown) in [
        (Some(3_200), Some(State::Ok), "ok, heard 3.2 s ago"),
        (Some(3_200), Some(State::StoreDown), "its store is down, heard 3.2 s ago"),
        (Some(21_000), Some(State::Busy), "busy, heard 21.0 s ago"),
        (Some(25_000), Some(State::Ok), "silent for 25.0 s"),
        (Some(3_200), None, "no word on this connection, heard 3.2 s ago"),
    ] {
        let live = report.live.as_mut().unwrap();
        (live.heard_ms_ago, live.ingester) = (heard_ms_ago, state);
        assert!(report.to_string().contains(&format!("ingester      {shown}\n")), "{report}");
    }
}

#[test]
fn the_limit_that_holds_is_shown() {
    let mut report: StatusReport = serde_json::from_str(BEFORE).unwrap();
    assert!(!report.to_string().contains("limit"), "an agent of before said none: {report}");
    report.limit = Some(Limit::by_default(130.0));
    assert!(report.to_string().contains("limit         130 km/h (default)\n"), "{report}");
    report.limit = Some(Limit { limit_kmh: 80.0, default: false, until_us: Some(1_577_145_601_420_000) });
    assert!(report.to_string().contains("limit         80 km/h (until 2019-12-24T00:00:01Z)\n"), "{report}");
}

#[test]
fn answers_are_shown_by_their_key() {
    let mut report: StatusReport = serde_json::from_str(BEFORE).unwrap();
    let body = serde_json::json!({ "occupied": 7 });
    let answer = super::report::AnswerReport { what: "occupancy".to_owned(), body, received_us: 1_577_145_601_420_000 };
    report.live.as_mut().unwrap().answers = vec![answer];
    assert!(report.to_string().contains("answer        occupancy {\"occupied\":7} ("), "{report}");
}
