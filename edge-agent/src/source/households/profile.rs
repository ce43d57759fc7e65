//! A household that is not there: what it takes is made of its number and the time alone, so that it can begin anywhere.

use super::recording::Row;
use fogline_protocol::rng::Rng;
use fogline_protocol::time::Wall;
use std::time::Duration;

/// A sample a second, as smart meters give them.
const SAMPLE: Duration = Duration::from_secs(1);
/// A large appliance may run in each of these pieces of time.
const BLOCK_S: i64 = 600;
/// Hours of the day are those of Central European (winter) time.
const ZONE_S: i64 = 3600;
/// Peaks of a day: hour, width in hours, height in W.
const PEAKS: [(f64, f64, f64); 3] = [(7.5, 1.2, 350.0), (12.5, 1.5, 200.0), (19.5, 2.2, 600.0)];

/// A simulated meter.
#[derive(Debug)]
pub(super) struct Profile {
    seed: u64,
    next: Wall,
    to: Option<Wall>,
    /// What it takes of what an average household does.
    size: f64,
    /// In W: refrigerator, standby.
    base: f64,
    /// The parts of the phases.
    phases: [f64; 3],
}

impl Profile {
    /// A household of this seed, from `from` until `to`, excluded; none: for ever.
    pub(super) fn new(seed: u64, from: Wall, to: Option<Wall>) -> Self {
        let mut rng = Rng::new(seed);
        let parts = [rng.between(0.1, 1.0), rng.between(0.1, 1.0), rng.between(0.1, 1.0)];
        let all: f64 = parts.iter().sum();
        let (size, base) = (rng.between(0.5, 1.6), rng.between(60.0, 220.0));
        // Samples are at whole seconds, wherever it begins.
        let next = Wall::from_us(from.us().saturating_add(999_999).div_euclid(1_000_000) * 1_000_000);
        Self { seed, next, to, size, base, phases: parts.map(|part| part / all) }
    }

    pub(super) fn next(&mut self) -> Option<Row> {
        let ts = self.next;
        if self.to.is_some_and(|to| ts >= to) {
            return None;
        }
        self.next = ts + SAMPLE;
        let total = self.power(ts.us().div_euclid(1_000_000));
        let [one, two, three] = self.phases.map(|part| milliwatts(total * part));
        Some(Row { ts, powers: [milliwatts(one + two + three), one, two, three], energy: None })
    }

    fn power(&self, second: i64) -> f64 {
        let noise = self.drawn(second).between(0.97, 1.03);
        #[allow(clippy::cast_precision_loss, reason = "the seconds of a day need few digits")]
        let hour = (second + ZONE_S).rem_euclid(86_400) as f64 / 3600.0;
        let shape: f64 = PEAKS.iter().map(|(at, width, height)| height * (-((hour - at) / width).powi(2)).exp()).sum();
        (self.base + self.size * shape + self.appliance(second, shape)) * noise
    }

    /// A kettle, an oven or a washing machine, the likelier the more people are about.
    fn appliance(&self, second: i64, shape: f64) -> f64 {
        let mut rng = self.drawn(-1 - second.div_euclid(BLOCK_S));
        let runs = rng.unit() < 0.02 + shape / 4000.0;
        let (power, share) = (rng.between(900.0, 2300.0), rng.between(0.1, 0.7));
        #[allow(clippy::cast_precision_loss, reason = "the seconds of ten minutes need few digits")]
        let part = second.rem_euclid(BLOCK_S) as f64 / BLOCK_S as f64;
        if runs && part < share { power } else { 0.0 }
    }

    fn drawn(&self, what: i64) -> Rng {
        let mut rng = Rng::new(self.seed ^ what.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Rng::new(rng.next_u64())
    }
}

fn milliwatts(power: f64) -> f64 {
    (power * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 86_400;

    fn at(second: i64) -> Wall {
        Wall::from_us(1_577_145_600_000_000 + second * 1_000_000)
    }

    fn day(seed: u64) -> Vec<f64> {
        let mut profile = Profile::new(seed, at(0), Some(at(DAY_S)));
        std::iter::from_fn(|| profile.next()).map(|row| row.powers[0]).collect()
    }

    #[test]
    fn days_are_like_those_of_households() {
        let mut sum = 0.0;
        for seed in 1..=20 {
            let powers = day(seed);
            assert_eq!(powers.len(), 86_400);
            assert!(powers.iter().all(|power| (20.0..6_000.0).contains(power)));
            let mean = |hours: std::ops::Range<usize>| {
                powers[hours.start * 3600..hours.end * 3600].iter().sum::<f64>() / (hours.len() * 3600) as f64
            };
            // In universal time.
            assert!(mean(17..20) > mean(1..4) * 1.5, "the evening of {seed}");
            sum += mean(0..24) * 8.76;
        }
        let annual_kwh = sum / 20.0;
        assert!((2000.0..5000.0).contains(&annual_kwh), "{annual_kwh} kWh a year");
    }

    #[test]
    fn a_household_can_begin_anywhere() {
        let mut late = Profile::new(7, at(5000), Some(at(5003)));
        let rest: Vec<f64> = std::iter::from_fn(|| late.next()).map(|row| row.powers[0]).collect();
        assert_eq!(rest, day(7)[5000..5003]);
        assert_ne!(rest, day(8)[5000..5003]);
    }
}
