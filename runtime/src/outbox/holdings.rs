//! Which numbers a queue holds: its half of an account, read beside a running agent or from a stopped one's file.

use super::books::Books;
use super::error::{Fault, OutboxError};
use super::{gaps, inspect};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::Segment;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// The numbers of a queue as of its last commit. What is below `next` and neither in `rows` nor in `gaps` was freed: it is
/// acknowledged, as a reading or as a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// Whose readings they are, as "region/agent"; none while no agent has said so.
    pub owner: Option<String>,
    /// Which numbers belong to which stream, from the first segment that still has readings or gaps.
    pub segments: Vec<Segment>,
    /// The number that the next reading gets.
    pub next: Seq,
    /// Readings that wait, or are not acknowledged yet.
    pub rows: RangeSet,
    /// Gaps that are not acknowledged yet.
    pub gaps: Vec<Range>,
}

/// Reads which numbers the queue at `path` holds, whether an agent has it open or not. Nothing is written to it. All its numbers are read, so it
/// takes longer than [`inspect()`](super::inspect()) the more it holds.
///
/// # Errors
/// As for [`inspect()`](super::inspect()).
pub fn holdings(path: &Path) -> Result<Holdings, OutboxError> {
    inspect::look(path, read)
}

fn read(conn: &Connection, books: &Books) -> Result<Holdings, Fault> {
    Ok(Holdings {
        owner: conn.query_row("SELECT agent FROM owner", [], |row| row.get(0)).optional()?,
        segments: books.segments.clone(),
        next: books.next,
        rows: rows(conn, books.gone)?,
        gaps: gaps::read(conn)?,
    })
}

fn rows(conn: &Connection, gone: Seq) -> Result<RangeSet, Fault> {
    let mut statement = conn.prepare("SELECT seq FROM readings WHERE seq > ?1 ORDER BY seq")?;
    let mut found = statement.query([gone])?;
    let mut rows = RangeSet::new();
    let mut run: Option<Range> = None;
    while let Some(row) = found.next()? {
        let seq: Seq = row.get(0)?;
        match &mut run {
            Some(run) if run.last + 1 == seq => run.last = seq,
            _ => run.replace(Range::new(seq, seq)).into_iter().for_each(|done| rows.insert(done)),
        }
    }
    run.into_iter().for_each(|last| rows.insert(last));
    Ok(rows)
}
