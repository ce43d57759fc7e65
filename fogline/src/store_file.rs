//! Counting what is in the ingester's SQLite file, beside the ingester and without its help: what a check is worth depends
//! on nobody telling it the answer.

use anyhow::Context;
use fogline_protocol::time::Wall;
use fogline_protocol::window::DECISION_WIDTH_S;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A commit of the ingester may keep a reader waiting for as long as the disk takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The readings of all agents in the store: how many, and how many of them more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Rows.
    pub(crate) readings: u64,
    /// Rows whose stream and sequence number another row has too.
    pub(crate) duplicates: u64,
}

/// Counts all of the store at `path`. Takes some seconds for some millions of readings.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn contents(path: &Path) -> anyhow::Result<Contents> {
    let sql =
        "SELECT (SELECT count(*) FROM reading), (SELECT count(*) FROM (SELECT DISTINCT stream, seq FROM reading))";
    let count = || open(path)?.query_row(sql, [], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)));
    let (readings, distinct) = count().with_context(|| format!("cannot count what is in {}", path.display()))?;
    Ok(Contents { readings, duplicates: readings.saturating_sub(distinct) })
}

/// The decisions in a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Limits {
    /// All of them.
    pub(crate) decided: u64,
    /// Of these, decisions upon windows that were closed already: they rest on late readings.
    pub(crate) from_late_readings: u64,
}

/// The limits in the store or state at `path`. Of windows that were closed before `closed_before`, by their end and the default
/// grace, none can have been decided from readings that were on time.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn limits(path: &Path, closed_before: Wall) -> anyhow::Result<Limits> {
    let sql =
        "SELECT count(*), coalesce(sum(json_extract(body, '$.window_us') < ?1), 0) FROM decision WHERE key = 'limit'";
    let open_us = 1_000_000 * (i64::from(DECISION_WIDTH_S) + 1);
    let read = || {
        let row = |row: &rusqlite::Row<'_>| Ok(Limits { decided: row.get(0)?, from_late_readings: row.get(1)? });
        open(path)?.query_row(sql, [closed_before.us() - open_us], row)
    };
    read().with_context(|| format!("cannot read the limits in {}", path.display()))
}

/// Counts readings by agent, and goes on where it stopped.
#[derive(Debug)]
pub(crate) struct ByAgent {
    path: PathBuf,
    last: i64,
    counts: BTreeMap<String, u64>,
}

impl ByAgent {
    /// Nothing is counted yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, last: 0, counts: BTreeMap::new() }
    }

    /// Counts what was added since the last time. The keys are `region/agent`.
    ///
    /// # Errors
    /// When the file cannot be read now; the next call may be able to.
    pub(crate) fn count(&mut self) -> anyhow::Result<&BTreeMap<String, u64>> {
        self.add_new().with_context(|| format!("cannot count what is in {}", self.path.display()))?;
        Ok(&self.counts)
    }

    fn add_new(&mut self) -> rusqlite::Result<()> {
        let connection = open(&self.path)?;
        // Both questions see the same moment.
        let moment = connection.unchecked_transaction()?;
        let last: i64 = moment.query_row("SELECT coalesce(max(id), 0) FROM reading", [], |row| row.get(0))?;
        // Grouped before it is joined: one look-up for each series, not for each reading.
        let mut statement = moment.prepare(
            "SELECT a.region || '/' || a.name, g.n
             FROM (SELECT series, count(*) AS n FROM reading WHERE id > ?1 GROUP BY series) g
             JOIN series s ON s.id = g.series JOIN agent a ON a.id = s.agent",
        )?;
        let mut rows = statement.query([self.last])?;
        let mut new = Vec::new();
        while let Some(row) = rows.next()? {
            new.push((row.get::<_, String>(0)?, row.get::<_, u64>(1)?));
        }
        for (agent, n) in new {
            *self.counts.entry(agent).or_default() += n;
        }
        self.last = last;
        Ok(())
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns that are counted, of two agents with one and two series.
    const SCHEMA: &str = "
        CREATE TABLE agent (id INTEGER PRIMARY KEY, region TEXT, name TEXT);
        CREATE TABLE series (id INTEGER PRIMARY KEY, agent INTEGER);
        CREATE TABLE reading (id INTEGER PRIMARY KEY, series INTEGER, stream INTEGER, seq INTEGER);
        INSERT INTO agent VALUES (1, 'north', 'lane-1'), (2, 'north', 'lane-2');
        INSERT INTO series VALUES (1, 1), (2, 2), (3, 2);
        INSERT INTO reading VALUES (1, 1, 7, 1), (2, 2, 8, 1), (3, 3, 8, 2);";

    #[test]
    fn readings_are_counted_once_and_duplicates_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fogline.db");
        let writer = Connection::open(&path).unwrap();
        writer.execute_batch(SCHEMA).unwrap();
        let mut by_agent = ByAgent::new(path.clone());
        let expected = |a, b| BTreeMap::from([("north/lane-1".to_owned(), a), ("north/lane-2".to_owned(), b)]);
        assert_eq!(*by_agent.count().unwrap(), expected(1, 2));
        assert_eq!(*by_agent.count().unwrap(), expected(1, 2), "nothing is counted twice");
        writer.execute_batch("INSERT INTO reading VALUES (4, 3, 8, 2)").unwrap();
        assert_eq!(*by_agent.count().unwrap(), expected(1, 3));
        assert_eq!(contents(&path).unwrap(), Contents { readings: 4, duplicates: 1 });
    }

    #[test]
    fn a_store_that_is_not_there_is_an_error_that_names_it() {
        let error = contents(Path::new("no/such.db")).unwrap_err();
        assert!(error.to_string().contains("no/such.db"));
    }
}
