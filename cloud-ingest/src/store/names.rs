//! The row ids of what points and aggregates refer to, kept in memory: a name is looked up once and not per reading.

use super::aggregates::Horizon;
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::window::Scope;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::BTreeMap;

/// The most entries per kind of name. Above that everything is forgotten and looked up again: about 10 MB for the most
/// numerous, series, with 1,000 agents using a tenth of them.
const KEPT: usize = 50_000;

/// What an average is of: scope, kind and field.
pub(super) type AverageKey = (Scope, &'static str, &'static str);

/// Remembered row ids.
#[derive(Default)]
pub(super) struct Names {
    agents: BTreeMap<AgentId, i64>,
    streams: BTreeMap<(i64, StreamId), i64>,
    /// By agent, kind and sensor, so that a look-up needs no copy of a name.
    series: BTreeMap<i64, BTreeMap<String, BTreeMap<String, i64>>>,
    series_kept: usize,
    pub(super) averages: BTreeMap<AverageKey, (i64, Horizon)>,
    /// Set while a transaction is open that may have made some of these rows. When it still is at the beginning of the
    /// next, that one was rolled back, and the ids may be wrong.
    in_doubt: bool,
}

impl Names {
    /// A transaction begins.
    pub(super) fn begin(&mut self) {
        let kept = [self.agents.len(), self.streams.len(), self.series_kept, self.averages.len()];
        if self.in_doubt || kept.iter().any(|kept| *kept > KEPT) {
            *self = Self::default();
        }
        self.in_doubt = true;
    }

    /// The transaction was committed.
    pub(super) const fn commit(&mut self) {
        self.in_doubt = false;
    }

    /// The row of an agent, made if need be.
    pub(super) fn agent(&mut self, db: &Connection, agent: &AgentId) -> rusqlite::Result<i64> {
        if let Some(id) = self.agents.get(agent) {
            return Ok(*id);
        }
        let key = (agent.region.as_str(), agent.agent.as_str());
        let found = db
            .prepare_cached("SELECT id FROM agent WHERE region = ?1 AND name = ?2")?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => db.prepare_cached("INSERT INTO agent (region, name) VALUES (?1, ?2)")?.insert(key)?,
        };
        self.agents.insert(agent.clone(), id);
        Ok(id)
    }

    /// The row of a stream, made if need be.
    pub(super) fn stream(&mut self, db: &Connection, agent: &AgentId, stream: StreamId) -> rusqlite::Result<i64> {
        let agent = self.agent(db, agent)?;
        if let Some(id) = self.streams.get(&(agent, stream)) {
            return Ok(*id);
        }
        let key = (agent, stream.bits().cast_signed());
        let found = db
            .prepare_cached("SELECT id FROM stream WHERE agent = ?1 AND bits = ?2")?
            .query_row(key, |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => db.prepare_cached("INSERT INTO stream (agent, bits) VALUES (?1, ?2)")?.insert(key)?,
        };
        self.streams.insert((agent, stream), id);
        Ok(id)
    }

    /// The row of a sensor's readings of one kind, made if need be. `agent` is the agent's row.
    pub(super) fn series(&mut self, db: &Connection, agent: i64, kind: &str, sensor: &str) -> rusqlite::Result<i64> {
        if let Some(id) = self.series.get(&agent).and_then(|kinds| kinds.get(kind)?.get(sensor)) {
            return Ok(*id);
        }
        let found = db
            .prepare_cached("SELECT id FROM series WHERE agent = ?1 AND kind = ?2 AND sensor = ?3")?
            .query_row((agent, kind, sensor), |row| row.get(0))
            .optional()?;
        let id = match found {
            Some(id) => id,
            None => db
                .prepare_cached("INSERT INTO series (agent, kind, sensor) VALUES (?1, ?2, ?3)")?
                .insert((agent, kind, sensor))?,
        };
        let kinds = self.series.entry(agent).or_default();
        kinds.entry(kind.to_owned()).or_default().insert(sensor.to_owned(), id);
        self.series_kept += 1;
        Ok(id)
    }
}
