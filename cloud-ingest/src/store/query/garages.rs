//! Garages, and what their ledger says to others: never a plate.

use super::latest::LatestFilter;
use super::{After, Listed, QueryError, StoreReader};
use crate::store::number::from_sql;
use rusqlite::Row;
use serde::Serialize;
use utoipa::ToSchema;

const KIND: &str = "parking";

/// A garage, as its newest reading has it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Garage)]
pub struct GarageRow {
    /// The region.
    pub region: String,
    /// The agent that speaks for it.
    pub agent: String,
    /// Its name.
    pub garage: String,
    /// Cars in it.
    pub occupied: f64,
    /// Cars that it has room for.
    pub capacity: f64,
    /// When that was so, in microseconds since 1970.
    pub ts_us: i64,
    /// What a started hour costs, in cents.
    pub tariff_cents_per_hour: f64,
}

/// All garages, and a page of them.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Garages {
    /// Cars in all garages.
    pub occupied: f64,
    /// Cars that all garages have room for.
    pub capacity: f64,
    /// Garages by region, agent and name.
    #[serde(flatten)]
    pub page: Listed<GarageRow>,
}

/// The invoice of a stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Invoice)]
pub struct InvoiceRow {
    /// Its name: there is one for each stay.
    pub id: String,
    /// The region.
    pub region: String,
    /// The garage.
    pub garage: String,
    /// When the car drove in, in microseconds since 1970.
    pub entered_us: i64,
    /// When it drove out, in microseconds since 1970.
    pub left_us: i64,
    /// Started hours.
    pub hours: u64,
    /// The price, in cents.
    pub cents: u64,
    /// What stands for the plate: the same for the same plate.
    pub plate_hash: String,
}

/// What did not fit: somebody has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Clarification)]
pub struct ClarificationRow {
    /// Its name.
    pub id: String,
    /// The region.
    pub region: String,
    /// The garage.
    pub garage: String,
    /// `exit_without_entry` or `second_entry`.
    pub what: String,
    /// When it happened, in microseconds since 1970.
    pub ts_us: i64,
    /// What stands for the plate.
    pub plate_hash: String,
}

impl StoreReader {
    /// What is in all garages, and a page of them.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn garages(&self, after: &After) -> Result<Garages, QueryError> {
        let begin: [String; 3] = after.key()?.unwrap_or_default();
        let (mut occupied, mut capacity, mut found) = (0.0, 0.0, Vec::new());
        let most = usize::try_from(after.reads()).unwrap_or(usize::MAX);
        self.each_latest(&LatestFilter::kind(KIND), &Default::default(), |row| {
            occupied += row.number("occupied");
            capacity += row.number("capacity");
            let garage = GarageRow {
                occupied: row.number("occupied"),
                capacity: row.number("capacity"),
                tariff_cents_per_hour: row.number("tariff_cents_per_hour"),
                ts_us: row.ts_us,
                region: row.region,
                agent: row.agent,
                garage: row.sensor,
            };
            if key(&garage) > begin && found.len() < most {
                found.push(garage);
            }
            true
        })?;
        Ok(Garages { occupied, capacity, page: after.page(found, key) })
    }

    /// Invoices, newest first: of a region, of a garage, or all.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn invoices(
        &self,
        region: Option<&str>,
        garage: Option<&str>,
        after: &After,
    ) -> Result<Listed<InvoiceRow>, QueryError> {
        let (left_us, id) = after.numbers()?.unwrap_or((i64::MAX, i64::MAX));
        let mut statement = self.connection.prepare_cached(
            "SELECT printf('%016x', t.bits) || '-' || s.seq, a.region, s.garage, s.entered_us, s.left_us, s.hours, s.cents,
                 s.plate_hash, s.id
             FROM stay s CROSS JOIN agent a ON a.id = s.agent CROSS JOIN stream t ON t.id = s.stream
             WHERE s.left_us IS NOT NULL AND s.left_us <= ?1 AND (s.left_us, s.id) < (?1, ?2)
                 AND (?3 IS NULL OR a.region = ?3) AND (?4 IS NULL OR s.garage = ?4)
             ORDER BY s.left_us DESC, s.id DESC LIMIT ?5",
        )?;
        let rows = statement.query_map((left_us, id, region, garage, after.reads()), |row| {
            Ok((invoice(row)?, row.get::<_, i64>(8)?))
        })?;
        let page =
            after.page(rows.collect::<Result<Vec<_>, _>>()?, |(row, id)| [row.left_us.to_string(), id.to_string()]);
        Ok(Listed { items: page.items.into_iter().map(|(row, _)| row).collect(), next: page.next })
    }

    /// What did not fit, newest first.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn clarifications(&self, after: &After) -> Result<Listed<ClarificationRow>, QueryError> {
        let begin = after.number()?.unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(
            "SELECT c.id, a.region, c.garage, c.what, c.ts_us, c.plate_hash
             FROM clarification c CROSS JOIN agent a ON a.id = c.agent WHERE c.id < ?1 ORDER BY c.id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map((begin, after.reads()), |row| {
            Ok(ClarificationRow {
                id: row.get::<_, i64>(0)?.to_string(),
                region: row.get(1)?,
                garage: row.get(2)?,
                what: row.get(3)?,
                ts_us: row.get(4)?,
                plate_hash: row.get(5)?,
            })
        })?;
        Ok(after.page(rows.collect::<Result<_, _>>()?, |row| [row.id.clone()]))
    }
}

fn key(garage: &GarageRow) -> [String; 3] {
    [garage.region.clone(), garage.agent.clone(), garage.garage.clone()]
}

fn invoice(row: &Row<'_>) -> rusqlite::Result<InvoiceRow> {
    Ok(InvoiceRow {
        id: row.get(0)?,
        region: row.get(1)?,
        garage: row.get(2)?,
        entered_us: row.get(3)?,
        left_us: row.get(4)?,
        hours: from_sql(row.get(5)?),
        cents: from_sql(row.get(6)?),
        plate_hash: row.get(7)?,
    })
}
