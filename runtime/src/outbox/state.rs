//! Reading what a queue holds: when it is opened, and by those who look into it.

use super::books::Books;
use super::error::Fault;
use super::gaps;
use fogline_protocol::queue::{QueueState, SavedDecision, SourcePosition};
use fogline_protocol::time::Wall;
use rusqlite::Connection;

/// What the queue holds. Takes as long as there are gaps, positions and decisions, however many readings there are.
pub(super) fn read(conn: &Connection, books: &Books) -> Result<QueueState, Fault> {
    Ok(QueueState {
        opening: books.opening,
        segments: books.segments.clone(),
        next: books.next,
        oldest: books.oldest(conn)?.map(|(seq, _)| seq),
        gaps: gaps::read(conn)?,
        usage: books.usage(conn)?,
        decisions: read_decisions(conn)?,
        positions: read_positions(conn)?,
    })
}

fn read_decisions(conn: &Connection) -> Result<Vec<SavedDecision>, Fault> {
    let mut statement = conn.prepare("SELECT decision, received_us FROM decision ORDER BY key")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, Wall::from_us(row.get(1)?))))?;
    rows.map(|row| {
        let (json, received) = row?;
        let decision = serde_json::from_str(&json).map_err(|_| Fault::Inconsistent("a saved decision is not one"))?;
        Ok(SavedDecision { decision, received })
    })
    .collect()
}

fn read_positions(conn: &Connection) -> Result<Vec<SourcePosition>, Fault> {
    let mut statement = conn.prepare("SELECT source, position FROM position ORDER BY source")?;
    let rows = statement.query_map([], |row| Ok(SourcePosition { source: row.get(0)?, position: row.get(1)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
