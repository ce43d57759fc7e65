//! The new file of a healed queue.

use super::super::append::Body;
use super::super::books::{Books, write_segment};
use super::super::error::Fault;
use super::super::load::{BROKEN_BYTES_MAX, Broken};
use super::super::seal::{Origin, Sealed, of_reading, origin_of};
use super::super::{file, gaps};
use super::Healed;
use super::cells::{Value, rows};
use super::found::{Found, seq};
use super::pages::Pages;
use fogline_protocol::clock::{SET_FROM, Stamps};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{Segment, SegmentHead};
use fogline_protocol::reading::{Readings, parse_reading};
use fogline_protocol::time::Wall;
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What a healing made.
pub(super) struct Built {
    pub(super) healed: Healed,
    /// To be set aside.
    pub(super) broken: Vec<Broken>,
}

/// Fills the empty queue at `healing` with what is sound on `pages`.
pub(super) fn build(pages: &mut Pages, healing: &Path, known: Option<&Books>, now: Wall) -> Result<Built, Fault> {
    let mut found = Found::default();
    for number in 1..=pages.count() {
        rows(pages, number).iter().for_each(|row| found.take(row));
    }
    let conn = file::open_to_fill(healing)?;
    conn.execute_batch("BEGIN")?;
    let mut rescue = Rescue::new(&found, known);
    // Where no counter says what was freed, pages that are free again say it.
    let unused = if known.is_none() && found.counters.is_none() { pages.unused() } else { BTreeSet::new() };
    for number in (1..=pages.count()).filter(|number| !unused.contains(number)) {
        for row in rows(pages, number) {
            rescue.take(&conn, row.id, &row.values)?;
        }
    }
    let broken = rescue.finish(&conn)?;
    let mut healed = keep_books(&conn, &found, known, now)?;
    healed.set_aside = broken.len() as u64;
    write_others(&conn, &found)?;
    conn.execute_batch("COMMIT; PRAGMA journal_mode = WAL;")?;
    conn.close().map_err(|(_, error)| Fault::Sql(error))?;
    Ok(Built { healed, broken })
}

/// Takes readings over.
struct Rescue {
    /// Numbers that may be readings in the queue.
    within: Range,
    segments: BTreeMap<Seq, Origin>,
    broken: BTreeMap<Seq, Broken>,
    broken_bytes: usize,
}

impl Rescue {
    fn new(found: &Found, known: Option<&Books>) -> Self {
        let books = known.map(|books| (books.gone, books.next));
        let (gone, next) = books.or(found.counters.map(|c| (c.gone, c.next))).unwrap_or((0, SEQ_MAX + 1));
        let origin = |(first, head): (&Seq, &SegmentHead)| (*first, Origin { stream: head.stream, clock: head.clock });
        let segments = match known {
            Some(books) => {
                books.segments.iter().map(|s| (s.first, Origin { stream: s.stream, clock: s.clock })).collect()
            }
            None => found.segments.iter().map(origin).collect(),
        };
        Self { within: Range::new(gone + 1, next - 1), segments, broken: BTreeMap::new(), broken_bytes: 0 }
    }

    fn origin_of(&self, seq: Seq) -> Option<Origin> {
        self.segments.range(..=seq).next_back().map(|(_, origin)| *origin)
    }

    fn take(&mut self, conn: &Connection, id: i64, values: &[Value]) -> Result<(), Fault> {
        let [Value::Null, Value::Int(ts_us), Value::Text(body), seal @ ..] = values else { return Ok(()) };
        let Some(seq) = seq(id).filter(|seq| self.within.contains(*seq)) else { return Ok(()) };
        let origin = match seal {
            [Value::Blob(seal)] => origin_of(seq, *ts_us, body, seal).ok_or("checksum"),
            // Layout 1: nothing but its form speaks for it.
            [] | [Value::Null] if is_reading(body) => self.origin_of(seq).ok_or("stream unknown"),
            _ => Err("checksum"),
        };
        match origin {
            Ok(origin) => {
                let sql = "INSERT OR IGNORE INTO readings (seq, ts_us, body, seal) VALUES (?1, ?2, ?3, ?4)";
                let seal = of_reading(seq, *ts_us, body, origin);
                conn.prepare_cached(sql)?.execute((seq, ts_us, Body(body), seal))?;
            }
            Err(why) => self.set_aside(seq, body, why),
        }
        Ok(())
    }

