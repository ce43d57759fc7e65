//! The city in the ingester's state: its token, its nodes, and their averages.
//!
//! Averages come from two sides, as readings of coordinators and over HTTP, and are kept in one table: an average of the same id
//! and window is the same average, whoever says it again. Whoever is asked for them looks into that table only.

use super::StateDb;
use super::commit::fault;
use super::number::{now_us, to_sql};
use fogline_protocol::city::{Aggregate, EdgeNode, NodeError, admit};
use fogline_protocol::ids::Name;
use fogline_protocol::store::{Points, StoreFault};
use fogline_protocol::usecase::GLOBAL;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::BTreeSet;
use std::time::Duration;

/// How many averages of one id are kept: what one answer of the API may have. The readings that they came in are kept longer.
pub const CITY_KEPT: u32 = 1000;
/// Of how many ids: of [`NODES_MAX`](fogline_protocol::city::NODES_MAX) that are there, of all together, and of some hundreds that
/// have left. At most half a million averages, some 30 MB.
pub const CITY_IDS_KEPT: u32 = 500;
/// An average that ends later than this by the ingester's clock is not taken: it would hide all others until its time has come.
pub const CITY_AHEAD_MAX: Duration = Duration::from_secs(120);

/// The setting that holds the city's token.
const TOKEN: &str = "city_token";

/// All ids of which there are averages, by jumps in the index.
const IDS: &str = "
    WITH RECURSIVE ids (id) AS (
        SELECT min(node) FROM city_measurement
        UNION ALL SELECT (SELECT min(node) FROM city_measurement WHERE node > ids.id) FROM ids WHERE ids.id IS NOT NULL)";

/// Takes over the averages among the points of a commit. Those of a clock that was not set say nothing of when they were.
pub(super) fn take(db: &Connection, points: &[Points], now_us: i64) -> rusqlite::Result<()> {
    let mut ids = BTreeSet::new();
    for points in points.iter().filter(|points| points.time.is_none()) {
        let averages = points.iter().filter_map(|point| Aggregate::of_reading(point.reading));
        for average in averages.filter(|average| !is_ahead(average, now_us)) {
            save(db, &average)?;
            ids.insert(average.id);
        }
    }
    ids.iter().try_for_each(|id| forget(db, id.as_str()))
}

/// True when an average is too far ahead of the ingester's clock to be taken.
fn is_ahead(average: &Aggregate, now_us: i64) -> bool {
    average.to_us > now_us.saturating_add(i64::try_from(CITY_AHEAD_MAX.as_micros()).unwrap_or(i64::MAX))
}

fn save(db: &Connection, average: &Aggregate) -> rusqlite::Result<()> {
    let id = average.id.as_str();
    let is_new = !knows(db, id)?;
    db.prepare_cached(
        "INSERT INTO city_measurement (node, to_us, from_us, mean_ugm3, n) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO NOTHING",
    )?
    .execute((id, average.to_us, average.from_us, average.mean_ugm3, to_sql(average.n)))?;
    if is_new { forget_ids(db) } else { Ok(()) }
}

/// Whether there are averages of an id.
pub(super) fn knows(db: &Connection, id: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT EXISTS (SELECT 1 FROM city_measurement WHERE node = ?1)")?
        .query_row([id], |row| row.get(0))
}

