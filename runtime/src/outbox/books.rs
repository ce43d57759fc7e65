//! The counters and segments, in memory as they are in the file: what would cost a scan to find out.
//!
//! A transaction works on a copy, stores it, and the copy takes the place of the original once the commit is durable.

use super::error::Fault;
use super::seal::{Origin, Sealed};
use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{QueueUsage, Segment, SegmentHead, Settle};
use fogline_protocol::time::Wall;
use rusqlite::{Connection, OptionalExtension, Row};

/// What is known of a queue without looking at its readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Books {
    /// How often the file was opened.
    pub(super) opening: u64,
    /// The number of the next reading.
    pub(super) next: Seq,
    /// Readings up to this number are freed or dropped.
    pub(super) gone: Seq,
    /// Rows above `gone`.
    pub(super) readings: u64,
    /// Bytes of their bodies.
    pub(super) bytes: u64,
    /// Readings dropped since the file was made.
    pub(super) dropped: u64,
    /// Readings that damage took since then.
    pub(super) damaged: u64,
    /// When damage was last found.
    pub(super) damaged_at: Option<Wall>,
    /// In the order of `first`. Only the number of openings and clock steps within one backlog bounds them.
    pub(super) segments: Vec<Segment>,
    /// Rows up to this number are deleted from the file; those from here to `gone` wait for it. Not kept in the file.
    pub(super) deleted: Seq,
}

impl Books {
    /// Reads and checks what the file says.
    pub(super) fn read(conn: &Connection) -> Result<Self, Fault> {
        let sql = "SELECT opening, next, gone, readings, bytes, dropped, damaged, damaged_us, seal FROM counters WHERE id = 1";
        let row = conn.query_row(sql, [], |row| Ok((Self::from_row(row)?, row.get(8)?))).optional()?;
        let (mut books, seal) = row.ok_or(Fault::Damaged("its counters are missing"))?;
        if !books.sealed().fits(seal) {
            return Err(Fault::Damaged("its counters are not what was written"));
        }
        books.segments = read_segments(conn)?;
        let first: Option<Seq> = conn.query_row("SELECT min(seq) FROM readings", [], |row| row.get(0))?;
        books.deleted = first.map_or(books.gone, |seq| books.gone.min(seq.saturating_sub(1)));
        books.check(conn)?;
        Ok(books)
    }

    fn from_row(row: &Row<'_>) -> Result<Self, rusqlite::Error> {
        let damaged_us: i64 = row.get(7)?;
        Ok(Self {
            opening: row.get(0)?,
            next: row.get(1)?,
            gone: row.get(2)?,
            readings: row.get(3)?,
            bytes: row.get(4)?,
            dropped: row.get(5)?,
            damaged: row.get(6)?,
            damaged_at: (damaged_us != 0).then_some(Wall::from_us(damaged_us)),
            segments: Vec::new(),
            deleted: 0,
        })
    }

    fn damaged_us(&self) -> i64 {
        self.damaged_at.map_or(0, Wall::us)
    }

