//! `parking`: garages say who drives in and out; the cloud knows how full all of them are, and bills each stay.
//!
//! A licence plate is personal data. It is on the edge, on the wire and in the ledger; the store, the events and the dead
//! letters have a [keyed hash](PlateKey) of it.

use super::{Field, Personal, UseCase};
use crate::reading::{ReadingRef, Readings, Value};
use crate::rng::Rng;
use crate::store::Latest;
use crate::time::Wall;
use blake2::digest::consts::U16;
use blake2::digest::{KeyInit, Mac as _};
use serde_json::json;
use std::fmt;
use std::time::Duration;

/// Entries and exits of garages.
#[derive(Debug, Clone, Copy)]
pub struct Parking;

/// The price of an hour where a garage names none, in cents.
pub const TARIFF_CENTS: u32 = 200;
/// The highest price of an hour that a garage can name, in cents: a typing error must not become an invoice of thousands.
pub const TARIFF_CENTS_MAX: u32 = 10_000;
/// The longest plate, in bytes. No country's has more than a dozen characters.
pub const PLATE_MAX_BYTES: usize = 32;
/// How many spaces a simulated garage has.
const SIMULATED_CAPACITY: f64 = 40.0;

const FIELDS: [Field; 3] = [
    Field { name: "occupied", unit: "cars", min: 0.0, max: 100_000.0, averaged: true },
    Field { name: "capacity", unit: "cars", min: 0.0, max: 100_000.0, averaged: false },
    Field { name: "tariff_cents_per_hour", unit: "ct/h", min: 0.0, max: 10_000.0, averaged: false },
];

/// Which way a car drove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Into the garage.
    Entry,
    /// Out of it.
    Exit,
}

/// A car that drove in or out: what a reading says to the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement<'a> {
    /// The garage: the sensor's name.
    pub garage: &'a str,
    /// As the camera read it.
    pub plate: &'a str,
    /// Which way.
    pub direction: Direction,
    /// When, by the garage's clock.
    pub at: Wall,
    /// The price of a started hour there, in cents.
    pub tariff_cents: u32,
}

impl<'a> Movement<'a> {
    /// What a reading says; none when it is not of this kind, or is no entry or exit of a plate.
    #[must_use]
    pub fn of(reading: ReadingRef<'a>) -> Option<Self> {
        if reading.kind() != Parking.kind() {
            return None;
        }
        let text = |name: &str| {
            reading.fields().find_map(|(field, value)| match value {
                Value::Text(text) if field == name => Some(text),
                Value::Text(_) | Value::Number(_) | Value::Flag(_) => None,
            })
        };
        let direction = match text("event")? {
            "entry" => Direction::Entry,
            "exit" => Direction::Exit,
            _ => return None,
        };
        let plate = text("plate").filter(|plate| plate.len() <= PLATE_MAX_BYTES && !normal(plate).is_empty())?;
        let tariff = reading.number("tariff_cents_per_hour").filter(|cents| (0.0..=10_000.0).contains(cents));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 10,000")]
        let tariff_cents = tariff.map_or(TARIFF_CENTS, |cents| (cents.round() as u32).min(TARIFF_CENTS_MAX));
        Some(Self { garage: reading.sensor(), plate, direction, at: reading.ts(), tariff_cents })
    }
}

/// The letters and digits of a plate, in capitals: `b fg1234` and `B-FG 1234` are one car.
#[must_use]
pub fn normal(plate: &str) -> String {
    plate.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect()
}

/// The started hours of a stay, at least one. A clock that was set back meanwhile makes no stay longer.
#[must_use]
pub fn started_hours(entered: Wall, left: Wall) -> u64 {
    left.since(entered)
        .as_micros()
        .div_ceil(Duration::from_secs(3600).as_micros())
        .try_into()
        .unwrap_or(u64::MAX)
        .max(1)
}

/// Makes hashes of plates: BLAKE2s (RFC 7693) with a key of 256 bits, cut to 128 bits. Without the key nobody finds a plate by
/// trying all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PlateKey([u8; 32]);

impl PlateKey {
    /// The key with these bytes: random, and the same for as long as hashes are to be compared.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A key of one run, whose hashes nobody keeps.
    #[must_use]
    pub fn of_run(run: u64) -> Self {
        let mut rng = Rng::new(run);
        Self(std::array::from_fn(|_| rng.next_u64().to_le_bytes()[0]))
    }

