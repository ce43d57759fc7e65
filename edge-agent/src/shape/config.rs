//! The keys of a source's table that say how its readings are shaped.

use super::linear::Linear;
use super::units::conversion;
use super::window::Aggregate;
use crate::durations::Span;
use crate::settings::keys::Keys;
use crate::tuning::{TUNED_MAX, TUNED_MIN};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// A value is sent after so long, though it did not move, unless configured otherwise: two of Prometheus' usual five minutes.
const MAX_SILENCE: Duration = Duration::from_secs(600);

/// How far a number may move and still not be sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deadband {
    /// In the field's unit.
    Absolute(f64),
    /// Of the value that was sent last.
    Percent(f64),
}

/// How one field is shaped.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldShape {
    /// Scale and offset as configured, and then the conversion of units.
    pub line: Linear,
    /// Its own deadband, if it has one.
    pub deadband: Option<Deadband>,
    /// What becomes of it in windows; empty: as for the source.
    pub aggregates: Vec<Aggregate>,
}

/// How readings are shaped.
#[derive(Debug, Clone, PartialEq)]
pub struct ShapeConfig {
    /// At most one reading of a sensor in each such interval is taken. None: all.
    pub every: Option<Duration>,
    /// The width of windows. None: readings go as they are.
    pub window: Option<Duration>,
    /// What becomes of numbers in windows; empty: the last of counters, the mean of others.
    pub aggregates: Vec<Aggregate>,
    /// For all fields without one of their own.
    pub deadband: Option<Deadband>,
    /// After so long a value is sent though it did not move.
    pub max_silence: Duration,
    /// By the names of fields.
    pub fields: BTreeMap<String, FieldShape>,
}

impl Default for ShapeConfig {
    fn default() -> Self {
        Self {
            every: None,
            window: None,
            aggregates: Vec::new(),
            deadband: None,
            max_silence: MAX_SILENCE,
            fields: BTreeMap::new(),
        }
    }
}

impl ShapeConfig {
    /// True when it leaves readings as they are.
    pub(super) fn is_identity(&self) -> bool {
        self.every.is_none() && self.window.is_none() && self.fields.is_empty() && self.deadband.is_none()
    }
}

/// What a source lets the stage do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shaping {
    /// Everything. `every` thins what comes.
    Pushed,
    /// Everything. `every` is how often the source asks.
    Polled,
    /// Nothing: the source has a position, and averages by itself.
    Own,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a number in the field's unit, or a share as \"5%\"")]
enum WrittenDeadband {
    Absolute(f64),
    Whole(i64),
    Percent(String),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "one of mean, min, max, first, last, sum, count, or a list of them")]
enum WrittenAggregates {
    One(Aggregate),
    Many(Vec<Aggregate>),
}

impl ShapeConfig {
    /// Reads the keys that shape all of a source's readings, but `every` and the fields.
    pub(crate) fn read(keys: &mut Keys<'_>) -> Self {
        let window = keys.get::<Span>("window").and_then(|span| interval(keys, "window", span));
        let max_silence = keys.get::<Span>("max_silence").and_then(|span| interval(keys, "max_silence", span));
        let aggregates = aggregates(keys);
        let deadband = deadband(keys);
        Self { window, aggregates, deadband, max_silence: max_silence.unwrap_or(MAX_SILENCE), ..Self::default() }
    }
}

/// A length in the range that can be tuned.
pub(crate) fn interval(keys: &mut Keys<'_>, key: &str, span: Span) -> Option<Duration> {
    let fits = (TUNED_MIN..=TUNED_MAX).contains(&span.0);
    if !fits {
        keys.problem(key, &format!("{span}, give {} to {}", Span(TUNED_MIN), Span(TUNED_MAX)));
    }
    fits.then_some(span.0)
}

/// Reads the keys that shape the field of this name: `scale`, `offset`, `unit`, `deadband`, `aggregate`.
pub(crate) fn read_field_shape(keys: &mut Keys<'_>, field: &str) -> FieldShape {
    let (scale, offset) = (keys.number("scale").unwrap_or(1.0), keys.number("offset").unwrap_or(0.0));
    if scale == 0.0 {
        keys.problem("scale", "everything would be 0, give another factor");
    }
    let unit = keys.get::<String>("unit").map(|unit| conversion(&unit, field));
    let conversion = match unit {
        Some(Ok(line)) => line,
        Some(Err(problem)) => {
            keys.problem("unit", &problem);
            Linear::IDENTITY
        }
        None => Linear::IDENTITY,
    };
    FieldShape {
        line: Linear { scale, offset }.then(conversion),
        deadband: deadband(keys),
        aggregates: aggregates(keys),
    }
}

fn aggregates(keys: &mut Keys<'_>) -> Vec<Aggregate> {
    match keys.get::<WrittenAggregates>("aggregate") {
        Some(WrittenAggregates::One(one)) => vec![one],
        Some(WrittenAggregates::Many(many)) => many,
        None => Vec::new(),
    }
}

fn deadband(keys: &mut Keys<'_>) -> Option<Deadband> {
    let band = match keys.get::<WrittenDeadband>("deadband")? {
        WrittenDeadband::Absolute(band) => Some(Deadband::Absolute(band)),
        #[expect(clippy::cast_precision_loss, reason = "a band of 2^53 is no band")]
        WrittenDeadband::Whole(band) => Some(Deadband::Absolute(band as f64)),
        WrittenDeadband::Percent(text) => {
            text.trim().strip_suffix('%').and_then(|share| share.trim().parse().ok()).map(Deadband::Percent)
        }
    };
    let usable = band.filter(|(Deadband::Absolute(size) | Deadband::Percent(size))| size.is_finite() && *size >= 0.0);
    if usable.is_none() {
        keys.problem("deadband", "give a number in the field's unit, or a share as \"5%\"");
    }
    usable
}

#[cfg(test)]
impl ShapeConfig {
    /// With one field shaped.
    pub(super) fn with_field(mut self, field: &str, shape: FieldShape) -> Self {
        self.fields.insert(field.to_owned(), shape);
        self
    }
}