    fn sealed(&self) -> Sealed<'static> {
        let (damaged, damaged_us) = (self.damaged, self.damaged_us().cast_unsigned());
        Sealed::Counters([
            self.opening,
            self.next,
            self.gone,
            self.readings,
            self.bytes,
            self.dropped,
            damaged,
            damaged_us,
        ])
    }

    /// What the counters say must fit the ends of the table; looking at more would take a scan.
    fn check(&self, conn: &Connection) -> Result<(), Fault> {
        let newest: Option<Seq> = conn.query_row("SELECT max(seq) FROM readings", [], |row| row.get(0))?;
        let sound = (1..=SEQ_MAX + 1).contains(&self.next)
            && self.gone < self.next
            && newest.is_none_or(|seq| seq < self.next)
            && (self.readings > 0) == newest.is_some_and(|seq| seq > self.gone)
            && self.readings <= self.next - 1 - self.gone;
        if sound { Ok(()) } else { Err(Fault::Damaged("its counters do not fit its readings")) }
    }

    /// Writes the counters; segments are written where they change.
    pub(super) fn store(&self, conn: &Connection) -> Result<(), Fault> {
        let sql = "UPDATE counters SET opening = ?1, next = ?2, gone = ?3, readings = ?4, bytes = ?5, dropped = ?6,
                   damaged = ?7, damaged_us = ?8, seal = ?9";
        let (damaged_us, seal) = (self.damaged_us(), self.sealed().seal());
        let Self { opening, next, gone, readings, bytes, dropped, damaged, .. } = self;
        conn.prepare_cached(sql)?
            .execute((opening, next, gone, readings, bytes, dropped, damaged, damaged_us, seal))?;
        Ok(())
    }

    /// Counts one reading of `bytes` less, and everything up to `seq` as gone.
    pub(super) fn take_away(&mut self, seq: Seq, readings: u64, bytes: u64) -> Result<(), Fault> {
        let left = self.readings.checked_sub(readings).zip(self.bytes.checked_sub(bytes));
        let (readings_left, bytes_left) = left.ok_or(Fault::Damaged("its counters do not fit its readings"))?;
        (self.gone, self.readings, self.bytes) = (seq, readings_left, bytes_left);
        Ok(())
    }

    /// Counts readings that damage took at `now`.
    pub(super) fn count_damaged(&mut self, readings: u64, bytes: u64, now: Wall) {
        self.damaged += readings;
        self.damaged_at = Some(now);
        self.readings = self.readings.saturating_sub(readings);
        // Of a reading that is not there nobody knows how long it was.
        self.bytes = if self.readings == 0 { 0 } else { self.bytes.saturating_sub(bytes) };
    }

    /// Where the reading `seq` belongs.
    pub(super) fn origin_of(&self, seq: Seq) -> Option<Origin> {
        let index = self.segments.partition_point(|segment| segment.first <= seq).checked_sub(1)?;
        self.segments.get(index).map(|segment| Origin { stream: segment.stream, clock: segment.clock })
    }

    /// How the time of the reading `seq` came about.
    pub(super) fn stamps_of(&self, seq: Seq) -> Stamps {
        let index = self.segments.partition_point(|segment| segment.first <= seq).checked_sub(1);
        index.and_then(|index| self.segments.get(index)).map_or(Stamps::Given, |segment| segment.stamps)
    }

    /// Says what becomes of the times of a segment, unless that was said before.
    pub(super) fn settle(&mut self, conn: &Connection, settle: &Settle) -> Result<(), Fault> {
        for segment in self.segments.iter_mut().filter(|segment| settle.is_of(segment)) {
            segment.stamps = settle.stamps;
            write_segment(conn, segment)?;
        }
        Ok(())
    }

    /// From the next reading on, readings belong to this segment.
    pub(super) fn begin_segment(&mut self, conn: &Connection, head: SegmentHead) -> Result<(), Fault> {
        let segment = head.at(self.next);
        write_segment(conn, &segment)?;
        // One without a reading gives way.
        self.segments.retain(|known| known.first < segment.first);
        self.segments.push(segment);
        Ok(())
    }

    /// Forgets the segments before the first that still has a reading or a gap; never the newest. One behind it stays
    /// even when it is empty: else the numbers that were its would seem to belong to the segment before it.
    pub(super) fn forget_segments(&mut self, conn: &Connection) -> Result<(), Fault> {
        if self.segments.len() < 2 {
            return Ok(());
        }
        let gap: Option<Seq> = conn.prepare_cached("SELECT min(first) FROM gap")?.query_row([], |row| row.get(0))?;
        let row = self.oldest(conn)?.map(|(seq, _)| seq);
        let needed = gap.into_iter().chain(row).min().unwrap_or(self.next);
        let keep = self.segments.partition_point(|segment| segment.first <= needed).max(1) - 1;
        if keep > 0 {
            self.segments.drain(..keep);
            let first = self.segments.first().map_or(0, |segment| segment.first);
            conn.prepare_cached("DELETE FROM segment WHERE first < ?1")?.execute([first])?;
        }
        Ok(())
    }

    /// `range`, cut where segments begin.
    pub(super) fn pieces(&self, range: Range) -> Vec<Range> {
        let after = self.segments.partition_point(|segment| segment.first <= range.first);
        let starts = self.segments.iter().skip(after).map(|segment| segment.first).take_while(|at| *at <= range.last);
        let mut pieces = Vec::new();
        let mut first = range.first;
        for start in starts {
            pieces.push(Range::new(first, start - 1));
            first = start;
        }
        pieces.push(Range::new(first, range.last));
        pieces
    }

    /// True when a segment begins with `seq`.
    pub(super) fn begins_at(&self, seq: Seq) -> bool {
        self.segments.binary_search_by_key(&seq, |segment| segment.first).is_ok()
    }

    /// The oldest reading: its number and time.
    pub(super) fn oldest(&self, conn: &Connection) -> Result<Option<(Seq, Wall)>, Fault> {
        if self.readings == 0 {
            return Ok(None);
        }
        let sql = "SELECT seq, ts_us FROM readings WHERE seq > ?1 ORDER BY seq LIMIT 1";
        let oldest = conn
            .prepare_cached(sql)?
            .query_row([self.gone], |row| Ok((row.get(0)?, Wall::from_us(row.get(1)?))))
            .optional()?;
        Ok(oldest)
    }

    /// How full the queue is.
    pub(super) fn usage(&self, conn: &Connection) -> Result<QueueUsage, Fault> {
        let oldest = self.oldest(conn)?.and_then(|(seq, time)| {
            let stamps = self.stamps_of(seq);
            stamps.tell_age().then(|| stamps.time(time))
        });
        let Self { readings, bytes, dropped, damaged, damaged_at, .. } = *self;
        Ok(QueueUsage { readings, bytes, oldest, dropped, damaged, damaged_at })
    }
}

