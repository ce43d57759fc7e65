//! Agents, their streams and gaps, and their newest decisions.

use super::{Page, QueryError, StoreReader};
use crate::store::number::from_sql;
use crate::store::{agents, decisions, progress};
use fogline_protocol::store::{DecisionRecord, Fate};
use fogline_protocol::wire::Status;
use rusqlite::{OptionalExtension as _, Row};
use serde::Serialize;
use utoipa::ToSchema;

/// The most streams that are shown of an agent, newest first: as many as may be open at the same time.
const STREAMS_SHOWN: u32 = 16;
/// The most gaps that are shown of a stream, newest first.
const GAPS_SHOWN: u32 = 32;
/// The most decisions that are shown of an agent, of different keys.
const DECISIONS_SHOWN: usize = 16;

/// An agent as the database knows it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AgentRow {
    /// Its region.
    pub region: String,
    /// Its name.
    pub agent: String,
    /// When its newest status was heard, in microseconds since 1970, by the ingester's clock.
    pub heard_us: Option<i64>,
    /// Its newest status.
    #[schema(value_type = Option<StatusSchema>)]
    pub status: Option<Status>,
    /// How far its clock is ahead of the ingester's (negative: behind), in milliseconds, less the time that its newest status
    /// was on its way. None while it is offline: a last will was written long before. After a start of the ingester a retained
    /// status makes the clock seem to be behind until the next one, for 10 s.
    pub clock_ahead_ms: Option<i64>,
    /// Its streams, the newest 16 first.
    pub streams: Vec<StreamRow>,
    /// The newest decision of each of its registers.
    pub decisions: Vec<DecisionRow>,
}

/// What an agent says of itself; [`Status`] in the document.
#[derive(ToSchema)]
#[schema(as = Status)]
#[allow(dead_code, reason = "for the document only")]
struct StatusSchema {
    /// False in its last will.
    online: bool,
    /// Which connection this speaks of: openings of the queue, and connects since.
    connection: [u64; 2],
    /// When it was said, by the agent's clock, in microseconds since 1970.
    ts_us: i64,
    /// Readings in its queue.
    queued: u64,
    /// Bytes of readings in its queue.
    queued_bytes: u64,
    /// The time of the oldest reading in its queue, in microseconds since 1970.
    oldest_us: Option<i64>,
    /// Readings that a full queue had to drop, since it was made.
    dropped: u64,
    /// Readings that damage to the queue took; left out when there are none.
    #[schema(required = false)]
    damaged: u64,
}

/// What is written of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StreamRow {
    /// Its id, 16 hexadecimal digits.
    pub stream: String,
    /// Everything up to here is written, dead-lettered, or a gap.
    pub through: u64,
    /// Ranges that are written above that.
    pub ranges: usize,
    /// Readings in gaps, in all.
    pub lost: u64,
    /// The newest 32 gaps, newest first.
    pub gaps: Vec<GapRow>,
}

/// Sequence numbers that will never come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct GapRow {
    /// The first of them.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// When it was recorded, in microseconds since 1970.
    pub noted_us: i64,
}

/// A decision and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct DecisionRow {
    /// Its register: `limit`, for example.
    pub key: String,
    /// The counter of its term.
    pub term: u64,
    /// Its number in that term.
    pub seq: u64,
    /// What was decided.
    #[schema(value_type = Object)]
    pub body: serde_json::Value,
    /// When, in microseconds since 1970.
    pub decided_us: i64,
    /// How long it is in force, in milliseconds.
    pub ttl_ms: u64,
    /// `outstanding`, `applied`, `superseded`, `refused`, `rolled_back`, `replaced` or `expired`.
    pub fate: &'static str,
    /// Whether the agent has answered.
    pub acknowledged: bool,
    /// Why it is not in force, as the agent said it; left out where it is, or was not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    pub reason: Option<String>,
}

impl From<DecisionRecord> for DecisionRow {
    fn from(record: DecisionRecord) -> Self {
        Self {
            key: record.decision.key,
            term: record.decision.term.counter,
            seq: record.decision.seq,
            body: record.decision.body,
            decided_us: record.decided.us(),
            ttl_ms: record.decision.ttl_ms,
            fate: decisions::fate_name(record.fate),
            acknowledged: matches!(record.fate, Fate::Acknowledged(_)),
            reason: record.reason,
        }
    }
}

