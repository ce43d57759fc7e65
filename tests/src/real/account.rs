//! What the ingester's database holds, read with plain SQL over the views that it offers to people.

use rusqlite::{Connection, OpenFlags, Params, Row};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Readings in numbers.
#[derive(Debug, PartialEq, Eq)]
pub struct Account {
    /// How many there are.
    pub readings: i64,
    /// How many of them differ in stream or number: less would mean that something is stored twice.
    pub distinct: i64,
    /// The sum of their powers, each rounded to milliwatts.
    pub power_mw: i64,
    /// The earliest time.
    pub first_us: Option<i64>,
    /// The latest time.
    pub last_us: Option<i64>,
}

/// The ingester's database, read only. It need not be there.
#[derive(Debug, Clone)]
pub struct Database {
    path: PathBuf,
}

impl Database {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// What it holds of an agent.
    #[must_use]
    pub fn account(&self, agent: &str) -> Account {
        let sql = "SELECT count(*), count(DISTINCT stream || ':' || seq),
                   coalesce(sum(CAST(round(json_extract(fields, '$.power_w') * 1000) AS INTEGER)), 0), min(ts_us), max(ts_us)
                   FROM readings WHERE agent = ?1";
        let account = |row: &Row<'_>| {
            Ok(Account {
                readings: row.get(0)?,
                distinct: row.get(1)?,
                power_mw: row.get(2)?,
                first_us: row.get(3)?,
                last_us: row.get(4)?,
            })
        };
        self.query(sql, [agent], account).expect("the ingester has made its database")
    }

    /// How many readings it holds of an agent.
    #[must_use]
    pub fn stored(&self, agent: &str) -> i64 {
        let sql = "SELECT count(*) FROM reading r JOIN series s ON s.id = r.series JOIN agent a ON a.id = s.agent WHERE a.name = ?1";
        self.query(sql, [agent], |row| row.get(0)).unwrap_or(0)
    }

    /// How many readings it holds of an agent that were taken until `until_us`, in microseconds since 1970.
    #[must_use]
    pub fn taken_until(&self, agent: &str, until_us: i64) -> i64 {
        let sql = "SELECT count(*) FROM readings WHERE agent = ?1 AND ts_us <= ?2";
        self.query(sql, (agent, until_us), |row| row.get(0)).unwrap_or(0)
    }

    /// How many values of an agent are in its hourly averages.
    #[must_use]
    pub fn averaged(&self, agent: &str) -> i64 {
        let sql = "SELECT coalesce(sum(n), 0) FROM aggregate g JOIN average v ON v.id = g.average
                   WHERE v.agent = ?1 AND width_s = 3600";
        self.query(sql, [agent], |row| row.get(0)).unwrap_or(0)
    }

    /// The newest stream of an agent of which something is written, as the number that its id shows.
    #[must_use]
    pub fn stream_of(&self, agent: &str) -> Option<u64> {
        let sql = "SELECT bits FROM stream s JOIN agent a ON a.id = s.agent WHERE a.name = ?1 AND progressed ORDER BY s.id DESC LIMIT 1";
        self.query(sql, [agent], |row| row.get(0)).map(i64::cast_unsigned)
    }

    /// The term of the newest limit of an agent that it has applied, and the limit in km/h.
    #[must_use]
    pub fn applied_limit(&self, agent: &str) -> Option<(i64, f64)> {
        let sql = "SELECT term, json_extract(body, '$.limit_kmh') FROM decision d JOIN agent a ON a.id = d.agent
                   WHERE a.name = ?1 AND key = 'limit' AND fate = 'applied' ORDER BY d.id DESC LIMIT 1";
        self.query(sql, [agent], |row| Ok((row.get(0)?, row.get(1)?)))
    }

    /// All rows of a query. A database that is not there, or not yet made, has none.
    #[must_use]
    pub fn rows<T>(&self, sql: &str, params: impl Params, read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>) -> Vec<T> {
        let Some(connection) = self.open() else { return Vec::new() };
        let Ok(mut statement) = connection.prepare(sql) else { return Vec::new() };
        let rows = statement.query_map(params, read).and_then(Iterator::collect);
        rows.unwrap_or_else(|error: rusqlite::Error| panic!("{sql}: {error}"))
    }

    /// The first row of a query, if there is one.
    #[must_use]
    pub fn query<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Option<T> {
        self.open()?.query_row(sql, params, read).ok()
    }

    fn open(&self) -> Option<Connection> {
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok()?;
        connection.busy_timeout(Duration::from_secs(5)).unwrap();
        Some(connection)
    }
}
