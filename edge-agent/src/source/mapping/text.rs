//! The forms in which devices write, each read into one JSON value.

use super::{MappingError, measured};
use regex_lite::Regex;
use serde_json::{Map, Value};

/// How a payload or a line is written.
#[derive(Debug, Clone)]
pub enum TextForm {
    /// A number, a truth value, an object, or a reading: as it looks.
    Auto,
    /// One number or truth value.
    Number,
    /// JSON.
    Json,
    /// A reading as JSON.
    Reading,
    /// A row of cells.
    Csv {
        /// What the cells are called, in their order. Cells without a name are passed over.
        columns: Vec<String>,
        /// Between cells.
        delimiter: char,
    },
    /// Text with the named groups of an expression in it.
    Regex(Regex),
}

impl TextForm {
    /// The JSON value that a text stands for: an object of texts for rows and expressions.
    pub(super) fn read(&self, payload: &[u8]) -> Result<Value, MappingError> {
        let text = std::str::from_utf8(payload).map_err(|_| MappingError::Form("text in UTF-8"))?.trim();
        match self {
            Self::Auto => match text.chars().next() {
                Some('{' | '[' | '"') => json(text),
                _ => single(text),
            },
            Self::Number => single(text),
            Self::Json => json(text),
            Self::Reading => json(text)
                .ok()
                .filter(|value| value.get("fields").is_some())
                .ok_or(MappingError::Form("a reading as JSON")),
            Self::Csv { columns, delimiter } => row(text, columns, *delimiter),
            Self::Regex(expression) => groups(text, expression),
        }
    }

    /// True when an object with `fields` is a reading.
    pub(super) fn may_be_reading(&self) -> bool {
        matches!(self, Self::Auto | Self::Reading)
    }
}

fn json(text: &str) -> Result<Value, MappingError> {
    serde_json::from_str(text).map_err(|_| MappingError::Form("JSON"))
}

fn single(text: &str) -> Result<Value, MappingError> {
    use fogline_protocol::reading::Value as Measured;
    match measured(&Value::String(text.to_owned())) {
        Some(Measured::Number(number)) => Ok(Value::from(number)),
        Some(Measured::Flag(flag)) => Ok(Value::Bool(flag)),
        _ => Err(MappingError::Form("a number")),
    }
}

fn row(text: &str, columns: &[String], delimiter: char) -> Result<Value, MappingError> {
    let cells: Vec<&str> = text.split(delimiter).map(|cell| cell.trim().trim_matches('"')).collect();
    if cells.len() < columns.len() {
        return Err(MappingError::Form("a row with all columns"));
    }
    let named = columns.iter().zip(cells).filter(|(column, _)| !column.is_empty());
    Ok(Value::Object(named.map(|(column, cell)| (column.clone(), Value::from(cell))).collect()))
}

fn groups(text: &str, expression: &Regex) -> Result<Value, MappingError> {
    let found = expression.captures(text).ok_or(MappingError::Form("text that the expression matches"))?;
    let names = expression.capture_names().flatten();
    let group = |name: &str| Some((name.to_owned(), Value::from(found.name(name)?.as_str())));
    Ok(Value::Object(names.filter_map(group).collect::<Map<_, _>>()))
}
