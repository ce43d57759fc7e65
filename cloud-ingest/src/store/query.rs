//! Reading the ingester's database beside the ingester: for its API, its metrics and its operator.
//!
//! Everything comes in pages of at most [`PAGE_MAX`] rows. Calls block for as long as SQLite takes.

mod agents;
mod averages;
mod city;
mod dead;
mod directives;
mod garages;
mod heard;
mod households;
mod latest;
mod limits;
mod listed;
mod regions;

pub use agents::{AgentRow, DecisionRow, GapRow, StreamRow};
pub use averages::{Range, WINDOWS_MAX, WindowRow};
pub use dead::DeadLetterRow;
pub use directives::{DirectedRow, DirectiveFilter, DirectiveRow};
pub use garages::{ClarificationRow, GarageRow, Garages, InvoiceRow};
pub(crate) use heard::HeardRow;
pub use households::{HouseholdRow, StateRow};
pub use latest::{LatestFilter, LatestRow};
pub use limits::{LimitFilter, LimitRow};
pub use listed::{After, Listed};
pub use regions::RegionRow;

use super::number::from_sql;
use super::{StoreError, file};
use rusqlite::{Connection, ErrorCode};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The most rows of one answer.
pub const PAGE_MAX: u32 = 1000;

/// Which rows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many at most; above [`PAGE_MAX`] it is that.
    pub limit: u32,
    /// How many to skip.
    pub offset: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: PAGE_MAX, offset: 0 }
    }
}

impl Page {
    fn bounds(self) -> (u32, u32) {
        (self.limit.min(PAGE_MAX), self.offset)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Give what a page before said.
    #[error("after is {0:?}: give the `next` of the page before as it is, or leave it out")]
    After(String),
    /// Ask again.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The file is gone, damaged or cannot be read.
    #[error("the database cannot be read: {0}")]
    Unreadable(String),
}

impl From<rusqlite::Error> for QueryError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy(error.to_string()),
            _ => Self::Unreadable(error.to_string()),
        }
    }
}

/// What there is in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Readings stored since the database was made, in whatever store.
    pub stored: u64,
    /// Dead letters since the database was made, by reason.
    pub dead: BTreeMap<String, u64>,
    /// Readings that were reported as gaps.
    pub lost: u64,
    /// Agents that were ever heard of.
    pub agents: u64,
    /// Streams that were ever written.
    pub streams: u64,
    /// Decisions that no agent has answered yet.
    pub outstanding: u64,
    /// The counter of the term.
    pub term: u64,
}

/// A reader of the database.
pub struct StoreReader {
    connection: Connection,
}

impl StoreReader {
    /// Opens an existing database for reading only.
    ///
    /// # Errors
    /// [`StoreError`], when there is none, or it is not the ingester's.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: file::open_reader(path)? })
    }

    /// What there is in all.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn counts(&self) -> Result<Counts, QueryError> {
        let mut dead = self.connection.prepare_cached("SELECT reason, n FROM dead_count")?;
        let dead = dead.query_map([], |row| Ok((row.get(0)?, from_sql(row.get(1)?))))?.collect::<Result<_, _>>()?;
        let counts = self
            .connection
            .prepare_cached(
                "SELECT stored_total, term, (SELECT CAST(total(lost) AS INTEGER) FROM stream), (SELECT count(*) FROM agent),
                     (SELECT count(*) FROM stream WHERE progressed),
                     (SELECT count(*) FROM decision WHERE fate = 'outstanding') FROM state",
            )?
            .query_row([], |row| {
                let number = |column| Ok::<_, rusqlite::Error>(from_sql(row.get(column)?));
                Ok(Counts {
                    stored: number(0)?,
                    term: number(1)?,
                    lost: number(2)?,
                    agents: number(3)?,
                    streams: number(4)?,
                    outstanding: number(5)?,
                    dead,
                })
            })?;
        Ok(counts)
    }
}
