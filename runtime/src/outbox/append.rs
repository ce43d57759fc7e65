//! Appending: readings, segments, positions, and what gives way for them, in one transaction.

use super::books::Books;
use super::bounds::{Intake, drop_oldest};
use super::error::Fault;
use super::gaps;
use super::seal::{Sealed, of_reading};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{Append, Appended, QueueLimits, Rows, SourcePosition};
use fogline_protocol::time::Wall;
use rusqlite::Connection;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};

/// Appends, within a transaction. `now` is what ages are counted from.
pub(super) fn append(
    conn: &Connection,
    books: &mut Books,
    limits: &QueueLimits,
    now: Wall,
    append: &Append,
) -> Result<Appended, Fault> {
    let first = books.next;
    let mut dropped = RangeSet::new();
    drop_oldest(conn, books, limits, now, &mut dropped)?;
    let mut intake = Intake::new(conn, books, limits)?;
    for part in &append.parts {
        if let Some(head) = part.segment {
            books.begin_segment(conn, head)?;
        }
        insert(conn, books, &mut intake, &part.rows, &mut dropped)?;
    }
    drop_oldest(conn, books, limits, now, &mut dropped)?;
    save_positions(conn, books.next - 1, &append.positions)?;
    let dropped = record(conn, books, &dropped)?;
    if append.parts.iter().any(|part| part.segment.is_some()) {
        books.forget_segments(conn)?;
    }
    Ok(Appended { range: Range::new(first, books.next - 1), dropped, usage: books.usage(conn)? })
}

/// Drops the readings up to `through`, within a transaction, because a person says so.
pub(super) fn drop_through(conn: &Connection, books: &mut Books, through: Seq) -> Result<Appended, Fault> {
    let through = through.min(books.next - 1);
    let mut dropped = RangeSet::new();
    let (mut readings, mut bytes) = (0, 0);
    let sql = "SELECT seq, octet_length(body) FROM readings WHERE seq > ?1 AND seq <= ?2 ORDER BY seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query((books.gone, through))?;
    while let Some(row) = rows.next()? {
        let (seq, length): (Seq, u64) = (row.get(0)?, row.get(1)?);
        dropped.insert(Range::new(seq, seq));
        readings += 1;
        bytes += length;
    }
    if readings > 0 {
        books.take_away(through, readings, bytes)?;
    }
    let dropped = record(conn, books, &dropped)?;
    let range = Range::new(books.next, books.next - 1);
    Ok(Appended { range, dropped, usage: books.usage(conn)? })
}

fn insert(
    conn: &Connection,
    books: &mut Books,
    intake: &mut Intake,
    rows: &Rows,
    dropped: &mut RangeSet,
) -> Result<(), Fault> {
    if rows.is_empty() {
        return Ok(());
    }
    let newest = books.origin_of(books.next);
    let origin = newest.ok_or(Fault::Inconsistent("the first readings of a queue must begin a segment"))?;
    if SEQ_MAX - (books.next - 1) < rows.len() as u64 {
        return Err(Fault::Inconsistent("the queue has given all sequence numbers: start with a new file"));
    }
    let mut statement = conn.prepare_cached("INSERT INTO readings (seq, ts_us, body, seal) VALUES (?1, ?2, ?3, ?4)")?;
    for (time, json) in rows.iter() {
        let bytes = json.len() as u64;
        let seq = books.next;
        books.next += 1;
        if intake.takes(books, bytes) {
            statement.execute((seq, time.us(), Body(json), of_reading(seq, time.us(), json, origin)))?;
            books.readings += 1;
            books.bytes += bytes;
        } else {
            dropped.insert(Range::new(seq, seq));
        }
    }
    Ok(())
}

/// A reading as JSON: text for whoever looks into the file, without a second check that it is UTF-8.
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl ToSql for Body<'_> {
    fn to_sql(&self) -> Result<ToSqlOutput<'_>, rusqlite::Error> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.0)))
    }
}

/// Saves where sources stand after the reading `seq`.
pub(super) fn save_positions(conn: &Connection, seq: Seq, positions: &[SourcePosition]) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO position (source, position, seq, seal) VALUES (?1, ?2, ?3, ?4)";
    for SourcePosition { source, position } in positions {
        let seal = Sealed::Position { source, position, seq }.seal();
        conn.prepare_cached(sql)?.execute((source, position, seq, seal))?;
    }
    Ok(())
}

/// Makes gaps of what was dropped, none over two segments.
fn record(conn: &Connection, books: &mut Books, dropped: &RangeSet) -> Result<Vec<Range>, Fault> {
    let pieces: Vec<Range> = dropped.iter().flat_map(|range| books.pieces(range)).collect();
    for piece in &pieces {
        gaps::add(conn, books, *piece)?;
    }
    books.dropped += dropped.count();
    Ok(pieces)
}
