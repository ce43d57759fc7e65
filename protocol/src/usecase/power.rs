//! `power`: meters of households, averaged over 5 seconds on the edge. Each is told its postal code, and counts for the average
//! of its federal state.

mod places;

pub use places::{Places, PlacesError, STATES, state_name};

use super::{Field, Notices, UseCase};
use crate::ids::{AgentId, Name};
use crate::reading::{Readings, Value};
use crate::rng::Rng;
use crate::time::Wall;
use serde_json::json;

/// What a kilowatt-hour costs unless the operator says otherwise, in euros.
pub const PRICE_EUR_PER_KWH: f64 = 0.30;
/// Hours of a year: 365.25 days.
const HOURS_PER_YEAR: f64 = 8766.0;

/// What a mean power comes to in a year, in kilowatt-hours.
#[must_use]
pub fn annual_kwh(mean_w: f64) -> f64 {
    mean_w * HOURS_PER_YEAR / 1000.0
}

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

    fn notices(&self) -> Option<Notices> {
        Some(Notices { key: "notice/postcode", member: "households" })
    }

    fn notice(&self, places: &Places, agent: &AgentId, sensor: &str) -> serde_json::Value {
        let postcode = places.postcode(agent, sensor);
        let state = places.state(&postcode);
        json!({ "postcode": postcode, "state": state })
    }

    fn has_groups(&self) -> bool {
        true
    }

    fn group(&self, places: &Places, agent: &AgentId, sensor: &str) -> Option<Name> {
        let letters = places.state(&places.postcode(agent, sensor))?.to_ascii_lowercase();
        Name::new(&format!("de-{letters}")).ok()
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
