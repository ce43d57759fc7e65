//! Loading: consecutive readings, just as they will travel.

use super::error::Fault;
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{Load, Run};
use fogline_protocol::time::Wall;
use rusqlite::Connection;

/// What is reserved for a run at first: a batch.
const RESERVED_BYTES_MAX: usize = 48 << 10;

/// Loads rows above `gone`.
pub(super) fn load(conn: &Connection, gone: Seq, load: &Load) -> Result<Option<Run>, Fault> {
    let (from, until) = (load.from.max(gone + 1), load.until.min(SEQ_MAX));
    if from > until {
        return Ok(None);
    }
    let sql = "SELECT seq, ts_us, body FROM readings WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query((from, until, i64::try_from(load.max_rows).unwrap_or(i64::MAX)))?;
    let mut run: Option<Run> = None;
    while let Some(row) = rows.next()? {
        let (seq, time) = (row.get(0)?, Wall::from_us(row.get(1)?));
        let body = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
        let Some(run) = &mut run else {
            run = Some(begin(seq, time, body, load));
            continue;
        };
        let consecutive = seq == run.first + run.times.len() as u64;
        if !consecutive || run.json.len() + 1 + body.len() > load.max_bytes {
            break;
        }
        run.json.push(b',');
        run.json.extend_from_slice(body);
        run.times.push(time);
    }
    Ok(run)
}

fn begin(first: Seq, time: Wall, body: &[u8], load: &Load) -> Run {
    let mut json = Vec::with_capacity(load.max_bytes.min(RESERVED_BYTES_MAX).max(body.len()));
    json.extend_from_slice(body);
    Run { first, json, times: vec![time] }
}
