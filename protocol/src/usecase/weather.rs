//! `weather`: air pressure and temperature, ten times a second.

use super::{Field, UseCase};
use crate::reading::{Readings, Value};
use crate::rng::Rng;
use crate::time::Wall;

/// A weather station.
#[derive(Debug, Clone, Copy)]
pub struct Weather;

/// What air at the ground can have: a little beyond the records of the World Meteorological Organization (870 hPa in a typhoon
/// and 1084.8 hPa in Mongolia, both reduced to sea level; -89.2 and 56.7 degrees Celsius), and as low as the pressure is on the
/// highest mountains. What is outside comes from a broken sensor: it is marked, and kept.
const FIELDS: [Field; 2] = [
    Field { name: "pressure_hpa", unit: "hPa", min: 300.0, max: 1100.0, averaged: true },
    Field { name: "temperature_c", unit: "°C", min: -90.0, max: 60.0, averaged: true },
];

/// A simulated sensor breaks for one reading in so many.
const OUTLIER_EVERY: f64 = 2000.0;
const DAY_US: i64 = 24 * 3600 * 1_000_000;

impl UseCase for Weather {
    fn kind(&self) -> &'static str {
        "weather"
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings) {
        #[allow(clippy::cast_precision_loss, reason = "the share of a day needs few digits")]
        let turn = ts.us().rem_euclid(DAY_US) as f64 / DAY_US as f64 * std::f64::consts::TAU;
        // Coldest at 5 o'clock, warmest at 17; pressure has two tides a day of about a hectopascal.
        let warmth = -(turn - std::f64::consts::TAU * 5.0 / 24.0).cos();
        let temperature = if rng.between(0.0, OUTLIER_EVERY) < 1.0 {
            999.9
        } else {
            warmth.mul_add(6.0, 12.0) + rng.between(-0.2, 0.2)
        };
        let pressure = (2.0 * turn).sin().mul_add(1.2, 1013.0) + rng.between(-0.1, 0.1);
        let fields = [
            ("pressure_hpa", Value::Number((pressure * 100.0).round() / 100.0)),
            ("temperature_c", Value::Number((temperature * 100.0).round() / 100.0)),
        ];
        // The name was checked when the simulation was set up.
        into.push(ts, sensor, self.kind(), &fields).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_outlier;
    use super::*;

    #[test]
    fn what_no_weather_can_be_is_an_outlier() {
        let mut readings = Readings::new();
        let values = [(1013.2, 21.0), (299.0, 21.0), (1013.2, 61.0), (f64::from(1101_u16), -91.0), (870.0, -89.2)];
        for (pressure, temperature) in values {
            let fields = [("pressure_hpa", Value::Number(pressure)), ("temperature_c", Value::Number(temperature))];
            readings.push(Wall::from_us(1), "roof", "weather", &fields).unwrap();
        }
        assert_eq!(readings.iter().map(is_outlier).collect::<Vec<_>>(), [false, true, true, true, false]);
    }

    #[test]
    fn a_simulated_station_breaks_now_and_then() {
        let (mut readings, mut rng) = (Readings::new(), Rng::new(7));
        for n in 0..20_000 {
            Weather.simulate("roof", Wall::from_us(n * 100_000), &mut rng, &mut readings);
        }
        let outliers = readings.iter().filter(|reading| is_outlier(*reading)).count();
        assert!((1..60).contains(&outliers), "{outliers}");
    }
}