    fn set_aside(&mut self, seq: Seq, body: &[u8], why: &'static str) {
        self.broken_bytes += body.len();
        if self.broken_bytes <= BROKEN_BYTES_MAX {
            self.broken.insert(seq, Broken { seq, origin: self.origin_of(seq), body: body.to_vec(), why });
        }
    }

    /// What is to be set aside: not what was found whole elsewhere.
    fn finish(self, conn: &Connection) -> Result<Vec<Broken>, Fault> {
        let mut statement = conn.prepare("SELECT 1 FROM readings WHERE seq = ?1")?;
        let mut broken = Vec::new();
        for one in self.broken.into_values() {
            if !statement.exists([one.seq])? {
                broken.push(one);
            }
        }
        Ok(broken)
    }
}

fn is_reading(body: &[u8]) -> bool {
    parse_reading(body, &mut Readings::new()).is_ok()
}

/// Counts what is there, and makes gaps of what is not.
fn keep_books(conn: &Connection, found: &Found, known: Option<&Books>, now: Wall) -> Result<Healed, Fault> {
    let ends = "SELECT min(seq), max(seq), count(*), coalesce(sum(octet_length(body)), 0) FROM readings";
    let (oldest, newest, readings, bytes): (Option<Seq>, Option<Seq>, u64, u64) =
        conn.query_row(ends, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let counters = found.counters;
    let next = known.map(|books| books.next).or(counters.map(|c| c.next)).unwrap_or_else(|| {
        let last_segment = found.segments.last_key_value().map(|(first, _)| first - 1);
        [newest, found.gaps.last(), found.told.last(), last_segment].into_iter().flatten().max().unwrap_or(0) + 1
    });
    let gone = known.map(|books| books.gone).or(counters.map(|c| c.gone)).unwrap_or_else(|| {
        let first = oldest.into_iter().chain(found.gaps.first()).min().unwrap_or(next);
        first.min(next) - 1
    });
    let mut books = Books {
        opening: known.map(|books| books.opening).or(counters.map(|c| c.opening)).unwrap_or(0),
        next,
        gone,
        readings,
        bytes,
        dropped: known.map(|books| books.dropped).or(counters.map(|c| c.dropped)).unwrap_or(0),
        damaged: known.map(|books| books.damaged).or(counters.map(|c| c.damaged)).unwrap_or(0),
        damaged_at: Some(now),
        segments: segments(conn, found, known)?,
        deleted: gone,
    };
    books.segments.iter().try_for_each(|segment| write_segment(conn, segment))?;
    let missing = write_gaps(conn, found, &books)?;
    // The counters knew how many there were; numbers that are missing may be those of gaps that were lost as well.
    let were = known.map(|books| books.readings).or(counters.map(|c| c.readings));
    let damaged = were.map_or(missing, |were| were.saturating_sub(readings));
    books.damaged += damaged;
    books.store(conn)?;
    Ok(Healed { kept: readings, damaged, set_aside: 0 })
}

/// The segments that were found, and those that the seals of readings tell of.
fn segments(conn: &Connection, found: &Found, known: Option<&Books>) -> Result<Vec<Segment>, Fault> {
    if let Some(books) = known {
        return Ok(books.segments.clone());
    }
    let mut segments = found.segments.clone();
    let mut statement = conn.prepare("SELECT seq, ts_us, body, seal FROM readings ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq: Seq = row.get(0)?;
        let body = row.get_ref(2)?.as_bytes().map_err(rusqlite::Error::from)?;
        let seal = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
        let ts_us: i64 = row.get(1)?;
        let Some(origin) = origin_of(seq, ts_us, body, seal) else { continue };
        let known =
            segments.range(..=seq).next_back().map(|(_, head)| Origin { stream: head.stream, clock: head.clock });
        if known != Some(origin) {
            // Nobody knows any more what was to become of its times. Some may have been sent: they stay.
            let stamps = if ts_us < SET_FROM.us() { Stamps::Unset } else { Stamps::Given };
            segments.insert(seq, SegmentHead { stream: origin.stream, clock: origin.clock, stamps });
        }
    }
    Ok(segments.into_iter().map(|(first, head)| head.at(first)).collect())
}

/// Writes the gaps that were found, and one for each number that is missing and should not be. Returns how many are new.
/// Numbers below the first segment belong to no stream any more: nobody could be told of them.
fn write_gaps(conn: &Connection, found: &Found, books: &Books) -> Result<u64, Fault> {
    let first = books.segments.first().map_or(books.next, |segment| segment.first).max(books.gone + 1);
    let all = Range::new(first, books.next - 1);
    for told in found.told.iter().map(|told| told.and(all)).filter(|told| !told.is_empty()) {
        gaps::add_told(conn, told)?;
    }
    let mut missing = RangeSet::new();
    let mut expected = first;
    let mut statement = conn.prepare("SELECT seq FROM readings WHERE seq >= ?1 ORDER BY seq")?;
    let mut rows = statement.query([first])?;
    while let Some(row) = rows.next()? {
        let seq: Seq = row.get(0)?;
        missing.insert(Range::new(expected, seq - 1));
        expected = seq + 1;
    }
    missing.insert(Range::new(expected, all.last));
    found.told.iter().for_each(|told| missing.remove(told));
    // Gaps outlive the readings before them: those of streams that are still known are told again.
    let within = Range::new(books.segments.first().map_or(books.next, |segment| segment.first), books.next - 1);
    let known = found.gaps.iter().map(|gap| gap.and(within)).filter(|gap| !gap.is_empty());
    let mut gaps = missing.clone();
    for gap in known {
        gaps.insert(gap);
        missing.remove(gap);
    }
    for row in held_within(conn, &gaps)? {
        gaps.remove(Range::new(row, row));
    }
    for piece in gaps.iter().flat_map(|gap| books.pieces(gap)) {
        gaps::add(conn, books, piece)?;
    }
    Ok(missing.count())
}

/// Readings that an old version of a gap speaks of cannot be: a number is never given twice. Should one be there, it is kept.
fn held_within(conn: &Connection, gaps: &RangeSet) -> Result<Vec<Seq>, Fault> {
    let mut statement = conn.prepare("SELECT seq FROM readings WHERE seq >= ?1 AND seq <= ?2 ORDER BY seq LIMIT 1")?;
    let mut held = Vec::new();
    for gap in gaps.iter() {
        let mut from = gap.first;
        while let Some(seq) = statement.query_row((from, gap.last), |row| row.get::<_, Seq>(0)).optional()? {
            held.push(seq);
            from = seq + 1;
        }
    }
    Ok(held)
}

fn write_others(conn: &Connection, found: &Found) -> Result<(), Fault> {
    if let Some(agent) = &found.owner {
        let seal = Sealed::Owner { agent }.seal();
        conn.execute("INSERT INTO owner (agent, seal) VALUES (?1, ?2)", (agent, seal))?;
    }
    for (source, (position, seq)) in &found.positions {
        let seal = Sealed::Position { source, position, seq: *seq }.seal();
        let sql = "INSERT INTO position (source, position, seq, seal) VALUES (?1, ?2, ?3, ?4)";
        conn.execute(sql, (source, position, seq, seal))?;
    }
    for (key, saved) in &found.decisions {
        let seal = Sealed::Decision { key, received_us: saved.received_us, decision: &saved.json }.seal();
        let sql = "INSERT INTO decision (key, received_us, decision, seal) VALUES (?1, ?2, ?3, ?4)";
        conn.execute(sql, (key, saved.received_us, &saved.json, seal))?;
    }
    Ok(())
}
