//! Several sources in one file: the tables `[[sources]]`.
//!
//! Each has a `type`, the keys of that type, and those by which its readings are shaped. The flat keys (`source = ...`) are one more
//! source, the first.

use super::keys::{Keys, Problems};
use super::source::SourceConfig;
use super::{Settings, SourceKind};
use crate::durations::Span;
use crate::shape::{ShapeConfig, Shaping, interval, read_field_shape};
use crate::source::{exec, modbus, mqtt, push, serial, system};
use clap::ValueEnum;
use fogline_protocol::ids::{AgentId, is_name};
use toml::Table;

/// More sources than a device has: each has a thread.
const SOURCES_MAX: usize = 64;
/// The types that a table may have, beside those of the flat `source`.
const TYPES: [&str; 6] = ["exec", "http", "modbus", "mqtt", "serial", "system"];

/// One of several sources.
#[derive(Debug, Clone)]
pub struct SourceEntry {
    /// How it is called in logs, in the status, and when it is tuned. Unique within the agent.
    pub name: String,
    /// What it is.
    pub config: SourceConfig,
    /// What becomes of its readings before they are queued.
    pub shape: ShapeConfig,
}

impl Settings {
    /// The flat source, and those of the tables. None when there are problems.
    pub(super) fn check_sources(
        &self,
        given: &Self,
        id: Option<&AgentId>,
        problems: &mut Vec<String>,
    ) -> (Option<SourceConfig>, Vec<SourceEntry>) {
        let flat = match self.source {
            None if !self.sources.is_empty() => {
                given.check_strangers(SourceKind::None, problems);
                Some(SourceConfig::None)
            }
            Some(SourceKind::None) if !self.sources.is_empty() => {
                problems.push("source: none, and there are tables [[sources]]: leave out one of them".to_owned());
                None
            }
            _ => self.check_source(given, id, problems),
        };
        if self.sources.len() > SOURCES_MAX {
            problems.push(format!("sources: {}, give at most {SOURCES_MAX}", self.sources.len()));
        }
        let found = Problems::default();
        let mut entries: Vec<SourceEntry> = Vec::new();
        for (index, table) in self.sources.iter().enumerate().take(SOURCES_MAX) {
            let keys = Keys::new(format!("sources[{index}]"), table.clone(), &found);
            let taken =
                |name: &str| flat_name(self.source) == Some(name) || entries.iter().any(|entry| entry.name == name);
            let entry = read_entry(keys, taken, id);
            entries.extend(entry);
        }
        check_once(self.source, &entries, &found);
        problems.append(&mut found.into_inner());
        (flat, entries)
    }
}

/// The name of the flat source.
fn flat_name(kind: Option<SourceKind>) -> Option<&'static str> {
    Some(match kind? {
        SourceKind::Simulate => "simulate",
        SourceKind::Stdin => "stdin",
        SourceKind::Csv => "csv",
        SourceKind::Households => "households",
        SourceKind::Garage => "garage",
        SourceKind::None => return None,
    })
}

/// Standard input can be read once, and a position is that of one source.
fn check_once(flat: Option<SourceKind>, entries: &[SourceEntry], problems: &Problems) {
    for kind in ["stdin", "households", "garage"] {
        let tables = entries.iter().filter(|entry| entry.config.type_name() == kind).count();
        if tables + usize::from(flat_name(flat) == Some(kind)) > 1 {
            problems.borrow_mut().push(format!("sources: {kind} can be given once only, leave out the others"));
        }
    }
}