/// Writes a segment, in place of one that begins with the same number.
pub(super) fn write_segment(conn: &Connection, segment: &Segment) -> Result<(), Fault> {
    let (Segment { first, clock, stamps, .. }, stream) = (*segment, segment.stream.to_string());
    let stamps = stamps_text(&stamps)?;
    let seal = Sealed::Segment { first, stream: &stream, clock, stamps: stamps.as_deref() }.seal();
    let sql = "INSERT OR REPLACE INTO segment (first, stream, clock, seal, stamps) VALUES (?1, ?2, ?3, ?4, ?5)";
    conn.prepare_cached(sql)?.execute((first, &stream, clock, seal, stamps))?;
    Ok(())
}

/// The stamps of a segment as text; none when there is nothing to say.
fn stamps_text(stamps: &Stamps) -> Result<Option<String>, Fault> {
    if *stamps == Stamps::Given {
        return Ok(None);
    }
    let text = serde_json::to_string(stamps).map_err(|_| Fault::Inconsistent("the stamps of a segment are no JSON"))?;
    Ok(Some(text))
}

/// What [`stamps_text`] made; none when it is something else.
pub(super) fn parse_stamps(text: Option<&str>) -> Option<Stamps> {
    text.map_or(Some(Stamps::Given), |text| serde_json::from_str(text).ok())
}

fn read_segments(conn: &Connection) -> Result<Vec<Segment>, Fault> {
    let mut statement = conn.prepare("SELECT first, stream, clock, stamps, seal FROM segment ORDER BY first")?;
    let rows = statement.query_map([], |row| {
        let (stream, stamps): (String, Option<String>) = (row.get(1)?, row.get(3)?);
        Ok((row.get(0)?, stream, row.get(2)?, stamps, row.get(4)?))
    })?;
    rows.map(|row| {
        let (first, stream, clock, stamps, seal) = row?;
        if !(Sealed::Segment { first, stream: &stream, clock, stamps: stamps.as_deref() }).fits(seal) {
            return Err(Fault::Damaged("a segment is not what was written"));
        }
        let stream = stream.parse().map_err(|_| Fault::Damaged("a segment has no stream id"))?;
        let stamps = parse_stamps(stamps.as_deref()).ok_or(Fault::Damaged("a segment has stamps of no kind"))?;
        Ok(Segment { first, stream, clock, stamps })
    })
    .collect()
}
