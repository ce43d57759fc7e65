//! How families of devices call what they measure, and what Fogline calls it: with the unit at the end.

use super::names::field_name;
use crate::shape::Linear;
use fogline_protocol::reading::{RESERVED_FIELDS, Value};

/// Names of one family of devices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Convention {
    /// Words with which fields end, what is put in their place, and how the value is converted.
    pub known: &'static [(&'static str, &'static str, Linear)],
    /// Keys that are no measurements: counters of the firmware, numbers of messages.
    pub ignored: &'static [&'static str],
}

/// Keeps all names.
pub static NONE: Convention = Convention { known: &[], ignored: &[] };

impl Convention {
    /// Adds a field whose whole name is `name` and whose own key is `key`, under the name that it should have. One that has no name that a
    /// field can have is left out.
    pub(super) fn push<'v>(&self, name: &str, key: &str, value: Value<'v>, fields: &mut Vec<(String, Value<'v>)>) {
        let leaf = key.rsplit('/').next().and_then(field_name).unwrap_or_default();
        let Some(mut name) = field_name(name).filter(|_| !self.ignored.contains(&leaf.as_str())) else { return };
        let mut value = value;
        // Of several that fit the longest says most: `reactive_power` goes before `power`.
        let fitting = self.known.iter().filter(|(known, _, _)| before(&name, known).is_some());
        if let (Some((known, instead, line)), Value::Number(number)) =
            (fitting.max_by_key(|(known, _, _)| known.len()), value)
        {
            name = joined(before(&name, known).unwrap_or_default(), instead);
            value = Value::Number(line.apply(number));
        }
        if RESERVED_FIELDS.contains(&name.as_str()) {
            name.push_str("_value");
        }
        if !fields.iter().any(|(taken, _)| *taken == name) {
            fields.push((name, value));
        }
    }
}

/// What is before `known` in a name that ends with it: nothing, or whole words.
fn before<'a>(name: &'a str, known: &str) -> Option<&'a str> {
    let before = name.strip_suffix(known)?;
    (before.is_empty() || before.ends_with('_')).then_some(before)
}

/// `temperature_` and `temperature_c` are `temperature_c`.
fn joined(before: &str, instead: &str) -> String {
    let first = instead.split('_').next().unwrap_or_default();
    let before = before.strip_suffix('_').unwrap_or(before);
    let before = before.strip_suffix(first).map_or(before, |rest| rest.strip_suffix('_').unwrap_or(rest));
    if before.is_empty() { instead.to_owned() } else { format!("{before}_{instead}") }
}
