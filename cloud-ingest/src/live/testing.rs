//! What the tests of what goes on have in common.

use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, Points};
use fogline_protocol::time::Wall;
use std::sync::Arc;

/// The time of the readings made here: 2023-11-14.
pub(super) const EPOCH_US: i64 = 1_700_000_000_000_000;

pub(super) fn agent(name: &str) -> AgentId {
    AgentId { region: Name::new("north").unwrap(), agent: Name::new(name).unwrap() }
}

/// Readings of one agent: sensor, time in milliseconds after the epoch, and speed.
pub(super) fn points(name: &str, readings: &[(&str, i64, f64)]) -> Points {
    let mut made = Readings::new();
    for (sensor, ms, speed) in readings {
        let ts = Wall::from_us(EPOCH_US + ms * 1000);
        made.push(ts, sensor, "road", &[("speed_kmh", Value::Number(*speed))]).unwrap();
    }
    let fresh = vec![Range::new(1, u64::try_from(readings.len()).unwrap())];
    let (agent, stream, readings) = (agent(name), StreamId::from_bits(7), Arc::new(made));
    Points { agent, stream, clock: 0, time: None, first: 1, readings, fresh }
}

/// So many readings of the same moment.
pub(super) fn commit(count: usize) -> Commit {
    Commit { points: vec![points("r1", &vec![("lane-1", 0, 90.0); count])], ..Commit::default() }
}
