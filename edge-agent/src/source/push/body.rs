//! What is in a body: one JSON value, an array of them, or one a line.

use crate::source::mapping::{Mapping, MappingError};
use fogline_protocol::reading::Readings;
use fogline_protocol::time::Wall;
use serde_json::Value;

/// The most readings of one request.
const READINGS_MAX: usize = 5000;

/// Why a body was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is nothing in it.
    #[error("there is no reading in it: send one as JSON, an array of them, or one a line")]
    Empty,
    /// More than [`READINGS_MAX`].
    #[error("more than 5000 readings: send them in several requests")]
    TooMany,
    /// One of them is none; all are refused.
    #[error("reading {number}: {error}; none of the request was taken")]
    Reading {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        error: MappingError,
    },
}

pub(super) fn read(body: &[u8], mapping: &Mapping, now: Wall) -> Result<Readings, Refusal> {
    let mut readings = Readings::new();
    let text = body.trim_ascii();
    if text.starts_with(b"[") {
        let values: Vec<Value> = serde_json::from_slice(text)
            .map_err(|_| Refusal::Reading { number: 1, error: MappingError::Form("a JSON array") })?;
        all(values.iter(), &mut readings, |value, into| mapping.map_value(value, &[], now, into))?;
    } else if let Ok(value) = serde_json::from_slice::<Value>(text) {
        // One, over several lines perhaps.
        all([&value], &mut readings, |value, into| mapping.map_value(value, &[], now, into))?;
    } else {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        all(lines, &mut readings, |line, into| mapping.map(line, &[], now, into))?;
    }
    if readings.is_empty() { Err(Refusal::Empty) } else { Ok(readings) }
}

fn all<T>(
    items: impl IntoIterator<Item = T>,
    readings: &mut Readings,
    mut map: impl FnMut(T, &mut Readings) -> Result<(), MappingError>,
) -> Result<(), Refusal> {
    for (index, item) in items.into_iter().enumerate() {
        if index >= READINGS_MAX {
            return Err(Refusal::TooMany);
        }
        map(item, readings).map_err(|error| Refusal::Reading { number: index + 1, error })?;
    }
    Ok(())
}
