//! The readings in the ingester's own file.

use super::error::AuditError;
use super::facts::{Facts, Runs};
use super::influx::Progress;
use super::ingester::{self, StreamNames};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::Seq;
use rusqlite::Connection;
use std::path::Path;

/// Rows that are read at a time, about 50 ms: while they are, the ingester cannot begin its log anew.
const ROWS: u32 = 100_000;

/// Reads all readings. Rows are only ever added, with larger ids: what was there when this began is found, page by page,
/// whatever is added meanwhile.
pub(super) fn read(path: &Path, facts: &mut Facts, progress: Progress<'_>) -> Result<(), AuditError> {
    let connection = ingester::open(path)?;
    let failed = |source| AuditError::Read { path: path.to_owned(), source };
    let (mut last, mut read, mut runs) = (i64::MIN, 0, Runs::new());
    loop {
        let page = page(&connection, last).map_err(failed)?;
        let Some(row) = page.last() else { break };
        last = row.id;
        // After the rows: their streams were there before them.
        let names = ingester::names(&connection).map_err(failed)?;
        for row in &page {
            if let Some((stream, range)) = runs.push(row.stream, row.seq) {
                store(facts, &names, stream, range)?;
            }
        }
        read += page.len() as u64;
        progress(read);
    }
    let names = ingester::names(&connection).map_err(failed)?;
    runs.end().map_or(Ok(()), |(stream, range)| store(facts, &names, stream, range))
}

/// A reading.
struct Stored {
    id: i64,
    stream: i64,
    seq: Seq,
}

fn page(connection: &Connection, last: i64) -> rusqlite::Result<Vec<Stored>> {
    let mut statement =
        connection.prepare_cached("SELECT id, stream, seq FROM reading WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement
        .query_map((last, ROWS), |row| Ok(Stored { id: row.get(0)?, stream: row.get(1)?, seq: row.get(2)? }))?;
    rows.collect()
}

fn store(facts: &mut Facts, names: &StreamNames, stream: i64, range: Range) -> Result<(), AuditError> {
    // A stream is never deleted. Of one that is not there nothing could be said.
    names.get(&stream).map_or(Ok(()), |(agent, stream)| facts.store(agent, Some(*stream), range))
}
