//! One discovered entity: where its state is, and what it is called here.

use super::template::{Taken, read};
use crate::shape::units::suffix_of;
use crate::source::mapping::{field_name, sensor_name};
use fogline_protocol::reading::{RESERVED_FIELDS, Value as Measured};
use serde_json::Value;

/// A sensor of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entity {
    pub(super) state_topic: String,
    taken: Taken,
    /// The device's name.
    pub(super) sensor: String,
    /// What it measures, with the unit at the end.
    pub(super) field: String,
    /// What a binary sensor says for true and false.
    on: String,
    off: String,
    binary: bool,
}

impl Entity {
    /// Reads a configuration.
    pub(super) fn read(topic: &str, payload: &[u8]) -> Result<Self, &'static str> {
        let config: Value = serde_json::from_slice(payload).map_err(|_| "it is not JSON")?;
        let text = |key: &str, short: &str| config.get(key).or_else(|| config.get(short)).and_then(Value::as_str);
        let base = text("~", "~").unwrap_or_default();
        let state_topic = text("state_topic", "stat_t").ok_or("it has no state topic")?.replace('~', base);
        let taken = match text("value_template", "val_tpl") {
            Some(template) => read(template).ok_or("its template calculates")?,
            None => Taken::Whole,
        };
        let levels: Vec<&str> = topic.split('/').collect();
        let object = levels.iter().rev().nth(1).copied().unwrap_or_default();
        let device = config.get("device").or_else(|| config.get("dev"));
        let device = device.and_then(|device| device.get("name").or_else(|| device.get("n"))).and_then(Value::as_str);
        // prefix/component/node/object/config; without a node the object stands for both.
        let node = levels
            .iter()
            .rev()
            .nth(2)
            .copied()
            .filter(|node| !matches!(*node, "sensor" | "binary_sensor"))
            .unwrap_or(object);
        let sensor = device.and_then(sensor_name).or_else(|| sensor_name(node)).ok_or("it has no name")?;
        let unit = text("unit_of_measurement", "unit_of_meas");
        let called =
            text("object_id", "obj_id").or_else(|| text("name", "name")).or_else(|| text("device_class", "dev_cla"));
        let named = match &taken {
            Taken::Path(path) => path.last_member().or(called),
            Taken::Whole => called,
        };
        let field = field(named.unwrap_or(object), &sensor, unit).ok_or("it has no name")?;
        let said = |key: &str, short: &str, default: &str| text(key, short).unwrap_or(default).to_owned();
        Ok(Self {
            state_topic,
            taken,
            sensor,
            field,
            on: said("payload_on", "pl_on", "ON"),
            off: said("payload_off", "pl_off", "OFF"),
            binary: levels.contains(&"binary_sensor"),
        })
    }

    /// Its value in a payload: a number, or for a binary sensor a truth value.
    pub(super) fn value(&self, json: &Value, plain: &str) -> Option<Measured<'static>> {
        let text = match &self.taken {
            Taken::Whole => plain.trim().to_owned(),
            Taken::Path(path) => match path.find(json)? {
                Value::String(text) => text.trim().to_owned(),
                Value::Bool(flag) if self.binary => return Some(Measured::Flag(*flag)),
                Value::Bool(_) | Value::Null | Value::Array(_) | Value::Object(_) => return None,
                Value::Number(number) => number.to_string(),
            },
        };
        if self.binary {
            let says = |word: &str| text == word;
            return if says(&self.on) {
                Some(Measured::Flag(true))
            } else {
                says(&self.off).then_some(Measured::Flag(false))
            };
        }
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(Measured::Number)
    }
}

/// The field's name: what it is called, without the device's name before it, and with the unit at the end.
fn field(called: &str, sensor: &str, unit: Option<&str>) -> Option<String> {
    let mut field = field_name(called)?;
    let device = field_name(sensor)?;
    if let Some(rest) = field
        .strip_prefix(&device)
        .and_then(|rest| rest.strip_prefix('_'))
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
    {
        field = rest.to_owned();
    }
    if let Some(suffix) = unit.and_then(suffix_of).filter(|suffix| !field.ends_with(&format!("_{suffix}"))) {
        field = format!("{field}_{suffix}");
    }
    if RESERVED_FIELDS.contains(&field.as_str()) {
        field.push_str("_value");
    }
    Some(field)
}
