//! Who was heard when.

use super::{QueryError, StoreReader};
use crate::store::number::from_sql;
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::time::Wall;
use std::collections::BTreeMap;

/// The newest status of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HeardRow {
    /// When it was heard, by the ingester's clock, in microseconds since 1970.
    pub(crate) heard_us: i64,
    /// When it was said, by the agent's clock.
    pub(crate) said_us: i64,
    /// False in a last will.
    pub(crate) online: bool,
    /// Readings in its queue.
    pub(crate) queued: u64,
    /// The time of the oldest of them.
    pub(crate) oldest_us: Option<i64>,
}

impl StoreReader {
    /// The agents that were heard since then, at most so many, the newest first to be taken.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub(crate) fn heard(&self, since: Wall, most: usize) -> Result<BTreeMap<AgentId, HeardRow>, QueryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT region, name, heard_us, said_us, online, queued, oldest_us FROM agent WHERE heard_us >= ?1
             ORDER BY heard_us DESC LIMIT ?2",
        )?;
        let rows = statement.query_map((since.us(), i64::try_from(most).unwrap_or(i64::MAX)), |row| {
            let heard = HeardRow {
                heard_us: row.get(2)?,
                said_us: row.get(3)?,
                online: row.get(4)?,
                queued: from_sql(row.get(5)?),
                oldest_us: row.get(6)?,
            };
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, heard))
        })?;
        let mut found = BTreeMap::new();
        for row in rows {
            let (region, agent, heard) = row?;
            // Names were checked when they were heard.
            if let (Ok(region), Ok(agent)) = (Name::new(&region), Name::new(&agent)) {
                found.insert(AgentId { region, agent }, heard);
            }
        }
        Ok(found)
    }
}
