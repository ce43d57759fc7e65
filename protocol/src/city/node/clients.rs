//! The sensors that stream to a node: what it has taken of each, and when their clients are to hear that it lives.

use crate::city::message::{Alive, SensorPart, SensorTaken};
use crate::city::sensors::SENSORS_MAX;
use crate::ids::{Name, StreamId};
use crate::time::Monotonic;
use std::collections::BTreeMap;
use std::time::Duration;

/// Who was not heard for this long gives its place to others, and is not told any more that the node lives: it has another
/// node, or is gone.
const FORGET_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Sensor {
    stream: StreamId,
    through: u64,
    heard: Monotonic,
}

#[derive(Debug)]
struct Client {
    heard: Monotonic,
    /// When it is to hear of the node again.
    say_at: Monotonic,
    sensors: BTreeMap<String, Sensor>,
}

/// By client.
#[derive(Debug)]
pub(super) struct Clients {
    keep_alive: Duration,
    clients: BTreeMap<Name, Client>,
    sensors: usize,
    /// Parts of sensors for which there was no room.
    refused: u64,
}

impl Clients {
    pub(super) const fn new(keep_alive: Duration) -> Self {
        Self { keep_alive, clients: BTreeMap::new(), sensors: 0, refused: 0 }
    }

    pub(super) const fn sensors(&self) -> usize {
        self.sensors
    }

    pub(super) const fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes what is new, calls `sampled` with the time and value of each, and says what is to be acknowledged.
    pub(super) fn take(
        &mut self,
        client: &Name,
        parts: Vec<SensorPart>,
        now: Monotonic,
        mut sampled: impl FnMut(i64, f64),
    ) -> Vec<SensorTaken> {
        let mut taken = Vec::with_capacity(parts.len());
        for part in parts {
            if !self.has_room(client, &part.sensor, now) {
                self.refused += 1;
                continue;
            }
            let say_at = now + self.keep_alive;
            let client =
                self.clients.entry(client.clone()).or_insert(Client { heard: now, say_at, sensors: BTreeMap::new() });
            (client.heard, client.say_at) = (now, say_at);
            if !client.sensors.contains_key(&part.sensor) {
                self.sensors += 1;
            }
            let fresh = Sensor { stream: part.stream, through: part.first.saturating_sub(1), heard: now };
            let sensor = client.sensors.entry(part.sensor.clone()).or_insert(fresh);
            taken.push(sensor.take(part, now, &mut sampled));
        }
        taken
    }

    fn has_room(&mut self, client: &Name, sensor: &str, now: Monotonic) -> bool {
        let known = self.clients.get(client).is_some_and(|client| client.sensors.contains_key(sensor));
        if !known && self.sensors >= SENSORS_MAX {
            self.forget(now);
        }
        known || self.sensors < SENSORS_MAX
    }

    /// Whom it has not heard for long.
    fn forget(&mut self, now: Monotonic) {
        for client in self.clients.values_mut() {
            client.sensors.retain(|_, sensor| now.since(sensor.heard) < FORGET_AFTER);
        }
        self.clients.retain(|_, client| now.since(client.heard) < FORGET_AFTER);
        self.sensors = self.clients.values().map(|client| client.sensors.len()).sum();
    }

    /// Who is to hear now that the node lives.
    pub(super) fn due(&mut self, now: Monotonic) -> Vec<Name> {
        if self.next().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.forget(now);
        let mut due = Vec::new();
        for (name, client) in self.clients.iter_mut().filter(|(_, client)| client.say_at <= now) {
            client.say_at = now + self.keep_alive;
            due.push(name.clone());
        }
        due
    }

    /// All of them.
    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.clients.keys()
    }

    /// When the next one is to hear that the node lives.
    pub(super) fn next(&self) -> Option<Monotonic> {
        self.clients.values().map(|client| client.say_at).min()
    }
}

impl Sensor {
    fn take(&mut self, part: SensorPart, now: Monotonic, sampled: &mut impl FnMut(i64, f64)) -> SensorTaken {
        if self.stream != part.stream {
            // It was started again.
            (self.stream, self.through) = (part.stream, part.first.saturating_sub(1));
        }
        self.heard = now;
        for (number, (ts_us, value)) in (part.first..).zip(part.samples) {
            if number > self.through {
                sampled(ts_us, value);
                self.through = number;
            }
        }
        SensorTaken { sensor: part.sensor, stream: self.stream, through: self.through }
    }
}

/// What a node says to a client.
pub(super) fn alive(token: &str, leaving: bool, taken: Vec<SensorTaken>) -> Alive {
    Alive { token: token.to_owned(), leaving, taken }
}
