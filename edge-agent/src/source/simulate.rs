//! Sensors that are not there: any use case's simulator, at a steady rate.

use super::collector::{Collector, OFFER_READINGS_MAX};
use super::lines::Place;
use super::skipped::Skipped;
use super::{Offer, Source, SourceError, Step};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::usecase::UseCase;
use std::time::Duration;

/// Above this rate readings are made in ticks: waking up for each would cost more than making it.
const TICK_RATE: f64 = 100.0;
/// The length of a tick.
const TICK_US: u64 = 20_000;
/// A simulation that is further behind than this (the machine slept, the queue was full) gives up what it missed, as a
/// sensor would.
const BEHIND_MAX: Duration = Duration::from_secs(1);
/// The text that readings are padded with: as long as a text may be.
const PADDING: &str = match std::str::from_utf8(&[b'x'; fogline_protocol::reading::TEXT_MAX_BYTES]) {
    Ok(text) => text,
    Err(_) => "",
};
/// The fields that hold padding; together they fill 4 KiB.
const PAD_FIELDS: [&str; 16] = [
    "pad", "pad2", "pad3", "pad4", "pad5", "pad6", "pad7", "pad8", "pad9", "pad10", "pad11", "pad12", "pad13", "pad14",
    "pad15", "pad16",
];
/// What a padding field costs beside its name and text: `,"":""`.
const PAD_COST: usize = 6;

/// How many readings a second all sensors give together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// From 0.1 to 100,000; kept to a thousandth.
    PerSecond(f64),
    /// As many as the queue takes: to fill a queue, and to measure.
    Fastest,
}

/// What is simulated.
#[derive(Debug, Clone)]
pub struct SimulateConfig {
    /// The use case whose simulator makes the readings.
    pub usecase: &'static dyn UseCase,
    /// How many sensors take turns, at least 1.
    pub sensors: u32,
    /// The sensors are called `{sensor}-1`, `{sensor}-2` and so on.
    pub sensor: String,
    /// Of all sensors together.
    pub rate: Rate,
    /// The same seed gives the same values.
    pub seed: u64,
    /// End after so many readings; none: never.
    pub count: Option<u64>,
    /// Pad each reading to about so many bytes as JSON, up to 4 KiB.
    pub reading_bytes: Option<usize>,
    /// Queue readings as they are where they would be averaged.
    pub raw: bool,
}

/// Simulated sensors.
#[derive(Debug)]
pub struct SimulateSource {
    config: SimulateConfig,
    sensors: Vec<(String, Rng)>,
    pacing: Option<Pacing>,
    made: u64,
    last: Wall,
    scratch: Readings,
    padded: Readings,
    collector: Collector,
    skipped: Skipped,
    ended: bool,
}

/// When which reading is due: reading `n` at `anchor + n / rate`, so that rounding never adds up.
#[derive(Debug, Clone, Copy)]
struct Pacing {
    anchor: Monotonic,
    per_thousand_seconds: u64,
    tick_us: u64,
    next: u64,
}

impl Pacing {
    fn new(rate: f64, phase: f64, now: Monotonic) -> Self {
        let per_thousand_seconds =
            u64::try_from(Duration::from_secs_f64(rate.clamp(0.001, 1e9)).as_millis()).unwrap_or(1);
        // Agents that are started together with different seeds do not all speak in the same moment.
        let anchor = now + Duration::from_secs_f64(phase / rate.max(1.0));
        let tick_us = if rate > TICK_RATE { TICK_US } else { 1 };
        Self { anchor, per_thousand_seconds: per_thousand_seconds.max(1), tick_us, next: 0 }
    }

    fn due(&self, reading: u64) -> Monotonic {
        // Rounded up, so that at this time the reading is due.
        let us = (u128::from(reading) * 1_000_000_000).div_ceil(u128::from(self.per_thousand_seconds));
        self.anchor + Duration::from_micros(u64::try_from(us).unwrap_or(u64::MAX))
    }