impl StoreReader {
    /// Agents by region and name.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn agents(&self, page: Page) -> Result<Vec<AgentRow>, QueryError> {
        // One moment for all of the answer, whatever is committed meanwhile.
        let snapshot = self.connection.unchecked_transaction()?;
        let mut statement = snapshot.prepare_cached(&format!(
            "SELECT a.id, a.region, a.name, a.heard_us, {} FROM agent a ORDER BY a.region, a.name LIMIT ?1 OFFSET ?2",
            agents::COLUMNS
        ))?;
        let rows = statement.query_map(page.bounds(), |row| Ok((row.get::<_, i64>(0)?, agent_row(row)?)))?;
        let mut found = Vec::new();
        for row in rows {
            let (id, agent) = row?;
            found.push(self.with_details(id, agent)?);
        }
        Ok(found)
    }

    /// The agent of that name, if it was ever heard of.
    ///
    /// # Errors
    /// [`QueryError`], when the database cannot be read.
    pub fn agent(&self, region: &str, name: &str) -> Result<Option<AgentRow>, QueryError> {
        let snapshot = self.connection.unchecked_transaction()?;
        let found = snapshot
            .prepare_cached(&format!(
                "SELECT a.id, a.region, a.name, a.heard_us, {} FROM agent a WHERE a.region = ?1 AND a.name = ?2",
                agents::COLUMNS
            ))?
            .query_row((region, name), |row| Ok((row.get::<_, i64>(0)?, agent_row(row)?)))
            .optional()?;
        Ok(found.map(|(id, agent)| self.with_details(id, agent)).transpose()?)
    }

    fn with_details(&self, id: i64, mut agent: AgentRow) -> rusqlite::Result<AgentRow> {
        agent.streams = self.streams(id)?;
        agent.decisions = self.newest_decisions(id)?;
        Ok(agent)
    }

    fn streams(&self, agent: i64) -> rusqlite::Result<Vec<StreamRow>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, bits, lost, through, ranges FROM stream WHERE agent = ?1 AND progressed
             ORDER BY id DESC LIMIT ?2",
        )?;
        let rows = statement.query_map((agent, STREAMS_SHOWN), |row| {
            let progress = progress::read(row, 3)?;
            let stream = StreamRow {
                stream: format!("{:016x}", row.get::<_, i64>(1)?),
                through: progress.through,
                ranges: progress.ranges.len(),
                lost: from_sql(row.get(2)?),
                gaps: Vec::new(),
            };
            Ok((row.get::<_, i64>(0)?, stream))
        })?;
        let mut found = Vec::new();
        for row in rows {
            let (id, mut stream) = row?;
            stream.gaps = self.gaps(id)?;
            found.push(stream);
        }
        Ok(found)
    }

    fn gaps(&self, stream: i64) -> rusqlite::Result<Vec<GapRow>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT first, last, noted_us FROM gap WHERE stream = ?1 ORDER BY first DESC LIMIT ?2")?;
        let rows = statement.query_map((stream, GAPS_SHOWN), |row| {
            Ok(GapRow { first: from_sql(row.get(0)?), last: from_sql(row.get(1)?), noted_us: row.get(2)? })
        })?;
        rows.collect()
    }

    fn newest_decisions(&self, agent: i64) -> rusqlite::Result<Vec<DecisionRow>> {
        let newest = decisions::newest_of(&self.connection, agent)?;
        Ok(newest.into_iter().take(DECISIONS_SHOWN).map(DecisionRow::from).collect())
    }
}

fn agent_row(row: &Row<'_>) -> rusqlite::Result<AgentRow> {
    let heard_us: Option<i64> = row.get(3)?;
    let status = heard_us.map(|_| agents::read(row, 4)).transpose()?;
    let online = status.as_ref().filter(|status| status.online);
    let clock_ahead_ms = online.zip(heard_us).map(|(status, heard_us)| (status.ts_us - heard_us) / 1000);
    Ok(AgentRow {
        region: row.get(1)?,
        agent: row.get(2)?,
        heard_us,
        status,
        clock_ahead_ms,
        streams: Vec::new(),
        decisions: Vec::new(),
    })
}
