//! The newest stored averages.

use super::{Page, QueryError, StoreReader};
use crate::store::aggregates;
use rusqlite::OptionalExtension as _;
use serde::Serialize;

/// The newest stored window of an average.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AverageRow {
    /// The region.
    pub region: String,
    /// The agent; none for the average of the region.
    pub agent: Option<String>,
    /// The use case.
    pub kind: String,
    /// The field.
    pub field: String,
    /// When the window begins, in microseconds since 1970.
    pub start_us: i64,
    /// How many values.
    pub n: u64,
    /// Their mean, in the field's unit, as are the next two.
    pub mean: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl StoreReader {
    /// The newest window of this width (5, 60 or 3600 seconds) of each average, by region, agent, kind and field.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn latest_averages(&self, width_s: u32, page: Page) -> Result<Vec<AverageRow>, QueryError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let mut statement = snapshot.prepare_cached(
            "SELECT id, region, agent, kind, field FROM average ORDER BY region, agent, kind, field LIMIT ?1 OFFSET ?2",
        )?;
        let rows = statement.query_map(page.bounds(), |row| {
            let agent: String = row.get(2)?;
            let average = AverageRow {
                region: row.get(1)?,
                agent: Some(agent).filter(|agent| !agent.is_empty()),
                kind: row.get(3)?,
                field: row.get(4)?,
                start_us: 0,
                n: 0,
                mean: 0.0,
                min: 0.0,
                max: 0.0,
            };
            Ok((row.get::<_, i64>(0)?, average))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (id, average) = row?;
            found.extend(self.filled(id, width_s, average)?);
        }
        Ok(found)
    }

    fn filled(&self, id: i64, width_s: u32, average: AverageRow) -> rusqlite::Result<Option<AverageRow>> {
        let newest = self
            .connection
            .prepare_cached(
                "SELECT start_us, n, sum, sum_squares, min, max FROM aggregate
                 WHERE average = ?1 AND width_s = ?2 ORDER BY start_us DESC LIMIT 1",
            )?
            .query_row((id, width_s), |row| Ok((row.get(0)?, aggregates::read(row, 1)?)))
            .optional()?;
        Ok(newest.and_then(|(start_us, values)| {
            let mean = values.mean()?;
            Some(AverageRow { start_us, n: values.n, mean, min: values.min, max: values.max, ..average })
        }))
    }
}
