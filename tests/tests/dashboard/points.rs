//! Two minutes of data of three lanes of a motorway and two households, written by the ingester's own store.

use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId, Term};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{AgentStatus, Commit, DecisionRecord, Fate, Fold, Points};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, DECISION_WIDTH_S, Scope};
use fogline_protocol::wire::{Decision, Outcome, Status};
use std::sync::Arc;

/// When they begin, in seconds since 1970.
pub(crate) const START_S: i64 = 1_767_225_600;
/// How long they last, in seconds.
pub(crate) const LENGTH_S: i64 = 120;
/// Readings that wait on each agent, in each of its statuses.
pub(crate) const QUEUED: u32 = 12;
/// How long the oldest of them waits, in seconds.
pub(crate) const LAG_S: f64 = 2.5;
/// The lanes with their constant speeds, in km/h.
const LANES: [(&str, f64); 3] = [("lane-1", 80.0), ("lane-2", 100.0), ("lane-3", 120.0)];
/// The households with their constant power, in W.
const HOUSES: [(&str, f64); 2] = [("house-1", 300.0), ("house-2", 500.0)];

/// Everything at once, as an ingester would write it after an outage.
pub(crate) fn commit() -> Commit {
    let lanes = LANES.map(|(lane, speed)| lane_readings(lane, speed));
    let houses = HOUSES.map(|(house, power)| house_readings(house, power));
    Commit {
        run: 1,
        id: 1,
        points: lanes.into_iter().chain(houses).collect(),
        folds: every(5).flat_map(folds).collect(),
        statuses: every(10).flat_map(statuses).collect(),
        decisions: every(30).flat_map(limits).collect(),
        ..Commit::default()
    }
}

fn every(seconds: usize) -> impl Iterator<Item = i64> {
    (0..LENGTH_S).step_by(seconds)
}

fn at(second: i64) -> Wall {
    Wall::from_us((START_S + second) * 1_000_000)
}

fn agent(region: &str, agent: &str) -> AgentId {
    AgentId { region: Name::new(region).unwrap(), agent: Name::new(agent).unwrap() }
}

fn lane(lane: &str) -> AgentId {
    agent("a7", lane)
}

fn house(house: &str) -> AgentId {
    agent("elm-street", house)
}

fn points(agent: AgentId, kind: &str, fields: &[(&str, Value<'_>)]) -> Points {
    let mut readings = Readings::new();
    for second in every(1) {
        readings.push(at(second), "sensor-1", kind, fields).unwrap();
    }
    let fresh = vec![Range::new(1, LENGTH_S.unsigned_abs())];
    Points {
        agent,
        stream: StreamId::from_bits(0xA1),
        clock: 0,
        time: None,
        first: 1,
        readings: Arc::new(readings),
        fresh,
    }
}

fn lane_readings(name: &str, speed: f64) -> Points {
    points(lane(name), "road", &[("speed_kmh", Value::Number(speed))])
}

fn house_readings(name: &str, power: f64) -> Points {
    let power = Value::Number(power);
    points(house(name), "power", &[("power_w", power), ("power1_w", power), ("energy_kwh", Value::Number(1000.5))])
}

/// Of each agent, and of the region of the lanes: its windows have readings enough that two in a row have an average of 100
/// only when they are weighted.
fn folds(second: i64) -> Vec<Fold> {
    let fold = |scope, kind, field, n, value| {
        let mut aggregate = Aggregate::default();
        (0..n).for_each(|_| aggregate.add(value));
        Fold { scope, kind, field, width_s: DECISION_WIDTH_S, start: at(second), aggregate }
    };
    let (n, mean) = if second % 10 == 0 { (10, 90.0) } else { (20, 105.0) };
    let region = fold(Scope::Region(lane("x").region), "road", "speed_kmh", n, mean);
    let lanes = LANES.map(|(name, speed)| fold(Scope::Agent(lane(name)), "road", "speed_kmh", 5, speed));
    let houses = HOUSES.map(|(name, power)| fold(Scope::Agent(house(name)), "power", "power_w", 5, power));
    [region].into_iter().chain(lanes).chain(houses).collect()
}

/// Offline after a minute, for ten seconds; by then a reading was dropped.
fn statuses(second: i64) -> Vec<AgentStatus> {
    let heard = at(second);
    let lag_us = Wall::from_us(heard.us() - 2_500_000);
    let status = Status {
        online: second != 60,
        connection: (1, 1),
        ts_us: heard.us(),
        queued: QUEUED.into(),
        queued_bytes: u64::from(QUEUED) * 105,
        oldest_us: Some(lag_us.us()),
        dropped: u64::from(second >= 60),
        damaged: 0,
    };
    let agents = LANES.map(|(name, _)| lane(name)).into_iter().chain(HOUSES.map(|(name, _)| house(name)));
    agents.map(|agent| AgentStatus { agent, status: status.clone(), heard }).collect()
}

fn limits(second: i64) -> Vec<DecisionRecord> {
    let decision = Decision {
        key: "limit".to_owned(),
        term: Term { counter: 1, ingester: Name::new("ingest-1").unwrap() },
        seq: second.unsigned_abs() + 1,
        decided_us: at(second).us(),
        ttl_ms: 60_000,
        body: serde_json::json!({"limit_kmh": 100.0, "mean_kmh": 99.8, "n": 30}),
    };
    let record = |(name, _)| DecisionRecord {
        agent: lane(name),
        decision: decision.clone(),
        decided: at(second),
        fate: Fate::Acknowledged(Outcome::Applied),
    };
    LANES.map(record).into()
}
