//! Agents: who was ever heard of, and the newest status of each.

use super::names::Names;
use super::number::{from_sql, to_sql};
use fogline_protocol::store::AgentStatus;
use fogline_protocol::wire::Status;
use rusqlite::{Connection, Row};

/// The columns that [`read`] takes, of `agent a`; `a.heard_us` tells whether there is a status.
pub(super) const COLUMNS: &str =
    "a.online, a.opening, a.connect, a.said_us, a.queued, a.queued_bytes, a.oldest_us, a.dropped";

/// Keeps the newest status of an agent.
pub(super) fn save(db: &Connection, names: &mut Names, heard: &AgentStatus) -> rusqlite::Result<()> {
    let agent = names.agent(db, &heard.agent)?;
    let status = &heard.status;
    db.prepare_cached(
        "UPDATE agent SET heard_us = ?2, online = ?3, opening = ?4, connect = ?5, said_us = ?6, queued = ?7,
             queued_bytes = ?8, oldest_us = ?9, dropped = ?10 WHERE id = ?1",
    )?
    .execute((
        agent,
        heard.heard.us(),
        status.online,
        to_sql(status.connection.0),
        to_sql(status.connection.1),
        status.ts_us,
        to_sql(status.queued),
        to_sql(status.queued_bytes),
        status.oldest_us,
        to_sql(status.dropped),
    ))?;
    Ok(())
}

/// The status in [`COLUMNS`] from `first` on.
pub(super) fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Status> {
    Ok(Status {
        online: row.get(first)?,
        connection: (from_sql(row.get(first + 1)?), from_sql(row.get(first + 2)?)),
        ts_us: row.get(first + 3)?,
        queued: from_sql(row.get(first + 4)?),
        queued_bytes: from_sql(row.get(first + 5)?),
        oldest_us: row.get(first + 6)?,
        dropped: from_sql(row.get(first + 7)?),
        // Not kept: the gaps say which readings they are.
        damaged: 0,
    })
}
