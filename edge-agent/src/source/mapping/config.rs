//! The keys of a table that say how payloads become readings.

use super::{Mapping, NO_CONVENTION, Template, TextForm};
use crate::settings::TimeFormat;
use crate::settings::keys::Keys;
use crate::shape::{FieldShape, Linear, ShapeConfig, read_field_shape};
use crate::source::csv::TimeUnit;
use fogline_protocol::reading::{FIELDS_MAX, Readings, Value};
use fogline_protocol::time::Wall;
use regex_lite::RegexBuilder;
use std::collections::BTreeMap;

/// More memory than any expression for a line needs.
const REGEX_MAX_BYTES: usize = 256 * 1024;

/// What a source can fill in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowed {
    /// The sensor, when none is given: the source's name.
    pub(crate) sensor: &'static str,
    /// The kind, when none is given.
    pub(crate) kind: &'static str,
}

/// Reads `format`, `sensor`, `kind`, `field`, `time`, `time_unit` and `fields.NAME.from`; how fields are shaped goes to `shape`.
pub(crate) fn read(keys: &mut Keys<'_>, defaults: Allowed, shape: &mut ShapeConfig) -> Mapping {
    let form = read_form(keys);
    let mut template = |key: &str, default: &str| match keys.get::<Template>(key) {
        Some(template) => template,
        // The defaults of this program are templates.
        None => default.parse().unwrap_or_else(|_| unreachable!("{default:?} is a template")),
    };
    let (sensor, kind) = (template("sensor", defaults.sensor), template("kind", defaults.kind));
    let field = template("field", "value");
    check_fixed(keys, "sensor", &sensor);
    check_fixed(keys, "kind", &kind);
    let time = read_time(keys);
    let (values, lines) = read_values(keys, shape);
    Mapping { form, sensor, kind, field, time, values, lines, convention: &NO_CONVENTION }
}

fn check_fixed(keys: &Keys<'_>, key: &str, template: &Template) {
    let text = template.is_fixed().then(|| template.fill(&[], &serde_json::Value::Null)).flatten();
    if let Some(text) = text.filter(|text| !fogline_protocol::ids::is_name(text)) {
        keys.problem(key, &format!("{text:?} is not a name: {}", crate::settings::NAME_RULE));
    }
}

fn read_form(keys: &mut Keys<'_>) -> TextForm {
    let form = keys.get::<String>("format").unwrap_or_else(|| "auto".to_owned());
    match form.as_str() {
        "auto" => TextForm::Auto,
        "number" => TextForm::Number,
        "json" => TextForm::Json,
        "reading" => TextForm::Reading,
        "csv" => TextForm::Csv {
            columns: keys.require("columns", "name the cells as in [\"time\", \"temperature_c\"]").unwrap_or_default(),
            delimiter: keys.get("delimiter").unwrap_or(','),
        },
        "regex" => read_regex(keys).unwrap_or(TextForm::Auto),
        _ => {
            keys.problem("format", &format!("{form:?}, give auto, number, json, reading, csv or regex"));
            TextForm::Auto
        }
    }
}

fn read_regex(keys: &mut Keys<'_>) -> Option<TextForm> {
    let text =
        keys.require::<String>("regex", "give an expression with named groups as in T=(?<temperature_c>[0-9.]+)")?;
    match RegexBuilder::new(&text).size_limit(REGEX_MAX_BYTES).build() {
        Ok(expression) if expression.capture_names().flatten().next().is_some() => Some(TextForm::Regex(expression)),
        Ok(_) => {
            keys.problem("regex", "it has no named group, write one as in T=(?<temperature_c>[0-9.]+)");
            None
        }
        Err(error) => {
            keys.problem("regex", &error.to_string());
            None
        }
    }
}

fn read_time(keys: &mut Keys<'_>) -> Option<(super::JsonPath, TimeUnit)> {
    let unit = match keys.get::<TimeFormat>("time_unit") {
        Some(TimeFormat::Us) => TimeUnit::Us,
        Some(TimeFormat::S) => TimeUnit::S,
        Some(TimeFormat::Ms) => TimeUnit::Ms,
        Some(TimeFormat::Rfc3339) | None => TimeUnit::Rfc3339,
    };
    keys.get("time").map(|path| (path, unit))
}

/// Where values are and how they are scaled. Whether they moved, and their windows, are the business of the stage.
fn read_values(
    keys: &mut Keys<'_>,
    shape: &mut ShapeConfig,
) -> (Vec<(super::JsonPath, String)>, BTreeMap<String, Linear>) {
    let tables = keys.named_tables("fields");
    if tables.len() > FIELDS_MAX {
        keys.problem("fields", &format!("{}, give at most {FIELDS_MAX}", tables.len()));
    }
    let (mut values, mut lines) = (Vec::new(), BTreeMap::new());
    for (field, mut table) in tables {
        check_field(&table, &field);
        values.extend(table.get("from").map(|path| (path, field.clone())));
        let read = read_field_shape(&mut table, &field);
        table.finish();
        lines.insert(field.clone(), read.line);
        if read.deadband.is_some() || !read.aggregates.is_empty() {
            shape.fields.insert(field, FieldShape { line: Linear::IDENTITY, ..read });
        }
    }
    (values, lines)
}

/// A field's name that no reading could have.
fn check_field(table: &Keys<'_>, field: &str) {
    if let Err(error) = Readings::new().push(Wall::MIN, "s", "k", &[(field, Value::Number(0.0))]) {
        table.problem("from", &error.to_string());
    }
}