    /// The key that was written as 64 hexadecimal digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        (hex.len() == 64).then_some(Self(bytes))
    }

    /// The key as 64 hexadecimal digits: a secret.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a plate however it is written: 32 hexadecimal digits.
    #[must_use]
    pub fn hash(&self, plate: &str) -> String {
        // A key of 32 bytes is always one of BLAKE2s.
        let Ok(mut mac) = <blake2::Blake2sMac<U16> as KeyInit>::new_from_slice(&self.0) else { return String::new() };
        mac.update(normal(plate).as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for PlateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlateKey(hidden)")
    }
}

impl UseCase for Parking {
    fn kind(&self) -> &'static str {
        "parking"
    }

    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn personal(&self) -> Option<Personal> {
        Some(Personal { field: "plate", stored_as: "plate_hash" })
    }

    fn question(&self) -> Option<&'static str> {
        Some("occupancy")
    }

    fn answer(&self, newest: &mut dyn Iterator<Item = &Latest>) -> serde_json::Value {
        let (mut garages, mut occupied, mut capacity) = (0_u64, 0.0, 0.0);
        for latest in newest {
            garages += 1;
            occupied += latest.number("occupied").unwrap_or(0.0);
            capacity += latest.number("capacity").unwrap_or(0.0);
        }
        json!({ "garages": garages, "occupied": occupied, "capacity": capacity })
    }

    /// A car that drives in at an even count of ten seconds, and out at the odd one that follows. Garages that remember their
    /// cars are the agent's source `garage`.
    fn simulate(&self, sensor: &str, ts: Wall, rng: &mut Rng, into: &mut Readings) {
        let turn = ts.us().div_euclid(10_000_000);
        let (event, car) = if turn.rem_euclid(2) == 0 { ("entry", turn) } else { ("exit", turn - 1) };
        let plate = format!("B-FG {}", (car / 2).rem_euclid(10_000));
        let occupied = rng.between(0.0, SIMULATED_CAPACITY).floor();
        let fields = [
            ("event", Value::Text(event)),
            ("plate", Value::Text(&plate)),
            ("occupied", Value::Number(occupied)),
            ("capacity", Value::Number(SIMULATED_CAPACITY)),
            ("tariff_cents_per_hour", Value::Number(f64::from(TARIFF_CENTS))),
        ];
        // The name was checked when the simulation was set up.
        into.push(ts, sensor, self.kind(), &fields).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_counted_as_they_start() {
        let hours = |minutes: i64| started_hours(Wall::from_us(0), Wall::from_us(minutes * 60_000_000));
        assert_eq!([0, 1, 59, 60, 61, 120, 121].map(hours), [1, 1, 1, 1, 2, 2, 3]);
        assert_eq!(started_hours(Wall::from_us(9), Wall::from_us(1)), 1, "a clock that was set back");
    }

    #[test]
    fn a_plate_has_one_hash_however_it_is_written_and_another_one_under_another_key() {
        let (key, other) = (PlateKey::new([7; 32]), PlateKey::new([8; 32]));
        let hash = key.hash("B-FG 1234");
        assert_eq!(hash.len(), 32);
        assert_eq!(key.hash("b fg1234"), hash);
        assert_ne!(key.hash("B-FG 1235"), hash);
        assert_ne!(other.hash("B-FG 1234"), hash);
        assert!(!format!("{key:?}").contains('7'));
    }

    #[test]
    fn a_movement_is_an_entry_or_exit_of_a_plate() {
        let mut readings = Readings::new();
        let mut push = |kind: &str, event: &str, plate: &str, tariff: f64| {
            let fields = [
                ("event", Value::Text(event)),
                ("plate", Value::Text(plate)),
                ("tariff_cents_per_hour", Value::Number(tariff)),
            ];
            readings.push(Wall::from_us(5), "east", kind, &fields).unwrap();
        };
        push("parking", "entry", "B-FG 1", 250.0);
        push("parking", "exit", "B-FG 1", -1.0);
        push("parking", "stop", "B-FG 1", 250.0);
        push("parking", "entry", " - ", 250.0);
        push("parking", "entry", &"B".repeat(33), 250.0);
        push("road", "entry", "B-FG 1", 250.0);
        let found: Vec<_> = readings.iter().map(Movement::of).collect();
        let entry = Movement {
            garage: "east",
            plate: "B-FG 1",
            direction: Direction::Entry,
            at: Wall::from_us(5),
            tariff_cents: 250,
        };
        assert_eq!(found[0], Some(entry));
        assert_eq!(found[1], Some(Movement { direction: Direction::Exit, tariff_cents: TARIFF_CENTS, ..entry }));
        assert!(found[2..].iter().all(Option::is_none));
    }
}
