//! The newest reading of each sensor.

use super::{After, Listed, QueryError, StoreReader};
use crate::store::number::{from_sql, now_us};
use fogline_protocol::store::Flags;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A reading whose time is further ahead than this is from the future, as the node counts it.
const FUTURE_AFTER_US: i64 = 120_000_000;

/// The newest reading of a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Latest)]
pub struct LatestRow {
    /// The agent's region.
    pub region: String,
    /// The agent.
    pub agent: String,
    /// The sensor.
    pub sensor: String,
    /// The use case.
    pub kind: String,
    /// When it was measured, in microseconds since 1970.
    pub ts_us: i64,
    /// Its number in its stream.
    pub seq: u64,
    /// Its stream, 16 hexadecimal digits.
    pub stream: String,
    /// Its values by the names of their fields: numbers, booleans and short texts.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// What is to be known of it: `outlier`, `restamped`, `unset`, `future`.
    pub flags: Vec<&'static str>,
}

/// Which sensors; none: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatestFilter {
    /// Of this region.
    pub region: Option<String>,
    /// Of this agent.
    pub agent: Option<String>,
    /// Of this use case.
    pub kind: Option<String>,
    /// Of this name.
    pub sensor: Option<String>,
}

impl LatestFilter {
    /// All sensors of a use case.
    #[must_use]
    pub fn kind(kind: &str) -> Self {
        Self { kind: Some(kind.to_owned()), ..Self::default() }
    }
}

impl LatestRow {
    /// The number in a field; zero when it has none.
    pub(super) fn number(&self, field: &str) -> f64 {
        self.fields.get(field).and_then(Value::as_f64).unwrap_or_default()
    }

    pub(super) fn key(&self) -> [String; 4] {
        [self.region.clone(), self.agent.clone(), self.kind.clone(), self.sensor.clone()]
    }
}

impl StoreReader {
    /// The newest readings by region, agent, kind and sensor.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn latest(&self, filter: &LatestFilter, after: &After) -> Result<Listed<LatestRow>, QueryError> {
        let (mut found, most) = (Vec::new(), usize::try_from(after.reads()).unwrap_or(usize::MAX));
        self.each_latest(filter, &after.key()?.unwrap_or_default(), |row| {
            found.push(row);
            found.len() < most
        })?;
        Ok(after.page(found, LatestRow::key))
    }

    /// Gives the newest readings after a key, one by one in their order, until `take` has enough.
    pub(super) fn each_latest(
        &self,
        filter: &LatestFilter,
        [region, agent, kind, sensor]: &[String; 4],
        mut take: impl FnMut(LatestRow) -> bool,
    ) -> Result<(), QueryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT a.region, a.name, s.sensor, s.kind, l.ts_us, l.seq, t.bits, l.fields, l.flags
             FROM agent a CROSS JOIN series s ON s.agent = a.id CROSS JOIN latest l ON l.series = s.id
                 CROSS JOIN stream t ON t.id = l.stream
             WHERE a.region >= ?1 AND (a.region, a.name, s.kind, s.sensor) > (?1, ?2, ?3, ?4)
                 AND (?5 IS NULL OR a.region = ?5) AND (?6 IS NULL OR a.name = ?6)
                 AND (?7 IS NULL OR s.kind = ?7) AND (?8 IS NULL OR s.sensor = ?8)
             ORDER BY a.region, a.name, s.kind, s.sensor",
        )?;
        let key = (region, agent, kind, sensor, &filter.region, &filter.agent, &filter.kind, &filter.sensor);
        let mut rows = statement.query(key)?;
        let future_us = now_us().saturating_add(FUTURE_AFTER_US);
        while let Some(row) = rows.next()? {
            if !take(latest(row, future_us)?) {
                break;
            }
        }
        Ok(())
    }
}

fn latest(row: &Row<'_>, future_us: i64) -> rusqlite::Result<LatestRow> {
    let fields = serde_json::from_str(row.get_ref(7)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, Type::Text, error.into()))?;
    let ts_us: i64 = row.get(4)?;
    let marks = Flags::from_bits(row.get(8)?).words();
    Ok(LatestRow {
        region: row.get(0)?,
        agent: row.get(1)?,
        sensor: row.get(2)?,
        kind: row.get(3)?,
        ts_us,
        seq: from_sql(row.get(5)?),
        stream: format!("{:016x}", row.get::<_, i64>(6)?),
        fields,
        flags: marks.chain((ts_us > future_us).then_some("future")).collect(),
    })
}