    /// How many readings have become due until `now`, counted from the anchor.
    fn due_until(&self, now: Monotonic) -> u64 {
        if now < self.anchor {
            return 0;
        }
        let us = now.since(self.anchor).as_micros();
        u64::try_from(us * u128::from(self.per_thousand_seconds) / 1_000_000_000 + 1).unwrap_or(u64::MAX)
    }

    /// Gives up what is older than [`BEHIND_MAX`]; says how much that was.
    fn catch_up(&mut self, now: Monotonic) -> u64 {
        if now.since(self.due(self.next)) <= BEHIND_MAX {
            return 0;
        }
        let missed = self.due_until(now).saturating_sub(1).saturating_sub(self.next);
        self.next += missed;
        missed
    }

    fn wake_at(&self) -> Monotonic {
        let due = self.due(self.next).us();
        Monotonic::from_us(due.div_ceil(self.tick_us) * self.tick_us)
    }
}

impl SimulateSource {
    /// Sensors that begin with the first step.
    #[must_use]
    pub fn new(config: SimulateConfig) -> Self {
        let mut seeds = Rng::new(config.seed);
        let name = |number| format!("{}-{number}", config.sensor);
        let sensors = (1..=config.sensors.max(1)).map(|number| (name(number), Rng::new(seeds.next_u64()))).collect();
        let collector = Collector::new(config.raw);
        Self {
            config,
            sensors,
            pacing: None,
            made: 0,
            last: Wall::MIN,
            scratch: Readings::new(),
            padded: Readings::new(),
            collector,
            skipped: Skipped::new(),
            ended: false,
        }
    }

    fn remaining(&self) -> u64 {
        self.config.count.map_or(u64::MAX, |count| count.saturating_sub(self.made))
    }

    /// Makes what is due, at most an offer's worth. Says when to ask again.
    fn make_paced(&mut self, rate: f64, now: Now) -> Monotonic {
        let phase = Rng::new(self.config.seed).unit();
        let mut pacing = self.pacing.take().unwrap_or_else(|| Pacing::new(rate, phase, now.mono));
        let missed = pacing.catch_up(now.mono);
        if missed > 0 {
            tracing::warn!(missed, "the simulation was held up and gave up the readings that it missed");
        }
        let due = pacing.due_until(now.mono);
        let mut room = OFFER_READINGS_MAX;
        while pacing.next < due && room > 0 && self.remaining() > 0 && !self.collector.is_full() {
            let ts = now.wall - now.mono.since(pacing.due(pacing.next));
            self.make(ts, now.mono);
            pacing.next += 1;
            room -= 1;
        }
        let wake_at = if pacing.next < due { now.mono } else { pacing.wake_at() };
        self.pacing = Some(pacing);
        wake_at
    }

    fn make_fastest(&mut self, now: Now) -> Monotonic {
        // A microsecond apart, so that no two readings of a sensor share their time; unless the clock was set back.
        let ahead = self.last.since(now.wall) < BEHIND_MAX;
        let mut ts = if ahead { now.wall.max(self.last + Duration::from_micros(1)) } else { now.wall };
        let mut room = OFFER_READINGS_MAX;
        while room > 0 && self.remaining() > 0 && !self.collector.is_full() {
            self.make(ts, now.mono);
            ts = ts + Duration::from_micros(1);
            room -= 1;
        }
        now.mono
    }

    fn make(&mut self, ts: Wall, now: Monotonic) {
        let count = self.sensors.len() as u64;
        let turn = usize::try_from(self.made % count).unwrap_or(0);
        self.made += 1;
        self.last = ts;
        self.scratch.clear();
        if let Some((sensor, rng)) = self.sensors.get_mut(turn) {
            self.config.usecase.simulate(sensor, ts, rng, &mut self.scratch);
        }
        if let Some(bytes) = self.config.reading_bytes {
            pad(&mut self.scratch, &mut self.padded, bytes);
        }
        for reading in self.scratch.iter() {
            if let Err(error) = self.collector.add(reading, Place::START, now) {
                self.skipped.note(self.made, b"", &error);
            }
        }
    }