fn read_entry(mut keys: Keys<'_>, taken: impl Fn(&str) -> bool, id: Option<&AgentId>) -> Option<SourceEntry> {
    let before = keys.problems();
    let kind = keys.require::<String>("type", &format!("give one of {}", types()))?;
    let name = read_name(&mut keys, &kind, taken);
    let mut shape = ShapeConfig::default();
    let config = match kind.as_str() {
        "exec" => Some(SourceConfig::Exec(exec::read(&mut keys, &mut shape))),
        "mqtt" => {
            mqtt::read(&mut keys, &mut shape, id, name.as_deref()).map(|config| SourceConfig::Mqtt(Box::new(config)))
        }
        "http" => Some(SourceConfig::Http(Box::new(push::read(&mut keys, &mut shape)))),
        "modbus" => modbus::read(&mut keys, &mut shape).map(SourceConfig::Modbus),
        "serial" => serial::read(&mut keys, &mut shape).map(SourceConfig::Serial),
        "system" => Some(SourceConfig::System(system::read(&mut keys))),
        flat => match SourceKind::from_str(flat, false) {
            Ok(SourceKind::None) | Err(_) => {
                keys.problem("type", &format!("there is no source {flat:?}, give one of {}", types()));
                return None;
            }
            Ok(kind) => read_flat(&mut keys, kind, id),
        },
    };
    if config.as_ref().is_some_and(|config| config.shaping() != Shaping::Own) {
        read_shape(&mut keys, &mut shape, config.as_ref());
    }
    let clean = keys.problems() == before;
    keys.finish();
    let (name, config) = (name?, config?);
    clean.then_some(SourceEntry { name, config, shape })
}

fn types() -> String {
    let flat = SourceKind::value_variants().iter().filter_map(|kind| flat_name(Some(*kind)));
    TYPES.iter().copied().chain(flat).collect::<Vec<_>>().join(", ")
}

fn read_name(keys: &mut Keys<'_>, kind: &str, taken: impl Fn(&str) -> bool) -> Option<String> {
    let Some(name) = keys.get::<String>("name") else {
        let numbered = (2..).map(|number| format!("{kind}-{number}"));
        return std::iter::once(kind.to_owned()).chain(numbered).find(|name| !taken(name));
    };
    if !is_name(&name) {
        keys.problem("name", &format!("{name:?} is not a name: {}", super::source::NAME_RULE));
        return None;
    }
    if taken(&name) {
        keys.problem("name", &format!("another source is called {name:?} too, give each its own"));
        return None;
    }
    Some(name)
}

/// The keys that all shaped sources have.
fn read_shape(keys: &mut Keys<'_>, shape: &mut ShapeConfig, config: Option<&SourceConfig>) {
    let read = ShapeConfig::read(keys);
    let mapped = std::mem::take(&mut shape.fields);
    *shape = ShapeConfig { fields: mapped, ..read };
    if config.is_some_and(|config| config.shaping() == Shaping::Pushed) {
        shape.every = keys.get::<Span>("every").and_then(|span| interval(keys, "every", span));
    }
    // A source that maps payloads has read them already, with where each comes from.
    for (field, mut table) in keys.named_tables("fields") {
        let read = read_field_shape(&mut table, &field);
        table.finish();
        shape.fields.insert(field, read);
    }
}

/// A source that has flat keys too: they are read and checked as there.
fn read_flat(keys: &mut Keys<'_>, kind: SourceKind, id: Option<&AgentId>) -> Option<SourceConfig> {
    let mut given = Settings { source: Some(kind), ..Settings::default() };
    for key in FLAT_KEYS {
        let Some(value) = keys.take(key) else { continue };
        match Table::from_iter([(key.to_owned(), value)]).try_into::<Settings>() {
            Ok(setting) => given = given.or(setting),
            Err(error) => keys.problem(key, error.message()),
        }
    }
    let settings = given.clone().or(Settings::source_defaults(&given));
    let mut problems = Vec::new();
    let config = settings.check_source(&given, id, &mut problems);
    for problem in problems {
        let (key, text) = problem.split_once(": ").unwrap_or(("type", &problem));
        keys.problem(key, text);
    }
    config
}

/// The flat keys that speak of a source.
const FLAT_KEYS: [&str; 24] = [
    "kind",
    "sensor",
    "raw",
    "rate",
    "sensors",
    "seed",
    "count",
    "reading_bytes",
    "file",
    "pace",
    "times",
    "from_start",
    "dir",
    "households",
    "from",
    "to",
    "garages",
    "capacity",
    "tariff_cents",
    "time_column",
    "time_unit",
    "value_columns",
    "delimiter",
    "title_lines",
];

#[cfg(test)]
mod tests;
