//! Parking garages: cars come and go, and each entry and exit is a reading.
//!
//! What a garage does follows from its seed and from how much it has done already; so its position is a number, and after a start the
//! same cars are in it as before.

mod cars;
mod plates;

use super::csv::position::fnv;
use super::{Offer, Source, SourceError, Step};
use cars::{Event, Garage};
use fogline_protocol::queue::SourcePosition;
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::rng::Rng;
use fogline_protocol::time::{Monotonic, Now, Wall};
use plates::Plates;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The name under which the position is kept.
pub(crate) const KEY: &str = "garage";
/// The kind of the readings.
const KIND: &str = "parking";
/// The most readings of an offer: each is an event, and few come at a time.
const OFFER_READINGS_MAX: usize = 256;
/// A garage that is further behind than this (the machine slept, the queue was full) goes on from now: nothing is lost, cars come
/// and go later.
const BEHIND_MAX: Duration = Duration::from_secs(1);
/// The most events that are played again after a start: some seconds' worth, of years.
const REPLAY_MAX: u64 = 100_000_000;

/// Which garages.
#[derive(Debug, Clone, PartialEq)]
pub struct GarageConfig {
    /// How many, 1 to 100.
    pub garages: u32,
    /// The sensors are called `{sensor}-1`, `{sensor}-2` and so on.
    pub sensor: String,
    /// Cars for which each has room, 1 to 10,000.
    pub capacity: u32,
    /// What an hour costs that has begun, in cents.
    pub tariff_cents: u32,
    /// How many times as fast as real time the simulation clock runs.
    pub pace: f64,
    /// Where the clock begins: readings get its times. None: they get those at which they are played.
    pub from: Option<Wall>,
    /// The same seed gives the same cars at the same times.
    pub seed: u64,
    /// Forget who is in the garages, and begin with empty ones.
    pub from_start: bool,
}

/// Simulated garages.
#[derive(Debug)]
pub struct GarageSource {
    config: GarageConfig,
    garages: Vec<(String, Garage)>,
    plates: Plates,
    identity: String,
    /// A moment, and the microseconds that the simulation clock shows in it.
    anchor: Option<(Monotonic, u64)>,
    /// What the simulation clock showed at the last event.
    last_us: u64,
}

/// How much each garage has done.
#[derive(Debug, Serialize, Deserialize)]
struct Position {
    of: String,
    events: Vec<u64>,
}

impl GarageSource {
    /// Garages as `saved` left them, the position that the queue holds for this source. When that speaks of another number of
    /// garages, another capacity or another seed, they begin empty.
    ///
    /// # Errors
    /// [`SourceError::Position`] when it is not understood.
    pub fn new(config: GarageConfig, saved: Option<&str>) -> Result<Self, SourceError> {
        let mut seeds = Rng::new(config.seed);
        let plates = Plates::new(seeds.next_u64());
        let garages = (0..config.garages.max(1)).map(|number| {
            let first_car = number * Garage::cars(config.capacity);
            (format!("{}-{}", config.sensor, number + 1), Garage::new(seeds.next_u64(), config.capacity, first_car))
        });
        let garages = garages.collect();
        let identity =
            fnv(format!("{} {} {} {:?}", config.seed, config.garages, config.capacity, config.from).as_bytes());
        let mut source = Self { garages, plates, identity, anchor: None, last_us: 0, config };
        if let Some(saved) = saved.filter(|_| !source.config.from_start) {
            source.resume(saved)?;
        }
        Ok(source)
    }

    fn resume(&mut self, saved: &str) -> Result<(), SourceError> {
        let saved: Position =
            serde_json::from_str(saved).map_err(|error| SourceError::Position { name: KEY, error })?;
        let all: u64 = saved.events.iter().fold(0, |sum, events| sum.saturating_add(*events));
        if saved.of != self.identity || saved.events.len() != self.garages.len() || all > REPLAY_MAX {
            tracing::warn!(events = all, "other garages than before, or too long ago: they begin empty");
            return Ok(());
        }
        for ((_, garage), events) in self.garages.iter_mut().zip(saved.events) {
            for _ in 0..events {
                self.last_us = self.last_us.max(garage.play().at_us);
            }
        }
        let inside: usize = self.garages.iter().map(|(_, garage)| garage.occupied()).sum();
        tracing::info!(events = all, inside, "the garages go on where they stopped");
        Ok(())
    }

    /// When the simulation clock shows `us`.
    fn due(&self, (start, shown_us): (Monotonic, u64), us: u64) -> Monotonic {
        start + Duration::from_micros(us.saturating_sub(shown_us)).div_f64(self.config.pace)
    }

    /// The garage whose event is next.
    fn next(&self) -> Option<(usize, u64)> {
        let times = self.garages.iter().map(|(_, garage)| garage.next_us());
        times.enumerate().min_by_key(|(_, us)| *us)
    }

    /// Plays the next event if it is due; says when, if it is not.
    fn play(&mut self, now: Now, into: &mut Readings) -> Result<(), Option<Monotonic>> {
        let (index, us) = self.next().ok_or(None)?;
        let anchor = *self.anchor.get_or_insert((now.mono, self.last_us));
        let due = self.due(anchor, us);
        if due > now.mono {
            return Err(Some(due));
        }
        let behind = now.mono.since(due);
        if behind > BEHIND_MAX {
            self.anchor = Some((now.mono, us));
        }
        let late = if behind > BEHIND_MAX { Duration::ZERO } else { behind };
        let ts = self.config.from.map_or(now.wall - late, |from| from + Duration::from_micros(us));
        let (sensor, garage) = self.garages.get_mut(index).ok_or(None)?;
        let event = garage.play();
        self.last_us = us;
        let plate = self.plates.plate(event.car);
        let (tariff, capacity) = (self.config.tariff_cents, self.config.capacity);
        let fields = fields(&event, &plate, capacity, tariff);
        // The name was checked when the garages were set up.
        into.push(ts, sensor, KIND, &fields).ok();
        Ok(())
    }

    fn position(&self) -> SourcePosition {
        let events = self.garages.iter().map(|(_, garage)| garage.events()).collect();
        let position = Position { of: self.identity.clone(), events };
        // Numbers and a text always become JSON.
        let position = serde_json::to_string(&position).unwrap_or_default();
        SourcePosition { source: KEY.to_owned(), position }
    }
}

fn fields<'a>(event: &Event, plate: &'a str, capacity: u32, tariff_cents: u32) -> [(&'static str, Value<'a>); 5] {
    let occupied = u32::try_from(event.occupied).unwrap_or(u32::MAX);
    [
        ("event", Value::Text(if event.entry { "entry" } else { "exit" })),
        ("plate", Value::Text(plate)),
        ("occupied", Value::Number(f64::from(occupied))),
        ("capacity", Value::Number(f64::from(capacity))),
        ("tariff_cents_per_hour", Value::Number(f64::from(tariff_cents))),
    ]
}

impl Source for GarageSource {
    fn step(&mut self, now: Now) -> Result<Step, SourceError> {
        let mut readings = Readings::new();
        let wait = loop {
            if readings.len() >= OFFER_READINGS_MAX {
                break Some(now.mono);
            }
            if let Err(wait) = self.play(now, &mut readings) {
                break wait;
            }
        };
        if readings.is_empty() {
            return Ok(wait.map_or(Step::End, Step::Wait));
        }
        Ok(Step::Offer(Offer { readings, position: Some(self.position()), ..Offer::default() }))
    }

    fn skipped(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests;