    fn take(&mut self) -> Offer {
        Offer { readings: self.collector.take(), ..Offer::default() }
    }
}

/// Gives the one reading in `readings` fields of text until it is about `bytes` long as JSON.
fn pad(readings: &mut Readings, padded: &mut Readings, bytes: usize) {
    let Some(reading) = readings.get(0) else { return };
    let mut json = Vec::with_capacity(bytes);
    reading.write_json(&mut json);
    let mut fields: Vec<(&str, Value<'_>)> = reading.fields().collect();
    let mut lacking = bytes.saturating_sub(json.len());
    for name in PAD_FIELDS {
        let cost = PAD_COST + name.len();
        let text = PADDING.get(..lacking.saturating_sub(cost).min(PADDING.len())).unwrap_or_default();
        if text.is_empty() {
            break;
        }
        fields.push((name, Value::Text(text)));
        lacking -= cost + text.len();
    }
    padded.clear();
    if padded.push(reading.ts(), reading.sensor(), reading.kind(), &fields).is_ok() {
        std::mem::swap(readings, padded);
    }
}

impl Source for SimulateSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        if self.ended {
            return Ok(Step::End);
        }
        let again = match self.config.rate {
            Rate::PerSecond(rate) => self.make_paced(rate, now),
            Rate::Fastest => self.make_fastest(now),
        };
        self.ended = self.remaining() == 0;
        let closed = if self.ended { self.collector.close_all() } else { self.collector.close_idle(now.mono) };
        if let Err(error) = closed {
            self.skipped.note(self.made, b"", &error);
        }
        if !self.collector.is_empty() {
            return Ok(Step::Offer(self.take()));
        }
        Ok(if self.ended {
            Step::End
        } else {
            Step::Wait(self.collector.idle_at().map_or(again, |idle| idle.min(again)))
        })
    }

    fn finish(&mut self, _now: Now) -> Option<Offer> {
        if let Err(error) = self.collector.close_all() {
            self.skipped.note(self.made, b"", &error);
        }
        (!self.collector.is_empty()).then(|| self.take())
    }

    fn skipped(&self) -> u64 {
        self.skipped.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::usecase::{Power, Road};

    const ROAD: SimulateConfig = SimulateConfig {
        usecase: &Road,
        sensors: 1,
        sensor: String::new(),
        rate: Rate::PerSecond(1.0),
        seed: 7,
        count: None,
        reading_bytes: None,
        raw: false,
    };

    fn lanes(rate: Rate) -> SimulateConfig {
        SimulateConfig { sensor: "lane".to_owned(), rate, ..ROAD }
    }

    fn at(us: u64) -> Now {
        let wall = Wall::from_us(1_700_000_000_000_000 + i64::try_from(us).unwrap());
        Now { mono: Monotonic::from_us(1_000_000 + us), wall }
    }

    /// Plays the source for so long; gives its readings and how often it woke up.
    fn play(source: &mut SimulateSource, from_us: u64, until_us: u64) -> (Vec<Readings>, u64) {
        let (mut offers, mut wakes, mut now_us) = (Vec::new(), 0, from_us);
        while now_us < until_us {
            match source.step(at(now_us)).unwrap() {
                Step::Offer(offer) => offers.push(offer.readings),
                Step::Wait(next) => {
                    wakes += 1;
                    now_us = now_us.max(next.us() - 1_000_000);
                }
                Step::End => break,
            }
        }
        (offers, wakes)
    }

    fn total(offers: &[Readings]) -> usize {
        offers.iter().map(Readings::len).sum()
    }

    #[test]
    fn the_rate_is_kept_without_drift_or_needless_waking() {
        for (rate, seconds, wakes_max) in
            [(0.1, 1000, 102), (1.0, 1000, 1002), (3.3, 1000, 3302), (20_000.0, 20, 1002), (100_000.0, 10, 502)]
        {
            let mut source = SimulateSource::new(lanes(Rate::PerSecond(rate)));
            let (offers, wakes) = play(&mut source, 0, seconds * 1_000_000);
            let expected = rate * seconds as f64;
            assert!((total(&offers) as f64 - expected).abs() <= (rate * 0.021).max(1.0), "{rate}: {}", total(&offers));
            assert!(wakes <= wakes_max, "{rate}: woke up {wakes} times");
            assert!(offers.iter().all(|readings| readings.len() <= OFFER_READINGS_MAX));
        }
    }

    #[test]
    fn times_are_those_at_which_readings_were_due() {
        let (offers, _) = play(&mut SimulateSource::new(lanes(Rate::PerSecond(20_000.0))), 0, 1_000_000);
        let times: Vec<i64> = offers.iter().flat_map(|r| r.iter().map(|r| r.ts().us()).collect::<Vec<_>>()).collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 50), "not 50 us apart");
    }

    #[test]
    fn the_same_seed_gives_the_same_values_and_sensors_take_turns() {
        let config = SimulateConfig { sensors: 3, count: Some(30), ..lanes(Rate::Fastest) };
        let run = || play(&mut SimulateSource::new(config.clone()), 0, 1_000_000).0;
        let offers = run();
        assert_eq!(offers, run());
        assert_eq!(total(&offers), 30);
        let names: Vec<&str> = offers[0].iter().map(|r| r.sensor()).take(4).collect();
        assert_eq!(names, ["lane-1", "lane-2", "lane-3", "lane-1"]);
        assert!(offers[0].iter().zip(offers[0].iter().skip(1)).all(|(a, b)| a.ts() < b.ts()));
    }

    #[test]
    fn what_was_missed_in_a_long_pause_is_given_up() {
        let mut source = SimulateSource::new(lanes(Rate::PerSecond(100.0)));
        play(&mut source, 0, 1_000_000);
        let (offers, _) = play(&mut source, 3_600_000_000, 3_601_000_000);
        assert!((100..=102).contains(&total(&offers)), "{}", total(&offers));
    }

    #[test]
    fn readings_are_padded_to_length() {
        for bytes in [105, 300, 1000, 4096] {
            let config = SimulateConfig { reading_bytes: Some(bytes), count: Some(1), ..lanes(Rate::Fastest) };
            let (offers, _) = play(&mut SimulateSource::new(config), 0, 1_000_000);
            let mut json = Vec::new();
            offers[0].get(0).unwrap().write_json(&mut json);
            assert!(json.len() <= bytes && json.len() + 12 > bytes, "{bytes}: {}", json.len());
        }
    }

    #[test]
    fn meters_are_averaged_unless_raw() {
        let meters = SimulateConfig { usecase: &Power, count: Some(100), ..lanes(Rate::PerSecond(1.0)) };
        let (offers, _) = play(&mut SimulateSource::new(meters.clone()), 0, 200_000_000);
        let counts: f64 = offers.iter().flat_map(|r| r.iter().filter_map(|r| r.number("n")).collect::<Vec<_>>()).sum();
        assert_eq!(counts, 100.0);
        assert!((20..=22).contains(&total(&offers)));
        let raw = SimulateConfig { raw: true, ..meters };
        assert_eq!(total(&play(&mut SimulateSource::new(raw), 0, 200_000_000).0), 100);
    }

    #[test]
    fn an_open_window_is_handed_over_at_a_stop() {
        let meters = SimulateConfig { usecase: &Power, ..lanes(Rate::PerSecond(1.0)) };
        let mut source = SimulateSource::new(meters);
        let (offers, _) = play(&mut source, 0, 7_500_000);
        let rest = source.finish(at(7_500_000)).unwrap().readings;
        let counted = |r: &Readings| r.iter().filter_map(|r| r.number("n")).sum::<f64>();
        assert_eq!(offers.iter().map(counted).sum::<f64>() + counted(&rest), source.made as f64);
        assert!((7..=8).contains(&source.made));
    }
}
