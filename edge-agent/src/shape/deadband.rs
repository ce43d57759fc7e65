//! What did not move is not sent, until silence would be taken for death.

use super::config::{Deadband, ShapeConfig};
use fogline_protocol::reading::{ReadingRef, Readings, Value};
use fogline_protocol::time::Monotonic;

/// What was last sent of a sensor, and what was withheld since.
#[derive(Debug, Default)]
pub(super) struct Sent {
    fields: Vec<(String, Held)>,
    at: Option<Monotonic>,
    /// The newest reading that was not sent; at most one.
    withheld: Readings,
}

#[derive(Debug, PartialEq)]
enum Held {
    Number(f64),
    Flag(bool),
    Text(String),
}

impl Sent {
    /// True when the reading is to be sent; remembers it either way.
    pub(super) fn passes(&mut self, reading: ReadingRef<'_>, config: &ShapeConfig, now: Monotonic) -> bool {
        let silent = self.at.is_none_or(|at| now.since(at) >= config.max_silence);
        let passes = silent || self.moved(reading, config);
        self.withheld.clear();
        if passes {
            self.remember(reading, now);
        } else {
            // It was checked when it was made.
            self.withheld.push_copy(reading).ok();
        }
        passes
    }

    /// When what is withheld goes anyhow.
    pub(super) fn due_at(&self, config: &ShapeConfig) -> Option<Monotonic> {
        let at = self.at.filter(|_| !self.withheld.is_empty())?;
        Some(at + config.max_silence)
    }

    /// Hands out what is withheld.
    pub(super) fn release(&mut self, now: Monotonic, out: &mut Readings) {
        let withheld = std::mem::take(&mut self.withheld);
        if let Some(reading) = withheld.get(0) {
            self.remember(reading, now);
            // It was checked when it was made.
            out.push_copy(reading).ok();
        }
    }

    fn moved(&self, reading: ReadingRef<'_>, config: &ShapeConfig) -> bool {
        reading.fields().any(|(name, value)| {
            let held = self.fields.iter().find(|(known, _)| known == name).map(|(_, held)| held);
            match (held, value) {
                (Some(Held::Number(old)), Value::Number(new)) => {
                    config.deadband_of(name).is_none_or(|band| band.left(*old, new))
                }
                (Some(held), value) => *held != Held::from(value),
                (None, _) => true,
            }
        })
    }

    fn remember(&mut self, reading: ReadingRef<'_>, now: Monotonic) {
        self.at = Some(now);
        // A device may tell of its parts by turns: what this reading does not speak of is as it was.
        for (name, value) in reading.fields() {
            if let Some((_, held)) = self.fields.iter_mut().find(|(known, _)| known == name) {
                *held = Held::from(value);
            } else if self.fields.len() < FIELDS_REMEMBERED_MAX {
                self.fields.push((name.to_owned(), Held::from(value)));
            }
        }
    }
}

/// The most fields of one sensor that are compared: those of four full readings. What is beyond is always sent.
const FIELDS_REMEMBERED_MAX: usize = 4 * fogline_protocol::reading::FIELDS_MAX;

impl From<Value<'_>> for Held {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Number(number) => Self::Number(number),
            Value::Flag(flag) => Self::Flag(flag),
            Value::Text(text) => Self::Text(text.to_owned()),
        }
    }
}

impl Deadband {
    /// True when a value has left the band around the one that was sent.
    fn left(self, sent: f64, now: f64) -> bool {
        let moved = (now - sent).abs();
        match self {
            Self::Absolute(band) => moved > 0.0 && moved >= band,
            Self::Percent(share) => moved > 0.0 && moved >= sent.abs() * share / 100.0,
        }
    }
}

impl ShapeConfig {
    /// The field's own, or that of all.
    fn deadband_of(&self, field: &str) -> Option<Deadband> {
        self.fields.get(field).and_then(|shape| shape.deadband).or(self.deadband)
    }

    /// True when any field has one.
    pub(super) fn has_deadband(&self) -> bool {
        self.deadband.is_some() || self.fields.values().any(|shape| shape.deadband.is_some())
    }
}
