//! From what a device says to readings: plain numbers, JSON, readings as JSON, rows of CSV, or text that a regular expression takes apart.
//!
//! All forms become one JSON value first, so that paths, names and times are found in the same way everywhere.

mod config;
mod convention;
mod names;
mod path;
mod template;
mod text;

pub(crate) use config::{Allowed, read};
pub use convention::{Convention, NONE as NO_CONVENTION};
pub use names::{field_name, sensor_name};
pub use path::JsonPath;
pub use template::Template;
pub use text::TextForm;

use super::csv::TimeUnit;
use crate::shape::Linear;
use fogline_protocol::reading::{FIELDS_MAX, ReadingError, Readings, TEXT_MAX_BYTES, Value as Measured};
use fogline_protocol::time::Wall;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A JSON object.
type Object = Map<String, Value>;

/// The longest payload that is looked at, in bytes: Zigbee2MQTT's longest messages have some 10 KB.
pub const PAYLOAD_MAX_BYTES: usize = 64 * 1024;
/// How deep objects are searched for numbers where no paths are given.
const DEPTH_MAX: usize = 4;

/// How payloads become readings.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// How the payload is written.
    pub form: TextForm,
    /// The sensor, made into a name.
    pub sensor: Template,
    /// The kind, made into a name.
    pub kind: Template,
    /// The field of a payload that is one value.
    pub field: Template,
    /// Where the time is, and how it is written; none: when it came.
    pub time: Option<(JsonPath, TimeUnit)>,
    /// Fields and where they are; empty: every number and truth value that the payload has, under the names of its keys.
    pub values: Vec<(JsonPath, String)>,
    /// How numbers are scaled and converted, by the names of their fields: other topics of a source may give the same field otherwise.
    pub lines: BTreeMap<String, Linear>,
    /// How a family of devices calls things, for payloads without paths.
    pub convention: &'static Convention,
}

