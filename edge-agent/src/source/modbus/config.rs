//! The keys of a modbus source.

use super::register::{Number, Register, Table};
use crate::durations::Span;
use crate::settings::keys::Keys;
use crate::shape::{ShapeConfig, interval, read_field_shape};
use fogline_protocol::ids::is_name;
use fogline_protocol::reading::{FIELDS_MAX, Readings, Value};
use fogline_protocol::time::Wall;
use serde::Deserialize;
use std::time::Duration;

/// How often the device is asked, unless configured otherwise.
const EVERY: Duration = Duration::from_secs(10);
/// How long it may take to answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The port of Modbus TCP.
const PORT: u16 = 502;

/// A device and what is asked of it.
#[derive(Debug, Clone)]
pub struct ModbusConfig {
    /// `HOST:PORT`.
    pub address: String,
    /// The device behind the address: 1 to 247, or 0 and 255 for that of the address itself.
    pub unit_id: u8,
    /// How often.
    pub every: Duration,
    /// For a connection, and for each answer.
    pub timeout: Duration,
    /// The sensor's name.
    pub sensor: String,
    /// The kind of its readings.
    pub kind: String,
    /// What is asked for: all of it becomes one reading.
    pub registers: Vec<Register>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WordOrder {
    Big,
    Little,
}

/// Reads the table of such a source.
pub(crate) fn read(keys: &mut Keys<'_>, shape: &mut ShapeConfig) -> Option<ModbusConfig> {
    let address = keys
        .require::<String>("address", "give the device's, as in 192.0.2.7:502")
        .map(|text| read_address(keys, &text));
    let unit_id = keys.get("unit_id").unwrap_or(1);
    let every = keys.get::<Span>("every").and_then(|span| interval(keys, "every", span)).unwrap_or(EVERY);
    let timeout = keys.get::<Span>("timeout").and_then(|span| interval(keys, "timeout", span)).unwrap_or(TIMEOUT);
    let mut name = |key: &str, default: &str| {
        let name = keys.get::<String>(key).unwrap_or_else(|| default.to_owned());
        if !is_name(&name) {
            keys.problem(key, &format!("{name:?} is not a name: {}", crate::settings::NAME_RULE));
        }
        name
    };
    let (sensor, kind) = (name("sensor", "modbus"), name("kind", "generic"));
    let order = keys.get::<WordOrder>("word_order").unwrap_or(WordOrder::Big);
    let tables = keys.tables("registers");
    if tables.is_empty() || tables.len() > FIELDS_MAX {
        keys.problem("registers", &format!("{}, give 1 to {FIELDS_MAX} tables [[sources.registers]]", tables.len()));
    }
    let registers: Vec<Register> = tables.into_iter().filter_map(|table| read_register(table, order, shape)).collect();
    let fields: Vec<(&str, Value<'_>)> =
        registers.iter().map(|register| (register.field.as_str(), Value::Number(0.0))).collect();
    if !fields.is_empty()
        && let Err(error) = Readings::new().push(Wall::MIN, "s", "k", &fields)
    {
        keys.problem("registers", &error.to_string());
    }
    Some(ModbusConfig { address: address??, unit_id, every, timeout, sensor, kind, registers })
}

/// With a port, whether one is given or not.
fn read_address(keys: &Keys<'_>, text: &str) -> Option<String> {
    let host = |host: &str| !host.is_empty() && !host.contains(['/', ' ', '@']);
    let bare_v6 = text.starts_with('[') && text.ends_with(']');
    match text.rsplit_once(':').filter(|_| !bare_v6) {
        Some((before, port)) if host(before) && port.parse::<u16>().is_ok_and(|port| port > 0) => Some(text.to_owned()),
        None if host(text) => Some(format!("{text}:{PORT}")),
        _ => {
            keys.problem("address", &format!("{text:?}, give HOST:PORT as in 192.0.2.7:502"));
            None
        }
    }
}

fn read_register(mut table: Keys<'_>, default_order: WordOrder, shape: &mut ShapeConfig) -> Option<Register> {
    let field =
        table.require::<String>("field", "give the field that it becomes, with its unit at the end, as in power_w");
    let address =
        table.require("address", "give the one in the protocol, counted from 0: 40001 in a manual is holding 0");
    let kind = table.get::<Table>("table").unwrap_or(Table::Holding);
    let bits = matches!(kind, Table::Coils | Table::Discrete);
    let number = table.get::<Number>("type");
    if bits && number.is_some() {
        table.problem("type", "a bit is true or false, leave it out");
    }
    let order = table.get("word_order").unwrap_or(default_order);
    if let Some(field) = &field {
        let read = read_field_shape(&mut table, field);
        shape.fields.insert(field.clone(), read);
    }
    table.finish();
    Some(Register {
        field: field?,
        table: kind,
        address: address?,
        number: number.unwrap_or(Number::U16),
        little: order == WordOrder::Little,
    })
}
