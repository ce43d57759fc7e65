//! `road`: sensors read the speed of passing cars; the cloud answers with a speed limit.

use super::{Averages, Field, Steering, UseCase, Verdict};
use crate::reading::{Readings, Value};
use crate::rng::Rng;
use crate::time::Wall;
use serde_json::json;

/// Speeds of cars, and the limit drawn from their average.
#[derive(Debug, Clone, Copy)]
pub struct Road;

/// How a speed limit follows from an average.
///
/// The limit is the multiple of `step_kmh` nearest to the region's average, at least `min_kmh` and at most `max_kmh`. So that
/// it does not flicker, the limit before stays until the average is more than half a step and `hysteresis_kmh` away
/// from it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitRule {
    /// The lowest limit, in km/h. A multiple of the step. Default 60.
    pub min_kmh: f64,
    /// The highest limit, in km/h. A multiple of the step. Default 130.
    pub max_kmh: f64,
    /// The distance of two limits, in km/h. Default 10.
    pub step_kmh: f64,
    /// How far over the middle between two limits the average must be for a change, in km/h. Default 2.
    pub hysteresis_kmh: f64,
    /// How long a limit is in force without a newer one, in milliseconds. Default 60,000.
    pub ttl_ms: u64,
}

impl Default for LimitRule {
    fn default() -> Self {
        Self { min_kmh: 60.0, max_kmh: 130.0, step_kmh: 10.0, hysteresis_kmh: 2.0, ttl_ms: 60_000 }
    }
}

impl LimitRule {
    /// The limit that follows from an average.
    #[must_use]
    pub fn limit(&self, mean_kmh: f64, previous_kmh: Option<f64>) -> f64 {
        let keeps = |limit: &f64| (mean_kmh - limit).abs() <= self.step_kmh / 2.0 + self.hysteresis_kmh;
        let nearest = (mean_kmh / self.step_kmh).round() * self.step_kmh;
        previous_kmh.filter(keeps).unwrap_or(nearest).clamp(self.min_kmh, self.max_kmh)
    }
}

const FIELDS: [Field; 1] = [Field { name: "speed_kmh", unit: "km/h", min: 0.0, max: 400.0, averaged: true }];

impl UseCase for Road {
    fn kind(&self) -> &'static str {
        "road"
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn steering(&self) -> Option<Steering> {
        Some(Steering { field: "speed_kmh", key: "limit" })
    }

    fn decide(&self, averages: &Averages, previous: Option<&serde_json::Value>, rule: &LimitRule) -> Option<Verdict> {
        let mean_kmh = averages.region.mean()?;
        let previous_kmh = previous.and_then(|body| body.get("limit_kmh")).and_then(serde_json::Value::as_f64);
        let mut body = json!({
            "limit_kmh": rule.limit(mean_kmh, previous_kmh),
            "mean_kmh": round(mean_kmh),
            "n": averages.region.n,
            "window_us": averages.window.us(),
        });
        if let (Some(own), Some(object)) = (averages.agent, body.as_object_mut()) {
            object.insert("agent_n".to_owned(), own.n.into());
            object.insert("agent_mean_kmh".to_owned(), own.mean().map(round).into());
        }
        Some(Verdict { ttl_ms: rule.ttl_ms, body })
    }

    fn overridden(&self, body: &serde_json::Value, rule: &LimitRule) -> Result<serde_json::Value, String> {
        let limit_kmh = body.get("limit_kmh").and_then(serde_json::Value::as_f64);
        match limit_kmh {
            Some(kmh) if (rule.min_kmh..=rule.max_kmh).contains(&kmh) => Ok(json!({ "limit_kmh": kmh })),
            _ => Err(format!(
                "limit_kmh is not a number from {} to {}, between which limits are here: see --limit-min and --limit-max of the \
                 ingester",
                rule.min_kmh, rule.max_kmh
            )),
        }
    }

    fn undecided(&self) -> serde_json::Value {
        json!({ "limit_kmh": null })
    }

    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings) {
        let speed = round(rng.between(70.0, 120.0));
        // The name was checked when the simulation was set up, and the value is in range.
        into.push(ts, sensor, self.kind(), &[("speed_kmh", Value::Number(speed))]).ok();
    }
}

/// To a tenth, as a sign would show it.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::window::Aggregate;
    use proptest::prelude::*;

    #[test]
    fn the_limit_follows_the_average_in_steps() {
        let rule = LimitRule::default();
        for (mean, limit) in [(97.2, 100.0), (94.9, 90.0), (30.0, 60.0), (250.0, 130.0), (0.0, 60.0)] {
            assert!((rule.limit(mean, None) - limit).abs() < 1e-9, "{mean}");
        }
    }

    #[test]
    fn the_limit_does_not_flicker() {
        let rule = LimitRule::default();
        for (mean, previous, limit) in
            [(94.0, 100.0, 100.0), (93.0, 100.0, 100.0), (92.9, 100.0, 90.0), (96.0, 90.0, 90.0), (97.1, 90.0, 100.0)]
        {
            assert!((rule.limit(mean, Some(previous)) - limit).abs() < 1e-9, "{mean} after {previous}");
        }
    }

    proptest! {
        #[test]
        fn the_limit_is_always_a_step_within_bounds(mean in 0.0_f64..400.0, previous in prop::option::of(6_u8..=13)) {
            let limit = LimitRule::default().limit(mean, previous.map(|p| f64::from(p) * 10.0));
            prop_assert!((60.0..=130.0).contains(&limit));
            prop_assert!((limit / 10.0).fract().abs() < 1e-9);
        }
    }

    #[test]
    fn a_verdict_names_what_it_rests_on() {
        let mut region = Aggregate::default();
        region.add(96.0);
        region.add(98.0);
        let averages = Averages { window: Wall::from_us(5_000_000), region, agent: Some(region) };
        let verdict = Road.decide(&averages, None, &LimitRule::default()).unwrap();
        insta::assert_json_snapshot!(verdict.body, @r#"
        {
          "agent_mean_kmh": 97.0,
          "agent_n": 2,
          "limit_kmh": 100.0,
          "mean_kmh": 97.0,
          "n": 2,
          "window_us": 5000000
        }
        "#);
    }
}