/// Forgets all but the newest averages of an id.
fn forget(db: &Connection, id: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM city_measurement WHERE node = ?1 AND (to_us, from_us) <= (
             SELECT to_us, from_us FROM city_measurement WHERE node = ?1
             ORDER BY to_us DESC, from_us DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((id, CITY_KEPT))?;
    Ok(())
}

/// Forgets the ids that have been silent for longest, beyond those that are kept; never a node that is there, nor all together.
fn forget_ids(db: &Connection) -> rusqlite::Result<()> {
    let count: u32 = db.query_row(&format!("{IDS} SELECT count(id) FROM ids"), [], |row| row.get(0))?;
    if count <= CITY_IDS_KEPT {
        return Ok(());
    }
    let silent = format!(
        "{IDS} SELECT id FROM ids WHERE id IS NOT NULL AND id <> ?1 AND id NOT IN (SELECT id FROM city_node)
         ORDER BY (SELECT max(to_us) FROM city_measurement WHERE node = ids.id), id LIMIT ?2"
    );
    let mut silent = db.prepare(&silent)?;
    let ids: Vec<String> =
        silent.query_map((GLOBAL, count - CITY_IDS_KEPT), |row| row.get(0))?.collect::<Result<_, _>>()?;
    for id in ids {
        db.execute("DELETE FROM city_measurement WHERE node = ?1", [id])?;
    }
    Ok(())
}

/// The nodes that are there, by id.
pub(super) fn nodes(db: &Connection) -> rusqlite::Result<Vec<EdgeNode>> {
    let mut statement = db.prepare_cached("SELECT id, host, ports, u, v FROM city_node ORDER BY id")?;
    let rows = statement.query_map([], |row| {
        let ports: String = row.get(2)?;
        Ok(EdgeNode {
            id: super::decisions::name(row, 0)?,
            host: row.get(1)?,
            // Written by `add_city_node`.
            ports: serde_json::from_str(&ports).unwrap_or_default(),
            u: row.get(3)?,
            v: row.get(4)?,
        })
    })?;
    rows.collect()
}

/// The token that all nodes and sensors of the city have in common; none before anybody asked for it.
pub(super) fn token(db: &Connection) -> rusqlite::Result<Option<String>> {
    db.query_row("SELECT value FROM setting WHERE key = ?1", [TOKEN], |row| row.get(0)).optional()
}

impl StateDb {
    /// The city's token: the one that is there, or else `drawn`, which is kept from now on.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit of this run.
    pub fn city_token(&mut self, run: u64, drawn: &str) -> Result<String, StoreFault> {
        let found = self.as_leader(run, |db| {
            db.execute("INSERT INTO setting (key, value) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (TOKEN, drawn))?;
            token(db)
        })?;
        Ok(found.unwrap_or_else(|| drawn.to_owned()))
    }

    /// Adds a node, if it may join those that are there, and gives all of them.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit of this run; inside, [`NodeError`] why it may not.
    pub fn add_city_node(&mut self, run: u64, node: &EdgeNode) -> Result<Result<Vec<EdgeNode>, NodeError>, StoreFault> {
        self.as_leader(run, |db| {
            if let Err(error) = admit(node, nodes(db)?.iter()) {
                return Ok(Err(error));
            }
            // Names and numbers, which JSON can say.
            let ports = serde_json::to_string(&node.ports).unwrap_or_default();
            db.execute(
                "INSERT INTO city_node (id, host, ports, u, v, added_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (node.id.as_str(), &node.host, ports, node.u, node.v, now_us()),
            )?;
            nodes(db).map(Ok)
        })
    }

    /// Removes the node with this id. Its averages stay. False when there is none.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit of this run.
    pub fn remove_city_node(&mut self, run: u64, id: &Name) -> Result<bool, StoreFault> {
        self.as_leader(run, |db| Ok(db.execute("DELETE FROM city_node WHERE id = ?1", [id.as_str()])? > 0))
    }

    /// Keeps an average. False when its window ends too far ahead of this machine's clock: it is not kept then.
    ///
    /// # Errors
    /// [`StoreFault`], as for a commit of this run.
    pub fn add_city_average(&mut self, run: u64, average: &Aggregate) -> Result<bool, StoreFault> {
        if is_ahead(average, now_us()) {
            return Ok(false);
        }
        self.as_leader(run, |db| {
            save(db, average)?;
            forget(db, average.id.as_str()).map(|()| true)
        })
    }

    /// Does it in a transaction of the run that leads.
    fn as_leader<T>(
        &mut self,
        run: u64,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreFault> {
        let db = self.lead(run)?.0.db;
        let done = work(&db).map_err(|error| fault(&error))?;
        db.commit().map(|()| done).map_err(|error| fault(&error))
    }
}

#[cfg(test)]
mod tests;