/// Why a payload is no reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Longer than [`PAYLOAD_MAX_BYTES`].
    #[error("{0} bytes are too long for a payload, at most 65536 are read")]
    TooLong(usize),
    /// Not written as it should be.
    #[error("it is not {0}")]
    Form(&'static str),
    /// A template or a path found nothing.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// The time is not written so.
    #[error("its time is not written in the configured unit")]
    Time,
    /// What came out is not a reading.
    #[error(transparent)]
    Reading(#[from] ReadingError),
}

impl Mapping {
    /// Adds the reading that a payload holds to `into`. `levels` are those of its topic, if it came on one.
    ///
    /// # Errors
    /// Why it holds none; nothing is added then.
    pub fn map(&self, payload: &[u8], levels: &[&str], now: Wall, into: &mut Readings) -> Result<(), MappingError> {
        if payload.len() > PAYLOAD_MAX_BYTES {
            return Err(MappingError::TooLong(payload.len()));
        }
        let value = self.form.read(payload)?;
        self.map_value(&value, levels, now, into)
    }

    /// The same for a payload that was read as JSON already.
    ///
    /// # Errors
    /// As [`Mapping::map`].
    pub fn map_value(
        &self,
        value: &Value,
        levels: &[&str],
        now: Wall,
        into: &mut Readings,
    ) -> Result<(), MappingError> {
        if let Some((object, fields)) = self.as_reading(value) {
            return self.map_reading(object, fields, levels, now, into);
        }
        let sensor = self
            .sensor
            .fill(levels, value)
            .and_then(|text| sensor_name(&text))
            .ok_or(MappingError::Missing("sensor"))?;
        let kind =
            self.kind.fill(levels, value).and_then(|text| sensor_name(&text)).ok_or(MappingError::Missing("kind"))?;
        let fields = self.fields(value, levels)?;
        let fields: Vec<(&str, Measured<'_>)> =
            fields.iter().map(|(name, value)| (name.as_str(), self.scaled(name, *value))).collect();
        Ok(into.push(self.time(value, now)?, &sensor, &kind, &fields)?)
    }

    /// A reading in Fogline's own form, where the configuration does not say that it is something else.
    fn as_reading<'v>(&self, value: &'v Value) -> Option<(&'v Object, &'v Object)> {
        let object = value.as_object().filter(|_| self.values.is_empty() && self.form.may_be_reading())?;
        Some((object, object.get("fields")?.as_object()?))
    }

    fn map_reading(
        &self,
        object: &Object,
        fields: &Object,
        levels: &[&str],
        now: Wall,
        into: &mut Readings,
    ) -> Result<(), MappingError> {
        let named = |key: &'static str, template: &Template| match object.get(key) {
            Some(name) => name.as_str().map(str::to_owned).ok_or(MappingError::Missing(key)),
            None => {
                let filled = template.fill(levels, &Value::Null).and_then(|text| sensor_name(&text));
                filled.ok_or(MappingError::Missing(key))
            }
        };
        let ts = match object.get("ts_us") {
            Some(ts) => Wall::from_us(ts.as_i64().ok_or(MappingError::Time)?),
            None => now,
        };
        let fields: Option<Vec<(&str, Measured<'_>)>> =
            fields.iter().map(|(name, value)| Some((name.as_str(), self.scaled(name, plain(value)?)))).collect();
        let fields =
            fields.ok_or(MappingError::Form("a reading: its fields are numbers, truth values and short texts"))?;
        Ok(into.push(ts, &named("sensor", &self.sensor)?, &named("kind", &self.kind)?, &fields)?)
    }

    fn fields<'v>(&self, value: &'v Value, levels: &[&str]) -> Result<Vec<(String, Measured<'v>)>, MappingError> {
        let mut fields = Vec::new();
        if !self.values.is_empty() {
            let found = |(path, name): &(JsonPath, String)| Some((name.clone(), measured(path.find(value)?)?));
            fields.extend(self.values.iter().filter_map(found));
        } else if value.is_object() {
            gather(value, "", 0, self.convention, &mut fields);
        } else if let Some(single) = measured(value) {
            let name = self.field.fill(levels, value).ok_or(MappingError::Missing("field"))?;
            self.convention.push(&name, &name, single, &mut fields);
        }
        fields.truncate(FIELDS_MAX);
        if fields.is_empty() { Err(MappingError::Missing("value that could be a field")) } else { Ok(fields) }
    }

    fn scaled<'v>(&self, name: &str, value: Measured<'v>) -> Measured<'v> {
        match (value, self.lines.get(name)) {
            (Measured::Number(number), Some(line)) => Measured::Number(line.apply(number)),
            (value, _) => value,
        }
    }

    fn time(&self, value: &Value, now: Wall) -> Result<Wall, MappingError> {
        let Some((path, unit)) = &self.time else { return Ok(now) };
        let text = match path.find(value) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(MappingError::Missing("time")),
        };
        unit.parse(&text).ok_or(MappingError::Time)
    }
}

/// Gathers the numbers and truth values of an object under its keys, those of inner objects after the keys of the outer ones. Texts and
/// lists are left: they are names, versions and histories.
fn gather<'v>(
    value: &'v Value,
    before: &str,
    depth: usize,
    convention: &Convention,
    fields: &mut Vec<(String, Measured<'v>)>,
) {
    let Some(object) = value.as_object().filter(|_| depth < DEPTH_MAX) else { return };
    for (key, value) in object {
        let name = if before.is_empty() { key.clone() } else { format!("{before}_{key}") };
        match value {
            Value::Object(_) => gather(value, &name, depth + 1, convention, fields),
            _ => match measured(value) {
                Some(found @ (Measured::Number(_) | Measured::Flag(_))) if fields.len() < FIELDS_MAX => {
                    convention.push(&name, key, found, fields);
                }
                _ => {}
            },
        }
    }
}

/// A value as it stands.
fn plain(value: &Value) -> Option<Measured<'_>> {
    match value {
        Value::Number(number) => number.as_f64().map(Measured::Number),
        Value::Bool(flag) => Some(Measured::Flag(*flag)),
        Value::String(text) => Some(Measured::Text(text)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A value as devices write it: numbers may be texts, and truth is `ON` and `OFF`.
fn measured(value: &Value) -> Option<Measured<'_>> {
    let Value::String(text) = value else { return plain(value) };
    let text = text.trim();
    if let Some(number) = text.parse().ok().filter(|number: &f64| number.is_finite()) {
        return Some(Measured::Number(number));
    }
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "open" => Some(Measured::Flag(true)),
        "off" | "false" | "closed" => Some(Measured::Flag(false)),
        _ => (!text.is_empty() && text.len() <= TEXT_MAX_BYTES).then_some(Measured::Text(text)),
    }
}

#[cfg(test)]
mod tests;
