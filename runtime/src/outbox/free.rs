//! Freeing what is acknowledged: counted at once, deleted later and many at a time, because each deletion rewrites the
//! pages at the front of the table, and a commit every 50 ms would write them again and again.

use super::books::Books;
use super::error::Fault;
use super::gaps;
use fogline_protocol::queue::{Free, QueueUsage};
use rusqlite::Connection;

/// Frees, within a transaction.
pub(super) fn free(conn: &Connection, books: &mut Books, free: &Free) -> Result<QueueUsage, Fault> {
    let through = free.through.min(books.next - 1);
    if through > books.gone {
        let sql = "SELECT count(*), coalesce(sum(octet_length(body)), 0) FROM readings WHERE seq > ?1 AND seq <= ?2";
        let counted = conn.prepare_cached(sql)?.query_row((books.gone, through), |row| Ok((row.get(0)?, row.get(1)?)));
        let (readings, bytes) = counted?;
        books.take_away(through, readings, bytes)?;
    }
    for gap in &free.gaps {
        gaps::remove(conn, books.gone, *gap)?;
    }
    gaps::forget_told(conn, books.gone)?;
    books.forget_segments(conn)?;
    books.usage(conn)
}

/// Deletes what is gone, at most `rows` of it.
pub(super) fn delete_gone(conn: &Connection, books: &mut Books, rows: u64) -> Result<(), Fault> {
    let through = books.gone.min(books.deleted.saturating_add(rows));
    conn.prepare_cached("DELETE FROM readings WHERE seq <= ?1")?.execute([through])?;
    books.deleted = through;
    Ok(())
}
