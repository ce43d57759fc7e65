//! `power`: meters of households, averaged over 5 seconds on the edge.

use super::{Field, UseCase};
use crate::reading::{Readings, Value};
use crate::rng::Rng;
use crate::time::Wall;

/// Household meters: active power in all and per phase, and the meter's reading.
#[derive(Debug, Clone, Copy)]
pub struct Power;

const fn power(name: &'static str, averaged: bool) -> Field {
    Field { name, unit: "W", min: -100_000.0, max: 100_000.0, averaged }
}

const FIELDS: [Field; 5] = [
    power("power_w", true),
    power("power1_w", false),
    power("power2_w", false),
    power("power3_w", false),
    Field { name: "energy_kwh", unit: "kWh", min: 0.0, max: 1e9, averaged: false },
];

impl UseCase for Power {
    fn kind(&self) -> &'static str {
        "power"
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings) {
        let phases =
            [rng.between(20.0, 400.0).round(), rng.between(0.0, 900.0).round(), rng.between(0.0, 300.0).round()];
        let total: f64 = phases.iter().sum();
        // A meter that has counted 250 W since 2020: plausible, and growing with time.
        #[allow(clippy::cast_precision_loss, reason = "hours since 2020 need few digits")]
        let energy = 0.25 * ((ts.us() - 1_577_836_800_000_000).max(0) as f64 / 3.6e9);
        let [p1, p2, p3] = phases.map(Value::Number);
        let fields = [
            ("power_w", Value::Number(total)),
            ("power1_w", p1),
            ("power2_w", p2),
            ("power3_w", p3),
            ("energy_kwh", Value::Number((energy * 1e4).round() / 1e4)),
        ];
        // The name was checked when the simulation was set up, and the values are in range.
        into.push(ts, sensor, self.kind(), &fields).ok();
    }
}
