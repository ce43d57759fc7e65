//! What the ingester's file says: progress, gaps, dead letters, and how much was stored.

use super::error::AuditError;
use super::facts::Facts;
use fogline_ingest::store::query::StoreReader;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{Seq, StreamId};
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, Row};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The name of the file in an ingester's data directory when readings are in it too ...
pub(super) const WITH_READINGS: &str = "fogline.db";
/// ... and when they are in another database.
pub(super) const WITHOUT_READINGS: &str = "state.db";
/// A commit of the ingester may keep a reader waiting for as long as the disk takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// The agents and streams of the file's rows.
pub(super) type StreamNames = BTreeMap<i64, (String, StreamId)>;

/// Reads everything that is no reading.
pub(super) fn read(path: &Path, facts: &mut Facts) -> Result<(), AuditError> {
    let connection = open(path)?;
    read_all(&connection, facts).map_err(|source| AuditError::Read { path: path.to_owned(), source })
}

/// Opens the file beside its ingester; refuses what is not one.
pub(super) fn open(path: &Path) -> Result<Connection, AuditError> {
    drop(StoreReader::open(path)?);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    };
    open().map_err(|source| AuditError::Read { path: path.to_owned(), source })
}

/// All at one moment: progress, and the gaps and dead letters that it speaks of, were committed together.
fn read_all(connection: &Connection, facts: &mut Facts) -> rusqlite::Result<()> {
    let moment = connection.unchecked_transaction()?;
    facts.counted.push(moment.query_row("SELECT stored_total FROM state", [], |row| row.get(0))?);
    let names = names(&moment)?;
    read_progress(&moment, &names, facts)?;
    read_gaps(&moment, &names, facts)?;
    let kept = read_dead_letters(&moment, &names, facts)?;
    let counted: u64 = moment.query_row("SELECT coalesce(sum(n), 0) FROM dead_count", [], |row| row.get(0))?;
    facts.letters_deleted += counted.saturating_sub(kept);
    Ok(())
}

/// Whose each stream is.
pub(super) fn names(connection: &Connection) -> rusqlite::Result<StreamNames> {
    let mut statement = connection
        .prepare("SELECT s.id, a.region || '/' || a.name, s.bits FROM stream s JOIN agent a ON a.id = s.agent")?;
    let rows = statement.query_map([], |row| {
        let bits: i64 = row.get(2)?;
        Ok((row.get(0)?, (row.get(1)?, StreamId::from_bits(bits.cast_unsigned()))))
    })?;
    rows.collect()
}

fn read_progress(connection: &Connection, names: &StreamNames, facts: &mut Facts) -> rusqlite::Result<()> {
    let kept = gaps_kept(connection)?;
    let mut statement = connection.prepare("SELECT id, through, ranges, lost FROM stream")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let Some((agent, stream)) = names.get(&id) else { continue };
        let stream = facts.stream(agent, Some(*stream));
        stream.claimed.insert(Range::new(1, row.get(1)?));
        ranges(row, 2)?.into_iter().for_each(|range| stream.claimed.insert(range));
        let lost: u64 = row.get(3)?;
        let forgotten = lost.saturating_sub(kept.get(&id).copied().unwrap_or(0));
        // Two ingesters may both have counted the same gaps.
        stream.gaps_forgotten = stream.gaps_forgotten.max(forgotten);
    }
    Ok(())
}

/// How many numbers are in the gaps that are kept, by stream.
fn gaps_kept(connection: &Connection) -> rusqlite::Result<BTreeMap<i64, u64>> {
    let mut statement = connection.prepare("SELECT stream, sum(last - first + 1) FROM gap GROUP BY stream")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn ranges(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<Range>> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

fn read_gaps(connection: &Connection, names: &StreamNames, facts: &mut Facts) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT stream, first, last FROM gap")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let Some((agent, stream)) = names.get(&row.get(0)?) else { continue };
        let stream = facts.stream(agent, Some(*stream));
        stream.gaps.insert(Range::new(row.get(1)?, row.get(2)?));
    }
    Ok(())
}

/// Gives the number of letters that are there.
fn read_dead_letters(connection: &Connection, names: &StreamNames, facts: &mut Facts) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare("SELECT stream, seq FROM dead_letter")?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        count += 1;
        let Some((agent, stream)) = names.get(&row.get(0)?) else { continue };
        let seq: Seq = row.get(1)?;
        facts.stream(agent, Some(*stream)).dead.insert(Range::new(seq, seq));
    }
    Ok(count)
}
