//! Gaps: numbers that will never be sent, until the ingester has acknowledged that.

use super::books::Books;
use super::error::Fault;
use super::seal::Sealed;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::Seq;
use rusqlite::{Connection, OptionalExtension};

/// All gaps, in order.
pub(super) fn read(conn: &Connection) -> Result<Vec<Range>, Fault> {
    let mut statement = conn.prepare("SELECT first, last, seal FROM gap ORDER BY first")?;
    let rows = statement.query_map([], |row| Ok((Range::new(row.get(0)?, row.get(1)?), row.get(2)?)))?;
    rows.map(|row| {
        let (gap, seal) = row?;
        let Range { first, last } = gap;
        let sound = first <= last && Sealed::Gap { first, last }.fits(seal);
        if sound { Ok(gap) } else { Err(Fault::Damaged("a gap is not what was written")) }
    })
    .collect()
}

/// The numbers of `range` that are in no gap, whether the ingester knows of it or not.
pub(super) fn missing(conn: &Connection, range: Range) -> Result<RangeSet, Fault> {
    let mut rest = RangeSet::from_iter([range]);
    for table in ["gap", "told"] {
        let sql = format!("SELECT first, last FROM {table} WHERE first <= ?2 AND last >= ?1");
        let mut statement = conn.prepare_cached(&sql)?;
        let gaps = statement.query_map((range.first, range.last), |row| Ok(Range::new(row.get(0)?, row.get(1)?)))?;
        for gap in gaps {
            rest.remove(gap?);
        }
    }
    Ok(rest)
}

/// Keeps in mind that the ingester knows of `gap`: its numbers are missing rightly for as long as a reading below waits.
pub(super) fn add_told(conn: &Connection, gap: Range) -> Result<(), Fault> {
    let Range { first, last } = gap;
    let sql = "INSERT OR REPLACE INTO told (first, last, seal) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute((first, last, Sealed::Told { first, last }.seal()))?;
    Ok(())
}

/// Forgets what is known of numbers up to `gone`: nobody asks for them any more.
pub(super) fn forget_told(conn: &Connection, gone: Seq) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM told WHERE last <= ?1")?.execute([gone])?;
    Ok(())
}

/// Adds a gap that lies in one segment, joined with those of the segment that it touches: dropping on and on makes one
/// row, not many.
pub(super) fn add(conn: &Connection, books: &Books, gap: Range) -> Result<(), Fault> {
    let mut joined = gap;
    if !books.begins_at(gap.first)
        && let Some(before) = find(conn, "WHERE first < ?1 ORDER BY first DESC LIMIT 1", gap.first)?
        && before.last + 1 == gap.first
    {
        joined.first = before.first;
    }
    if !books.begins_at(gap.last + 1)
        && let Some(after) = find(conn, "WHERE first = ?1", gap.last + 1)?
    {
        delete(conn, after.first)?;
        joined.last = after.last;
    }
    insert(conn, joined)
}

/// Takes `range` out of the gaps, because the ingester knows of it; what is in no gap does not matter.
pub(super) fn remove(conn: &Connection, gone: Seq, range: Range) -> Result<(), Fault> {
    if range.is_empty() {
        return Ok(());
    }
    let told = |gap: Range| {
        let part = Range::new(gap.first.max(range.first).max(gone + 1), gap.last.min(range.last));
        if part.is_empty() { Ok(()) } else { add_told(conn, part) }
    };
    let before = find(conn, "WHERE first < ?1 ORDER BY first DESC LIMIT 1", range.first)?;
    if let Some(gap) = before.filter(|gap| gap.last >= range.first) {
        told(gap)?;
        insert(conn, Range::new(gap.first, range.first - 1))?;
        insert_rest(conn, gap, range)?;
    }
    while let Some(gap) = find(conn, "WHERE first >= ?1 ORDER BY first LIMIT 1", range.first)? {
        if gap.first > range.last {
            break;
        }
        told(gap)?;
        delete(conn, gap.first)?;
        insert_rest(conn, gap, range)?;
    }
    Ok(())
}

/// True when `seq` is in a gap.
pub(super) fn contains(conn: &Connection, seq: Seq) -> Result<bool, Fault> {
    let found = find(conn, "WHERE first <= ?1 ORDER BY first DESC LIMIT 1", seq)?;
    Ok(found.is_some_and(|gap| gap.contains(seq)))
}

/// Puts back what of `gap` lies above `removed`.
fn insert_rest(conn: &Connection, gap: Range, removed: Range) -> Result<(), Fault> {
    if gap.last > removed.last { insert(conn, Range::new(removed.last + 1, gap.last)) } else { Ok(()) }
}

fn find(conn: &Connection, which: &'static str, seq: Seq) -> Result<Option<Range>, Fault> {
    let mut statement = conn.prepare_cached(&format!("SELECT first, last FROM gap {which}"))?;
    Ok(statement.query_row([seq], |row| Ok(Range::new(row.get(0)?, row.get(1)?))).optional()?)
}

fn insert(conn: &Connection, gap: Range) -> Result<(), Fault> {
    let Range { first, last } = gap;
    let sql = "INSERT OR REPLACE INTO gap (first, last, seal) VALUES (?1, ?2, ?3)";
    conn.prepare_cached(sql)?.execute((first, last, Sealed::Gap { first, last }.seal()))?;
    Ok(())
}

fn delete(conn: &Connection, first: Seq) -> Result<(), Fault> {
    conn.prepare_cached("DELETE FROM gap WHERE first = ?1")?.execute([first])?;
    Ok(())
}
