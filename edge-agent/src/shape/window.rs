//! Windows of event time: many readings of a sensor become one.

use super::config::{FieldShape, ShapeConfig};
use fogline_protocol::reading::{FIELDS_MAX, ReadingError, ReadingRef, Readings, Value};
use fogline_protocol::time::{Monotonic, Wall};
use serde::Deserialize;
use std::time::Duration;

/// The field that says how many readings a window had.
const COUNT_FIELD: &str = "n";

/// What becomes of the numbers of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// Their mean.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The first.
    First,
    /// The last.
    Last,
    /// Their sum.
    Sum,
    /// How many there were.
    Count,
}

impl Aggregate {
    const fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::First => "first",
            Self::Last => "last",
            Self::Sum => "sum",
            Self::Count => "count",
        }
    }
}

/// An open window of one sensor.
#[derive(Debug)]
pub(super) struct Window {
    start: Wall,
    width: Duration,
    touched: Monotonic,
    count: u32,
    fields: Vec<(String, Fold)>,
}

#[derive(Debug)]
enum Fold {
    Numbers { first: f64, last: f64, min: f64, max: f64, sum: f64, count: u32 },
    Flag(bool),
    Text(String),
}

impl Window {
    /// The first window that has this time in it.
    pub(super) fn at(ts: Wall, width: Duration) -> Self {
        Self { start: start_of(ts, width), width, touched: Monotonic::ZERO, count: 0, fields: Vec::new() }
    }

    /// True when a reading of this time belongs to it, and its fields have room beside those that are there.
    pub(super) fn takes(&self, reading: ReadingRef<'_>) -> bool {
        let new = reading.fields().filter(|(name, _)| !self.fields.iter().any(|(known, _)| known == name)).count();
        start_of(reading.ts(), self.width) == self.start && self.fields.len() + new < FIELDS_MAX.max(new + 1)
    }

    pub(super) fn add(&mut self, reading: ReadingRef<'_>, now: Monotonic) {
        self.count = self.count.saturating_add(1);
        self.touched = now;
        for (name, value) in reading.fields() {
            match self.fields.iter_mut().find(|(known, _)| known == name) {
                Some((_, fold)) => fold.add(value),
                None => self.fields.push((name.to_owned(), Fold::new(value))),
            }
        }
    }

    /// When it closes if nothing comes: nothing was added for as long as it lasts.
    pub(super) fn closes_at(&self) -> Monotonic {
        self.touched + self.width
    }

    /// Writes the one reading that it becomes. Its time is the window's beginning.
    pub(super) fn write(
        &self,
        sensor: &str,
        kind: &str,
        config: &ShapeConfig,
        out: &mut Readings,
    ) -> Result<(), ReadingError> {
        let mut fields: Vec<(String, Value<'_>)> = Vec::new();
        for (name, fold) in self.fields.iter().filter(|(name, _)| name != COUNT_FIELD) {
            let aggregates = config.aggregates_of(name);
            match fold {
                Fold::Flag(flag) => fields.push((name.clone(), Value::Flag(*flag))),
                Fold::Text(text) => fields.push((name.clone(), Value::Text(text))),
                Fold::Numbers { .. } => {
                    fields.extend(aggregates.iter().enumerate().map(|(index, aggregate)| {
                        // The first keeps the field's name; the others end with its unit too.
                        let name = if index == 0 { name.clone() } else { format!("{}_{name}", aggregate.name()) };
                        (name, Value::Number(fold.number(*aggregate)))
                    }));
                }
            }
        }
        fields.truncate(FIELDS_MAX);
        if fields.len() < FIELDS_MAX {
            fields.push((COUNT_FIELD.to_owned(), Value::Number(f64::from(self.count))));
        }
        let fields: Vec<(&str, Value<'_>)> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        out.push(self.start, sensor, kind, &fields)
    }
}

impl Fold {
    fn new(value: Value<'_>) -> Self {
        match value {
            Value::Number(number) => {
                Self::Numbers { first: number, last: number, min: number, max: number, sum: number, count: 1 }
            }
            Value::Flag(flag) => Self::Flag(flag),
            Value::Text(text) => Self::Text(text.to_owned()),
        }
    }

    fn add(&mut self, value: Value<'_>) {
        match (&mut *self, value) {
            // Two huge numbers may have no finite sum: the later one stands then.
            (Self::Numbers { last, min, max, sum, count, .. }, Value::Number(number))
                if (*sum + number).is_finite() =>
            {
                *last = number;
                *min = min.min(number);
                *max = max.max(number);
                *sum += number;
                *count = count.saturating_add(1);
            }
            _ => *self = Self::new(value),
        }
    }

    fn number(&self, aggregate: Aggregate) -> f64 {
        let Self::Numbers { first, last, min, max, sum, count } = self else { return 0.0 };
        match aggregate {
            Aggregate::Mean => sum / f64::from(*count),
            Aggregate::Min => *min,
            Aggregate::Max => *max,
            Aggregate::First => *first,
            Aggregate::Last => *last,
            Aggregate::Sum => *sum,
            Aggregate::Count => f64::from(*count),
        }
    }
}

impl ShapeConfig {
    /// What becomes of a field's numbers: its own setting, the source's, or the last one of a counter and the mean of others.
    fn aggregates_of(&self, field: &str) -> &[Aggregate] {
        const COUNTERS: [&str; 2] = ["_kwh", "_total"];
        let own = self.fields.get(field).map(|shape: &FieldShape| shape.aggregates.as_slice()).unwrap_or_default();
        match (own, self.aggregates.as_slice()) {
            ([], []) if COUNTERS.iter().any(|end| field.ends_with(end)) => &[Aggregate::Last],
            ([], []) => &[Aggregate::Mean],
            ([], all) => all,
            (own, _) => own,
        }
    }
}

/// Where the window of a width begins that a time is in: windows are counted from 1970.
pub(super) fn start_of(ts: Wall, width: Duration) -> Wall {
    let width = i64::try_from(width.as_micros()).unwrap_or(i64::MAX).max(1);
    Wall::from_us(ts.us() - ts.us().rem_euclid(width))
}
