//! Kept averages of a range of time: readings, downsampled.

use super::{QueryError, StoreReader};
use crate::store::number::from_sql;
use fogline_protocol::window::Aggregate;
use rusqlite::{OptionalExtension as _, Row};
use serde::Serialize;
use utoipa::ToSchema;

/// The most windows of one answer.
pub const WINDOWS_MAX: u32 = 2000;

/// Which windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The region.
    pub region: String,
    /// One agent of it; none: the whole region.
    pub agent: Option<String>,
    /// The use case.
    pub kind: String,
    /// The field.
    pub field: String,
    /// The length of the windows in seconds: 5, 60 or 3600.
    pub width_s: u32,
    /// Windows that begin here or later, in microseconds since 1970...
    pub from_us: i64,
    /// ...and before this.
    pub to_us: i64,
}

/// What is kept of the values in a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
#[schema(as = Window)]
pub struct WindowRow {
    /// When it begins, in microseconds since 1970.
    pub start_us: i64,
    /// How many values.
    pub n: u64,
    /// Their mean.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Their standard deviation, of all values and not of a sample.
    pub stddev: f64,
}

impl StoreReader {
    /// The windows of a range, oldest first and at most [`WINDOWS_MAX`] of them; none when there never was such an average.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn windows(&self, range: &Range) -> Result<Option<Vec<WindowRow>>, QueryError> {
        let agent = range.agent.as_deref().unwrap_or_default();
        let Some(average) = self.average(&range.region, agent, &range.kind, &range.field)? else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(
            "SELECT start_us, n, sum, sum_squares, min, max FROM aggregate
             WHERE average = ?1 AND width_s = ?2 AND start_us >= ?3 AND start_us < ?4 ORDER BY start_us LIMIT ?5",
        )?;
        let rows = statement.query_map((average, range.width_s, range.from_us, range.to_us, WINDOWS_MAX), window)?;
        Ok(Some(rows.collect::<Result<_, _>>()?))
    }

    /// One window. `agent` is empty for the region's.
    pub(crate) fn window(
        &self,
        (region, agent, kind, field): (&str, &str, &str, &str),
        width_s: u32,
        start_us: i64,
    ) -> Result<Option<WindowRow>, QueryError> {
        let Some(average) = self.average(region, agent, kind, field)? else { return Ok(None) };
        let mut statement = self.connection.prepare_cached(
            "SELECT start_us, n, sum, sum_squares, min, max FROM aggregate
             WHERE average = ?1 AND width_s = ?2 AND start_us = ?3",
        )?;
        Ok(statement.query_row((average, width_s, start_us), window).optional()?)
    }

    pub(super) fn average(&self, region: &str, agent: &str, kind: &str, field: &str) -> rusqlite::Result<Option<i64>> {
        self.connection
            .prepare_cached("SELECT id FROM average WHERE region = ?1 AND agent = ?2 AND kind = ?3 AND field = ?4")?
            .query_row((region, agent, kind, field), |row| row.get(0))
            .optional()
    }
}

fn window(row: &Row<'_>) -> rusqlite::Result<WindowRow> {
    let (sum, sum_squares) = (row.get(2)?, row.get(3)?);
    let values = Aggregate { n: from_sql(row.get(1)?), sum, sum_squares, min: row.get(4)?, max: row.get(5)? };
    let mean = values.mean().unwrap_or_default();
    Ok(WindowRow {
        start_us: row.get(0)?,
        n: values.n,
        mean,
        min: values.min,
        max: values.max,
        stddev: deviation(&values, mean),
    })
}

#[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn deviation(values: &Aggregate, mean: f64) -> f64 {
    // Of values that are all the same the difference can be a little below zero.
    mean.mul_add(-mean, values.sum_squares / values.n.max(1) as f64).max(0.0).sqrt()
}
