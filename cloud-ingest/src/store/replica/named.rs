//! Rows by their names, as they are now.

use super::super::{aggregates, progress};
use super::GAPS_NAMED_MAX;
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{AverageRow, Fold, ProgressRow, Rows};
use rusqlite::{Connection, OptionalExtension as _};

/// The rows of these streams and windows. What is not kept is left out.
pub(super) fn read(db: &Connection, streams: &[(AgentId, StreamId)], windows: &[Fold]) -> rusqlite::Result<Rows> {
    let mut rows = Rows::default();
    for (agent, stream) in streams {
        rows.progress.extend(stream_row(db, agent, *stream)?);
    }
    for window in windows {
        rows.averages.extend(average_row(db, window)?);
    }
    Ok(rows)
}

fn stream_row(db: &Connection, agent: &AgentId, stream: StreamId) -> rusqlite::Result<Option<ProgressRow>> {
    let mut statement = db.prepare_cached(
        "SELECT s.id, s.through, s.ranges FROM stream s JOIN agent a ON a.id = s.agent
         WHERE a.region = ?1 AND a.name = ?2 AND s.bits = ?3 AND s.progressed",
    )?;
    let key = (agent.region.as_str(), agent.agent.as_str(), stream.bits().cast_signed());
    let found = statement.query_row(key, |row| Ok((row.get(0)?, progress::read(row, 1)?))).optional()?;
    let Some((id, progress)) = found else { return Ok(None) };
    let gaps = progress::gaps_noted_last(db, id, GAPS_NAMED_MAX)?;
    Ok(Some(ProgressRow::new(agent, stream, progress, gaps)))
}

fn average_row(db: &Connection, window: &Fold) -> rusqlite::Result<Option<AverageRow>> {
    let (region, agent) = window.scope.names();
    let mut statement = db.prepare_cached(
        "SELECT g.n, g.sum, g.sum_squares, g.min, g.max FROM average v CROSS JOIN aggregate g ON g.average = v.id
         WHERE v.region = ?1 AND v.agent = ?2 AND v.kind = ?3 AND v.field = ?4 AND g.width_s = ?5 AND g.start_us = ?6",
    )?;
    let key = (region, agent, window.kind, window.field, window.width_s, window.start.us());
    let found = statement.query_row(key, |row| aggregates::read(row, 0)).optional()?;
    Ok(found.map(|aggregate| AverageRow::new(&Fold { aggregate, ..window.clone() })))
}
