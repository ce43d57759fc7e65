//! What an ingester's SQLite file says, read with plain SQL: readings, where it is the store; dead letters, gaps and decisions.

use crate::LabError;
use crate::numbers::Numbers;
use rusqlite::{Connection, OpenFlags, Row};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// How long to wait for an ingester that holds things up.
const PATIENCE: Duration = Duration::from_secs(5);

/// The fate of a decision of which nobody has heard yet.
const OUTSTANDING: &str = "outstanding";

/// The readings of an agent that a store holds, by the lab's numbers: the store's own numbering is not trusted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// Which.
    pub(crate) numbers: Numbers,
    /// How many of them are there once more.
    pub(crate) duplicates: u64,
}

impl Held {
    /// Counts a reading in.
    pub(crate) fn add(&mut self, number: u64) {
        if !self.numbers.insert(number) {
            self.duplicates += 1;
        }
    }
}

/// What became of a decision, in the words of the ingester's database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DecisionName {
    /// Whom it is for.
    pub(crate) agent: String,
    /// Which register.
    pub(crate) key: String,
    /// Who decided: the counter of the term.
    pub(crate) term: u64,
    /// Who decided: the ingester.
    pub(crate) ingester: String,
    /// Its number in the term.
    pub(crate) seq: u64,
    /// When: an ingester without its state counts anew.
    pub(crate) decided_us: i64,
}

/// What an ingester's books say beside readings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Books {
    /// The lab's numbers of dead letters, by agent.
    pub(crate) dead: BTreeMap<String, Vec<u64>>,
    /// Sequence numbers that will never come, by agent.
    pub(crate) gaps: BTreeMap<String, Vec<(u64, u64)>>,
    /// Decisions and their fates.
    pub(crate) decisions: BTreeMap<DecisionName, String>,
}

impl Books {
    /// These and those together.
    pub(crate) fn merge(&mut self, other: Self) {
        for (agent, dead) in other.dead {
            self.dead.entry(agent).or_default().extend(dead);
        }
        for (agent, gaps) in other.gaps {
            self.gaps.entry(agent).or_default().extend(gaps);
        }
        for (name, fate) in other.decisions {
            // Of several ingesters the one that led knows what became of it.
            if fate != OUTSTANDING || !self.decisions.contains_key(&name) {
                self.decisions.insert(name, fate);
            }
        }
    }
}

/// Adds the readings in the file at `path`. A file that is not there holds none.
///
/// # Errors
/// [`LabError::Store`] when it cannot be read.
pub(crate) fn readings(path: &Path, held: &mut BTreeMap<String, Held>) -> Result<(), LabError> {
    let sql = "SELECT a.name, CAST(json_extract(r.fields, '$.n') AS INTEGER) FROM reading r
               JOIN series s ON s.id = r.series JOIN agent a ON a.id = s.agent";
    each(path, sql, |row| {
        let (agent, number): (String, u64) = (row.get(0)?, row.get(1)?);
        held.entry(agent).or_default().add(number);
        Ok(())
    })
}

/// All else that the file at `path` says. One that is not there says nothing.
///
/// # Errors
/// [`LabError::Store`] when it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Books, LabError> {
    let mut books = Books::default();
    let dead = "SELECT a.name, CAST(json_extract(d.reading, '$.fields.n') AS INTEGER) FROM dead_letter d
                JOIN stream t ON t.id = d.stream JOIN agent a ON a.id = t.agent";
    each(path, dead, |row| {
        books.dead.entry(row.get(0)?).or_default().push(row.get(1)?);
        Ok(())
    })?;
    let gaps =
        "SELECT a.name, g.first, g.last FROM gap g JOIN stream t ON t.id = g.stream JOIN agent a ON a.id = t.agent";
    each(path, gaps, |row| {
        books.gaps.entry(row.get(0)?).or_default().push((row.get(1)?, row.get(2)?));
        Ok(())
    })?;
    books.decisions = decisions(path)?;
    Ok(books)
}

/// The decisions in the file at `path`, and what became of them.
///
/// # Errors
/// [`LabError::Store`] when it cannot be read.
pub(crate) fn decisions(path: &Path) -> Result<BTreeMap<DecisionName, String>, LabError> {
    let sql = "SELECT a.name, d.key, d.term, d.ingester, d.seq, d.decided_us, d.fate FROM decision d
               JOIN agent a ON a.id = d.agent";
    let mut decisions = BTreeMap::new();
    each(path, sql, |row| {
        let name = DecisionName {
            agent: row.get(0)?,
            key: row.get(1)?,
            term: row.get(2)?,
            ingester: row.get(3)?,
            seq: row.get(4)?,
            decided_us: row.get(5)?,
        };
        decisions.insert(name, row.get(6)?);
        Ok(())
    })?;
    Ok(decisions)
}

fn each(path: &Path, sql: &str, mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<()>) -> Result<(), LabError> {
    if !path.exists() {
        return Ok(());
    }
    let mut look = || -> rusqlite::Result<()> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(PATIENCE)?;
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            read(row)?;
        }
        Ok(())
    };
    look().map_err(|error| LabError::Store(format!("{}: {error}", path.display())))
}
