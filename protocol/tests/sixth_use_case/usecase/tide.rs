//! `tide`: gauges in a harbour measure the water; the harbour's agents are told when it is high.

use super::{Averages, Field, LimitRule, Steering, UseCase, Verdict};
use crate::reading::{Readings, Value};
use crate::rng::Rng;
use crate::time::Wall;
use serde_json::json;

/// Water level and temperature, and whether the water is high.
#[derive(Debug, Clone, Copy)]
pub struct Tide;

/// What a gauge in the North Sea can show, above the zero of its staff: the lowest ebb and the highest storm tide are within. What
/// is outside comes from a broken gauge: it is stored with a mark, and neither averaged nor decided upon.
const FIELDS: [Field; 2] = [
    Field { name: "level_m", unit: "m", min: 0.0, max: 12.0, averaged: true },
    Field { name: "temperature_c", unit: "°C", min: -2.0, max: 35.0, averaged: true },
];

/// The water is high from here on, in metres ...
const HIGH_M: f64 = 6.5;
/// ... and until it is so much lower again: waves must not make a warning flicker.
const CALM_M: f64 = 0.2;
/// How long a warning holds without a newer one, in milliseconds. Windows close every 5 seconds: many may get lost.
const TTL_MS: u64 = 60_000;
/// From one high water to the next: 12 hours and 25 minutes.
const PERIOD_US: i64 = (12 * 60 + 25) * 60 * 1_000_000;

impl UseCase for Tide {
    fn kind(&self) -> &'static str {
        "tide"
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn steering(&self) -> Option<Steering> {
        Some(Steering { field: "level_m", key: "notice/tide" })
    }

    fn decide(&self, averages: &Averages, previous: Option<&serde_json::Value>, _rule: &LimitRule) -> Option<Verdict> {
        let mean_m = averages.region.mean()?;
        let was_high = previous.and_then(|body| body.get("high")?.as_bool()).unwrap_or(false);
        let high = mean_m >= if was_high { HIGH_M - CALM_M } else { HIGH_M };
        let body = json!({ "high": high, "level_m": round(mean_m), "window_us": averages.window.us() });
        Some(Verdict { ttl_ms: TTL_MS, body })
    }

    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings) {
        #[allow(clippy::cast_precision_loss, reason = "the share of a tide needs few digits")]
        let turn = ts.us().rem_euclid(PERIOD_US) as f64 / PERIOD_US as f64 * std::f64::consts::TAU;
        let fields = [
            ("level_m", Value::Number(round(turn.sin().mul_add(1.8, 5.0) + rng.between(-0.1, 0.1)))),
            ("temperature_c", Value::Number(round(rng.between(8.0, 9.0)))),
        ];
        // The name was checked when the simulation was set up, and the values are in range.
        into.push(ts, sensor, self.kind(), &fields).ok();
    }
}

/// To a centimetre: no gauge is better.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Aggregate;

    fn high(level_m: f64, before: Option<bool>) -> bool {
        let mut region = Aggregate::default();
        region.add(level_m);
        let averages = Averages { window: Wall::from_us(5_000_000), region, agent: None };
        let before = before.map(|high| json!({ "high": high }));
        let verdict = Tide.decide(&averages, before.as_ref(), &LimitRule::default()).unwrap();
        verdict.body["high"].as_bool().unwrap()
    }

    #[test]
    fn high_water_is_said_and_does_not_flicker() {
        assert_eq!([6.49, 6.5].map(|level| high(level, None)), [false, true]);
        assert_eq!([6.29, 6.31].map(|level| high(level, Some(true))), [false, true]);
        assert_eq!([6.31, 6.49].map(|level| high(level, Some(false))), [false, false]);
    }
}
