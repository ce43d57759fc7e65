//! Dead letters that are kept.

use super::{After, Listed, QueryError, StoreReader};
use crate::store::dead::LetterId;
use crate::store::number::from_sql;
use rusqlite::Row;
use serde::Serialize;
use utoipa::ToSchema;

/// A reading that the database refuses for good.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub struct DeadLetterRow {
    /// Its name here: opaque.
    pub id: String,
    /// When it was refused last, in microseconds since 1970.
    pub at_us: i64,
    /// The agent's region.
    pub region: String,
    /// Whose it is.
    pub agent: String,
    /// Its stream, 16 hexadecimal digits.
    pub stream: String,
    /// Its number there.
    pub seq: u64,
    /// `refused`: the database refuses this one. `unresolved`: it was among others of which some are refused.
    pub reason: String,
    /// What the database said.
    pub detail: String,
    /// The reading.
    #[schema(value_type = Object)]
    pub reading: serde_json::Value,
}

impl StoreReader {
    /// Dead letters, oldest first.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn dead_letters(&self, after: &After) -> Result<Listed<DeadLetterRow>, QueryError> {
        let begin = after.number()?.unwrap_or(i64::MIN);
        let mut statement = self.connection.prepare_cached(
            "SELECT d.id, d.at_us, a.region, a.name, t.bits, d.seq, d.reason, d.detail, d.reading
             FROM dead_letter d JOIN stream t ON t.id = d.stream JOIN agent a ON a.id = t.agent
             WHERE d.id > ?1 ORDER BY d.id LIMIT ?2",
        )?;
        let rows = statement.query_map((begin, after.reads()), |row| Ok((row.get::<_, i64>(0)?, letter(row)?)))?;
        let page = after.page(rows.collect::<Result<Vec<_>, _>>()?, |(row, _)| [row.to_string()]);
        Ok(Listed { items: page.items.into_iter().map(|(_, letter)| letter).collect(), next: page.next })
    }
}

fn letter(row: &Row<'_>) -> rusqlite::Result<DeadLetterRow> {
    let (bits, seq) = (row.get::<_, i64>(4)?.cast_unsigned(), from_sql(row.get(5)?));
    let reading: String = row.get(8)?;
    Ok(DeadLetterRow {
        id: LetterId { row: row.get(0)?, stream: bits, seq }.to_string(),
        at_us: row.get(1)?,
        region: row.get(2)?,
        agent: row.get(3)?,
        stream: format!("{bits:016x}"),
        seq,
        reason: row.get(6)?,
        detail: row.get(7)?,
        // It was written by this program; what a hand made of it is shown as it is.
        reading: serde_json::from_str(&reading).unwrap_or(serde_json::Value::String(reading)),
    })
}
