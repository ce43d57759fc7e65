//! Regions, and how many agents each has.

use super::{After, Listed, QueryError, StoreReader};
use crate::store::number::from_sql;
use serde::Serialize;
use utoipa::ToSchema;

/// A region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Region)]
pub struct RegionRow {
    /// Its name.
    pub region: String,
    /// Agents of it that were ever heard of.
    pub agents: u64,
    /// Those whose newest status says that they are online.
    pub online: u64,
}

impl StoreReader {
    /// Regions by name.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn regions(&self, after: &After) -> Result<Listed<RegionRow>, QueryError> {
        // No name is empty.
        let [begin] = after.key()?.unwrap_or_default();
        let mut statement = self.connection.prepare_cached(
            "SELECT region, count(*), sum(online) FROM agent WHERE region > ?1 GROUP BY region ORDER BY region LIMIT ?2",
        )?;
        let rows = statement.query_map((begin, after.reads()), |row| {
            Ok(RegionRow { region: row.get(0)?, agents: from_sql(row.get(1)?), online: from_sql(row.get(2)?) })
        })?;
        Ok(after.page(rows.collect::<Result<_, _>>()?, |row| [row.region.clone()]))
    }
}
