//! What is said of commits.

use super::super::testing::{EPOCH_US, agent, points};
use super::*;
use crate::store::{Sharing, SqliteStore, StateDb, Store as _};
use fogline_protocol::ids::{Name, Term};
use fogline_protocol::store::{Fate, Fold, TakeOver};
use fogline_protocol::window::Aggregate;
use fogline_protocol::wire::{Decision, Outcome, Status};
use serde_json::{Value, json};

const NOW: Wall = Wall::from_us(EPOCH_US + 1_000_000);

fn of(commits: &[Commit]) -> Gather {
    let mut gather = Gather::default();
    commits.iter().for_each(|commit| gather.take(commit));
    gather
}

fn said(gather: Gather) -> Vec<(&'static str, Value)> {
    let parse = |said: Said| (said.name, serde_json::from_str(&said.data).unwrap());
    gather.say(None, NOW).into_iter().map(parse).collect()
}

fn with_points(batches: &[Points]) -> Commit {
    Commit { points: batches.to_vec(), ..Commit::default() }
}

#[test]
fn the_newest_reading_of_each_sensor_is_said_once() {
    let late = points("r1", &[("lane-1", 3, 93.0), ("lane-1", 5, 95.0), ("lane-2", 4, 94.0)]);
    let early = points("r1", &[("lane-1", 1, 91.0)]);
    let other = points("r2", &[("lane-1", 2, 92.0)]);
    let said = said(of(&[with_points(&[late, other]), with_points(&[early])]));
    let brief: Vec<_> =
        said.iter().map(|(name, data)| (*name, &data["agent"], &data["sensor"], &data["fields"])).collect();
    let speed = |kmh: f64| json!({ "speed_kmh": kmh });
    assert_eq!(
        brief,
        [
            ("reading", &json!("r1"), &json!("lane-1"), &speed(95.0)),
            ("reading", &json!("r1"), &json!("lane-2"), &speed(94.0)),
            ("reading", &json!("r2"), &json!("lane-1"), &speed(92.0)),
        ]
    );
    assert_eq!((&said[0].1["region"], &said[0].1["ts_us"]), (&json!("north"), &json!(EPOCH_US + 5000)));
}

#[test]
fn what_was_stored_before_is_not_said() {
    let mut batch = points("r1", &[("lane-1", 3, 93.0), ("lane-2", 4, 94.0)]);
    batch.fresh = vec![fogline_protocol::delivery::ranges::Range::new(2, 2)];
    let said = said(of(&[with_points(&[batch])]));
    assert_eq!((said.len(), &said[0].1["sensor"]), (1, &json!("lane-2")));
}

#[test]
fn readings_come_with_their_flags() {
    let mut unset = points("r2", &[("lane-1", 0, 90.0)]);
    unset.time = Some(TimeFlag::Unset);
    let odd = points("r1", &[("lane-1", 0, 900.0), ("lane-2", 200_000, 90.0), ("lane-3", 0, 90.0)]);
    let flags: Vec<_> =
        said(of(&[with_points(&[odd, unset])])).into_iter().map(|(_, data)| data["flags"].clone()).collect();
    assert_eq!(flags, [json!(["outlier"]), json!(["future"]), json!([]), json!(["unset"])]);
}

fn decision(fate: Fate) -> DecisionRecord {
    let term = Term { counter: 3, ingester: Name::new("cloud-1").unwrap() };
    let (decided_us, body) = (EPOCH_US, json!({"limit_kmh": 90}));
    let decision = Decision { key: "limit".into(), term, seq: 5, decided_us, ttl_ms: 60_000, body };
    DecisionRecord { agent: agent("r1"), decision, decided: Wall::from_us(EPOCH_US), fate, reason: None }
}

#[test]
fn a_decision_is_said_with_its_newest_fate_and_an_agent_with_its_newest_status() {
    let status = |queued| {
        let (online, connection, ts_us) = (true, (1, 1), 7);
        let status =
            Status { online, connection, ts_us, queued, queued_bytes: 1, oldest_us: None, dropped: 0, damaged: 0 };
        AgentStatus { agent: agent("r1"), status, heard: Wall::from_us(9) }
    };
    let first = Commit { decisions: vec![decision(Fate::Outstanding)], statuses: vec![status(5)], ..Commit::default() };
    let fate = Fate::Acknowledged(Outcome::Applied);
    let second = Commit { decisions: vec![decision(fate)], statuses: vec![status(4)], ..Commit::default() };
    let said = said(of(&[first, second]));
    insta::assert_json_snapshot!(said);
}

#[test]
fn an_average_is_said_as_it_is_in_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fogline.db");
    let mut state = StateDb::open(&path, Default::default(), Sharing::Alone).unwrap();
    state.take_over(TakeOver { run: 1, above: 0, since: Wall::MIN }).unwrap();
    let mut store = SqliteStore::new(state);
    let fold = |scope: Scope, width_s, values: &[f64]| {
        let mut aggregate = Aggregate::default();
        values.iter().for_each(|value| aggregate.add(*value));
        Fold { scope, kind: "road", field: "speed_kmh", width_s, start: Wall::from_us(EPOCH_US), aggregate }
    };
    let mut gather = Gather::default();
    for (id, values) in [(1, [80.0, 90.0]), (2, [100.0, 110.0])] {
        let region = Name::new("north").unwrap();
        let folds = vec![
            fold(Scope::Agent(agent("r1")), 5, &values),
            fold(Scope::Region(region), 5, &values),
            fold(Scope::Agent(agent("r1")), 60, &values),
        ];
        let commit = Commit { run: 1, id, folds, ..Commit::default() };
        store.commit(&commit).unwrap();
        gather = Gather::default();
        gather.take(&commit);
    }
    let said = gather.say(Some(&StoreReader::open(&path).unwrap()), NOW);
    let said: Vec<(&str, Value)> = said.iter().map(|s| (s.name, serde_json::from_str(&s.data).unwrap())).collect();
    insta::assert_json_snapshot!(said);
}

#[test]
fn what_is_too_much_is_counted_as_missed() {
    let many: Vec<Points> = (0..OF_A_SORT_MAX + 3).map(|n| points(&format!("r{n}"), &[("lane-1", 0, 90.0)])).collect();
    let said = said(of(&[with_points(&many)]));
    assert_eq!(said.len(), OF_A_SORT_MAX + 1);
    assert_eq!(said.last(), Some(&("lagged", json!({"missed": 3}))));
}
