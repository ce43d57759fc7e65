//! The city, for its API.

use super::super::city;
use super::super::number::from_sql;
use super::{QueryError, StoreReader};
use fogline_protocol::city::{Aggregate, EdgeNode};
use fogline_protocol::ids::Name;

impl StoreReader {
    /// The city's token; none before anybody asked for it.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn city_token(&self) -> Result<Option<String>, QueryError> {
        Ok(city::token(&self.connection)?)
    }

    /// The nodes that are there, by id; never more than [`NODES_MAX`](fogline_protocol::city::NODES_MAX).
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn city_nodes(&self) -> Result<Vec<EdgeNode>, QueryError> {
        Ok(city::nodes(&self.connection)?)
    }

    /// Whether there are averages of an id.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn city_knows(&self, id: &Name) -> Result<bool, QueryError> {
        Ok(city::knows(&self.connection, id.as_str())?)
    }

    /// The latest averages of an id, by the ends of their windows, newest first; at most
    /// [`CITY_KEPT`](super::super::CITY_KEPT).
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn city_latest(&self, id: &Name, n: u32) -> Result<Vec<Aggregate>, QueryError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT to_us, from_us, mean_ugm3, n FROM city_measurement WHERE node = ?1
             ORDER BY to_us DESC, from_us DESC LIMIT ?2",
        )?;
        let rows = statement.query_map((id.as_str(), n.min(super::super::CITY_KEPT)), |row| {
            let to_us = row.get(0)?;
            Ok(Aggregate {
                id: id.clone(),
                ts_us: to_us,
                from_us: row.get(1)?,
                to_us,
                mean_ugm3: row.get(2)?,
                n: from_sql(row.get(3)?),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
