//! `city`: particulate matter. Nodes of a city upload averages over windows: their own, and the coordinator's of all.

use super::{Field, UseCase};
use crate::reading::{Readings, Value};
use crate::rng::Rng;
use crate::time::Wall;

/// Averages of particulate matter (PM-10). A reading is the average of a window: its time is the window's end, its sensor
/// the node whose average it is, or [`GLOBAL`].
#[derive(Debug, Clone, Copy)]
pub struct City;

/// The sensor of averages over all nodes.
pub const GLOBAL: &str = "global";

const FIELDS: [Field; 3] = [
    Field { name: "pm10_ugm3", unit: "µg/m³", min: 0.0, max: 2000.0, averaged: true },
    Field { name: "n", unit: "1", min: 1.0, max: 9_007_199_254_740_991.0, averaged: false },
    Field { name: "from_us", unit: "µs", min: 0.0, max: 9_007_199_254_740_991.0, averaged: false },
];

impl UseCase for City {
    fn kind(&self) -> &'static str {
        "city"
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings) {
        let pm10 = (rng.between(5.0, 60.0) * 10.0).round() / 10.0;
        // The name was checked when the simulation was set up, and the value is in range.
        into.push(ts, sensor, self.kind(), &[("pm10_ugm3", Value::Number(pm10))]).ok();
    }
}
