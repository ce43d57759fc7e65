//! The stage itself: what is kept of each sensor, and what goes on.

use super::SENSORS_MAX;
use super::config::ShapeConfig;
use super::deadband::Sent;
use super::window::{Window, start_of};
use crate::source::Skipped;
use fogline_protocol::reading::{ReadingError, ReadingRef, Readings, Value};
use fogline_protocol::time::{Monotonic, Wall};
use std::collections::BTreeMap;

/// Shapes readings one by one.
#[derive(Debug)]
pub(super) struct Stage {
    config: ShapeConfig,
    sensors: BTreeMap<String, Sensor>,
    /// Ready for the queue.
    out: Readings,
    /// One reading on its way through the stage.
    scratch: Readings,
    skipped: Skipped,
}

#[derive(Debug, Default)]
struct Sensor {
    /// The sampling interval in which a reading was taken last.
    sampled: Option<Wall>,
    window: Option<Window>,
    sent: Sent,
    touched: Monotonic,
}

impl Stage {
    pub(super) fn new(config: ShapeConfig) -> Self {
        Self {
            config,
            sensors: BTreeMap::new(),
            out: Readings::new(),
            scratch: Readings::new(),
            skipped: Skipped::new(),
        }
    }

    /// Goes on by other rules. What is open is closed by the old ones.
    pub(super) fn reconfigure(&mut self, config: ShapeConfig) {
        self.close_where(|_| true);
        self.config = config;
    }

    /// True when everything passes unchanged, and nothing is held back.
    pub(super) fn is_idle(&self) -> bool {
        self.config.is_identity() && self.out.is_empty() && self.sensors.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    pub(super) fn take(&mut self) -> Readings {
        std::mem::take(&mut self.out)
    }

    /// Readings that were no longer readings after shaping.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped.count()
    }

    pub(super) fn add(&mut self, reading: ReadingRef<'_>, now: Monotonic) {
        let mut scaled = std::mem::take(&mut self.scratch);
        scaled.clear();
        let result = self.scale(reading, &mut scaled);
        match (result, scaled.get(0)) {
            (Ok(()), Some(reading)) => self.sample(reading, now),
            (Ok(()), None) => {}
            (Err(error), _) => self.note(reading.sensor(), &error),
        }
        self.scratch = scaled;
    }

    fn note(&mut self, sensor: &str, error: &ReadingError) {
        self.skipped.note(0, sensor.as_bytes(), error);
    }

    fn scale(&self, reading: ReadingRef<'_>, into: &mut Readings) -> Result<(), ReadingError> {
        if self.config.fields.is_empty() {
            return into.push_copy(reading);
        }
        let line = |name: &str| self.config.fields.get(name).map(|shape| shape.line);
        let fields: Vec<(&str, Value<'_>)> = reading
            .fields()
            .map(|(name, value)| match (value, line(name)) {
                (Value::Number(number), Some(line)) => (name, Value::Number(line.apply(number))),
                (value, _) => (name, value),
            })
            .collect();
        into.push(reading.ts(), reading.sensor(), reading.kind(), &fields)
    }

    fn sample(&mut self, reading: ReadingRef<'_>, now: Monotonic) {
        let key = key(reading.kind(), reading.sensor());
        if !self.sensors.contains_key(&key) && self.sensors.len() >= SENSORS_MAX {
            self.forget_longest_silent();
        }
        let mut sensor = self.sensors.remove(&key).unwrap_or_default();
        sensor.touched = now;
        let slot = self.config.every.map(|every| start_of(reading.ts(), every));
        // The first of each interval is taken, so that a sensor that is a little late does not lose every second one.
        if slot.is_none() || slot != sensor.sampled {
            sensor.sampled = slot;
            self.gather(&mut sensor, reading, now);
        }
        self.sensors.insert(key, sensor);
    }

    fn gather(&mut self, sensor: &mut Sensor, reading: ReadingRef<'_>, now: Monotonic) {
        let Some(width) = self.config.window else { return self.send(sensor, reading, now) };
        if sensor.window.as_ref().is_some_and(|window| !window.takes(reading)) {
            self.close(sensor, reading.kind(), reading.sensor(), now);
        }
        sensor.window.get_or_insert_with(|| Window::at(reading.ts(), width)).add(reading, now);
    }

    fn send(&mut self, sensor: &mut Sensor, reading: ReadingRef<'_>, now: Monotonic) {
        if self.config.has_deadband() && !sensor.sent.passes(reading, &self.config, now) {
            return;
        }
        if let Err(error) = self.out.push_copy(reading) {
            self.note(reading.sensor(), &error);
        }
    }

    fn close(&mut self, sensor: &mut Sensor, kind: &str, name: &str, now: Monotonic) {
        let Some(window) = sensor.window.take() else { return };
        let mut closed = Readings::new();
        match (window.write(name, kind, &self.config, &mut closed), closed.get(0)) {
            (Ok(()), Some(reading)) => self.send(sensor, reading, now),
            (Ok(()), None) => {}
            (Err(error), _) => self.note(name, &error),
        }
    }

    /// Closes windows and lets go what is withheld where the time has come.
    pub(super) fn flush_due(&mut self, now: Monotonic) {
        if self.due_at().is_none_or(|due| due > now) {
            return;
        }
        self.close_where(|sensor| sensor.window.as_ref().is_some_and(|window| window.closes_at() <= now));
        let Self { config, sensors, out, .. } = self;
        for sensor in sensors.values_mut() {
            if sensor.sent.due_at(config).is_some_and(|due| due <= now) {
                sensor.sent.release(now, out);
            }
        }
    }

    /// Closes everything: nothing comes any more. What a deadband withheld did not move, and is not sent.
    pub(super) fn flush_all(&mut self) {
        self.close_where(|_| true);
    }

    fn close_where(&mut self, closes: impl Fn(&Sensor) -> bool) {
        let keys: Vec<String> = self
            .sensors
            .iter()
            .filter(|(_, sensor)| sensor.window.is_some() && closes(sensor))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let Some(mut sensor) = self.sensors.remove(&key) else { continue };
            let (kind, name) = key.split_once('/').unwrap_or_default();
            let now = sensor.touched;
            self.close(&mut sensor, kind, name, now);
            self.sensors.insert(key, sensor);
        }
    }

    /// When [`Stage::flush_due`] has something to do, if nothing is added before.
    pub(super) fn due_at(&self) -> Option<Monotonic> {
        let window = |sensor: &Sensor| sensor.window.as_ref().map(Window::closes_at);
        self.sensors.values().flat_map(|sensor| [window(sensor), sensor.sent.due_at(&self.config)]).flatten().min()
    }

    fn forget_longest_silent(&mut self) {
        let longest = self.sensors.iter().min_by_key(|(_, sensor)| sensor.touched).map(|(key, _)| key.clone());
        let Some((key, mut sensor)) = longest.and_then(|key| self.sensors.remove_entry(&key)) else { return };
        let (kind, name) = key.split_once('/').unwrap_or_default();
        let now = sensor.touched;
        self.close(&mut sensor, kind, name, now);
    }
}

/// Names have no `/`.
fn key(kind: &str, sensor: &str) -> String {
    format!("{kind}/{sensor}")
}
