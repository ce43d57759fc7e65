//! Loading: consecutive readings, just as they will travel. Each is held against its seal: what is not as it was written is
//! not sent. After that its time is moved, where its segment says so.

use super::books::Books;
use super::error::Fault;
use super::seal::{Origin, origin_of};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{Load, Run};
use fogline_protocol::time::Wall;
use rusqlite::{Connection, Row};

/// What is reserved for a run at first: a batch.
const RESERVED_BYTES_MAX: usize = 48 << 10;

/// Bytes of broken readings that one load keeps in memory. Of those beyond it nothing is set aside but the number.
pub(super) const BROKEN_BYTES_MAX: usize = 2 << 20;

/// What a load found.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    /// The readings.
    pub(super) run: Option<Run>,
    /// Readings before them that are not as they were written.
    pub(super) broken: Vec<Broken>,
    /// Numbers before them of which no reading is there.
    pub(super) absent: Vec<Range>,
}

/// A reading that is not as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Broken {
    pub(super) seq: Seq,
    pub(super) origin: Option<Origin>,
    pub(super) body: Vec<u8>,
    pub(super) why: &'static str,
}

/// Loads rows above `gone`.
pub(super) fn load(conn: &Connection, books: &Books, gone: Seq, load: &Load) -> Result<Loaded, Fault> {
    let (from, until) = (load.from.max(gone + 1), load.until.min(SEQ_MAX).min(books.next - 1));
    let mut found = Loaded::default();
    if from > until || load.max_rows == 0 {
        return Ok(found);
    }
    let sql = "SELECT seq, ts_us, body, seal FROM readings WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query((from, until))?;
    let mut expected = from;
    let mut broken_bytes = 0;
    while let Some(row) = rows.next()? {
        let seq: Seq = row.get(0)?;
        let absent = Range::new(expected, seq.saturating_sub(1));
        expected = seq + 1;
        let (time, body) = match check(books, seq, row)? {
            Ok((time, body)) => books.stamps_of(seq).apply(time, body),
            // However many there are: that no reading is answered means that none is there.
            Err(mut broken) if found.run.is_none() => {
                found.absent.extend((!absent.is_empty()).then_some(absent));
                broken_bytes += broken.body.len();
                if broken_bytes > BROKEN_BYTES_MAX {
                    broken.body = Vec::new();
                }
                found.broken.push(broken);
                continue;
            }
            // Another load begins with it.
            Err(_) => return Ok(found),
        };
        match &mut found.run {
            None => {
                found.absent.extend((!absent.is_empty()).then_some(absent));
                found.run = Some(begin(seq, time, &body, load));
            }
            Some(run) if absent.is_empty() && run.json.len() + 1 + body.len() <= load.max_bytes => {
                run.json.push(b',');
                run.json.extend_from_slice(&body);
                run.times.push(time);
            }
            Some(_) => return Ok(found),
        }
        if found.run.as_ref().is_some_and(|run| run.times.len() >= load.max_rows) {
            return Ok(found);
        }
    }
    let to_the_end = found.run.is_none() && expected <= until;
    found.absent.extend(to_the_end.then_some(Range::new(expected, until)));
    Ok(found)
}

/// The time and the body of a row that is as it was written, and of the stream that its number says: sent under another one
/// it might be stored twice.
fn check<'a>(books: &Books, seq: Seq, row: &'a Row<'_>) -> Result<Result<(Wall, &'a [u8]), Broken>, Fault> {
    let body = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
    let seal = row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let (ts_us, known): (i64, _) = (row.get(1)?, books.origin_of(seq));
    let sound = Ok(Ok((Wall::from_us(ts_us), body)));
    let Some(seal) = seal else { return sound };
    match origin_of(seq, ts_us, body, seal) {
        Some(origin) if Some(origin) == known => sound,
        Some(other) => Ok(Err(Broken { seq, origin: Some(other), body: body.to_vec(), why: "of another stream" })),
        None => Ok(Err(Broken { seq, origin: known, body: body.to_vec(), why: "checksum" })),
    }
}

fn begin(first: Seq, time: Wall, body: &[u8], load: &Load) -> Run {
    let mut json = Vec::with_capacity(load.max_bytes.min(RESERVED_BYTES_MAX).max(body.len()));
    json.extend_from_slice(body);
    Run { first, json, times: vec![time] }
}
