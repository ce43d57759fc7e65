//! Reading what a queue holds: when it is opened, and by those who look into it.

use super::books::Books;
use super::error::Fault;
use super::gaps;
use super::seal::Sealed;
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
    let mut statement = conn.prepare("SELECT key, received_us, decision, seal FROM decision ORDER BY key")?;
    let rows = statement
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get(3)?)))?;
    rows.map(|row| {
        let (key, received_us, json, seal) = row?;
        let sealed = Sealed::Decision { key: &key, received_us, decision: &json };
        let decision = serde_json::from_str(&json).ok().filter(|_| sealed.fits(seal));
        let decision = decision.ok_or(Fault::Damaged("a saved decision is not what was written"))?;
        Ok(SavedDecision { decision, received: Wall::from_us(received_us) })
    })
    .collect()
}

fn read_positions(conn: &Connection) -> Result<Vec<SourcePosition>, Fault> {
    let mut statement = conn.prepare("SELECT source, position, seq, seal FROM position ORDER BY source")?;
    let rows = statement.query_map([], |row| {
        Ok((SourcePosition { source: row.get(0)?, position: row.get(1)? }, row.get(2)?, row.get(3)?))
    })?;
    rows.map(|row| {
        let (at, seq, seal) = row?;
        let sound = Sealed::Position { source: &at.source, position: &at.position, seq }.fits(seal);
        if sound { Ok(at) } else { Err(Fault::Damaged("a source's position is not what was written")) }
    })
    .collect()
}
