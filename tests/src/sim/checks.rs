//! What must hold at each step on the side of the ingester and its store, and between the programs.
//!
//! *saved <= written <= received*, and only what is written is acknowledged.

use super::ledger::{Ledger, Row};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::delivery::{RANGES_MAX, STREAMS_MAX};
use fogline_protocol::ids::{Seq, StreamId};
use fogline_protocol::store::{Point, Points, Progress, ProgressRow, StreamProgress};
use fogline_protocol::wire::{Ack, Batch, OpenStream, WireError};
use std::fmt;

/// A promise that was broken, in words that say which and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(String);

/// What a check finds.
pub type Check = Result<(), Violation>;

impl Violation {
    /// A violation in these words.
    #[must_use]
    pub const fn new(what: String) -> Self {
        Self(what)
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Ok if `holds`.
///
/// # Errors
/// What `otherwise` says.
pub fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Violation::new(otherwise())) }
}

/// One program wrote what another cannot read.
#[must_use]
pub fn unreadable(what: &str, error: &WireError) -> Violation {
    Violation::new(format!("UNREADABLE: a {what} of ours is refused: {error}"))
}

/// Where a reading lies: its agent, its stream, its number.
pub type Place = (usize, StreamId, Seq);

impl Ledger {
    /// An agent publishes a batch: true when some of it was published before.
    ///
    /// # Errors
    /// It is not durable yet.
    pub fn sends(&mut self, agent: usize, batch: &Batch) -> Result<bool, Violation> {
        let (stream, range) = (batch.header.stream, batch.range());
        let book = self.stream(agent, stream);
        let durable = book.rows.range(range.first..=range.last).count() as u64;
        require(durable == range.count(), || format!("SENT BEFORE DURABLE: agent {agent} {stream} {range:?}"))?;
        let Self { streams, clocks, .. } = self;
        let book = streams.entry((agent, stream)).or_default();
        for (seq, reading) in (range.first..).zip(batch.readings.iter()) {
            let Some(row) = book.rows.get(&seq) else { continue };
            let first = *book.times.entry(seq).or_insert(reading.ts());
            let (ts, was) = (reading.ts(), row.ts);
            require(first == ts, || {
                format!("CHANGED: agent {agent} {stream} {seq} was sent as {first:?}, now as {ts:?}")
            })?;
            clocks[agent]
                .sends(row.serial, was, ts, batch.header.time)
                .map_err(|what| Violation::new(format!("{what}: agent {agent} {stream} {seq} {was:?} {ts:?}")))?;
        }
        let again = !book.sent.missing(range).iter().map(|hole| hole.count()).eq([range.count()]);
        book.sent.insert(range);
        book.floors.insert(range.first, batch.header.floor);
        Ok(again)
    }

    /// A batch was handed to the ingester.
    pub fn received(&mut self, agent: usize, batch: &Batch, site: usize) {
        let book = self.stream(agent, batch.header.stream);
        book.received.insert(batch.range());
        let said = book.floors.get(&batch.header.first).copied().unwrap_or(0);
        let floor = book.floor.entry(site).or_default();
        *floor = said.max(*floor);
    }

    /// A hello that named this stream was handed to the ingester.
    pub fn greeted(&mut self, agent: usize, open: &OpenStream, site: usize) {
        let book = self.stream(agent, open.stream);
        let floor = book.floor.entry(site).or_default();
        *floor = open.floor.max(*floor);
    }

    /// The readings of a commit, with their places.
    pub fn places<'a>(&self, points: &'a [Points]) -> Vec<(Place, Point<'a>)> {
        let each = points.iter().flat_map(|piece| {
            let agent = self.agent(&piece.agent);
            piece.iter().map(move |point| ((agent, piece.stream, point.seq), point))
        });
        each.collect()
    }

    /// A reading is about to be written, or to be kept as a dead letter.
    ///
    /// # Errors
    /// It was never received, or is not the reading that lies under that number on the agent's disk.
    pub fn writes(&mut self, place: Place, point: &Point<'_>) -> Result<Row, Violation> {
        let (agent, stream, seq) = place;
        let book = self.stream(agent, stream);
        require(book.received.contains(seq), || format!("INVENTED: agent {agent} {stream} {seq} was never received"))?;
        let found = super::source::row_of(point.reading, 0);
        let Some(row) = book.sent_row(seq) else {
            return Err(Violation::new(format!(
                "INVENTED: agent {agent} {stream} {seq} was sent before it was durable"
            )));
        };
        let time_ns = row.ts.us() * 1000 + i64::from(row.clock);
        let same = found.serial == row.serial && time_ns == point.time_ns;
        require(same, || format!("CHANGED: agent {agent} {stream} {seq} is {row:?}, written as {found:?}"))?;
        Ok(row)
    }

    /// A reading is in the database now.
    ///
    /// # Errors
    /// It is there a second time, under this number (unless `rewritable`) or under another one.
    pub fn stored(&mut self, place: Place, row: &Row, rewritable: bool) -> Check {
        let (agent, stream, seq) = place;
        let there = self.stream(agent, stream).stored.contains(seq);
        require(!there || rewritable, || format!("TWICE: agent {agent} {stream} {seq} was in the store already"))?;
        let known = *self.contents.entry(row.serial).or_insert(place);
        require(known == place, || format!("TWICE: reading {} lies at {known:?} and at {place:?}", row.serial))?;
        self.stream(agent, stream).stored.insert(Range::new(seq, seq));
        Ok(())
    }

    /// A reading is in the dead letters now.
    pub fn buried(&mut self, (agent, stream, seq): Place) {
        self.stream(agent, stream).dead.insert(Range::new(seq, seq));
    }

    /// Progress was saved.
    ///
    /// # Errors
    /// It covers readings that are not written, or went back, or is larger than allowed.
    pub fn saved(&mut self, change: &StreamProgress, state: usize) -> Check {
        let (agent, stream) = (self.agent(&change.agent), change.stream);
        let book = self.stream(agent, stream);
        for gap in &change.new_gaps {
            let held = book.rows.range(gap.first..=gap.last).find(|(seq, _)| !book.dropped.contains(**seq));
            require(held.is_none(), || format!("FALSE GAP: agent {agent} {stream} {held:?} was never dropped"))?;
            book.gaps.insert(*gap);
        }
        let before = book.saved.get(&state).cloned().unwrap_or_default();
        let now = &change.progress;
        require(now.through >= before.through, || format!("FORGOT: {agent} {stream} went from {before:?} to {now:?}"))?;
        require(now.ranges.len() <= RANGES_MAX, || format!("UNBOUNDED: {} ranges of {stream}", now.ranges.len()))?;
        for range in [Range::new(before.through + 1, now.through)].iter().chain(&now.ranges) {
            let unwritten = book.missing(*range).next();
            require(unwritten.is_none(), || format!("SAVED BEFORE WRITTEN: agent {agent} {stream} {unwritten:?}"))?;
        }
        book.saved.insert(state, now.clone());
        Ok(())
    }

    /// Progress was taken from another ingester.
    ///
    /// # Errors
    /// It covers readings that are not written.
    pub fn adopted(&mut self, row: &ProgressRow, state: usize) -> Check {
        let (agent, stream) = (self.agent(&row.owner.clone().into()), row.stream);
        let book = self.stream(agent, stream);
        for range in [Range::new(1, row.through)].iter().chain(&row.ranges) {
            let unwritten = book.missing(*range).next();
            require(unwritten.is_none(), || format!("ADOPTED BEFORE WRITTEN: agent {agent} {stream} {unwritten:?}"))?;
        }
        let progress = Progress { through: row.through, ranges: row.ranges.clone() };
        book.saved.insert(state, progress);
        Ok(())
    }

    /// An ingester lost its state: what it saves from now on begins anew.
    pub fn state_lost(&mut self, state: usize) {
        self.streams.values_mut().for_each(|book| {
            book.saved.remove(&state);
        });
    }

    /// An ingester took over: it knows no floors yet.
    pub fn took_over(&mut self, site: usize) {
        self.streams.values_mut().for_each(|book| {
            book.floor.remove(&site);
        });
    }

    /// The ingester acknowledges.
    ///
    /// # Errors
    /// Something acknowledged is not in the store, or the message is larger than allowed.
    pub fn acknowledged(&mut self, agent: usize, ack: &Ack) -> Check {
        require(ack.streams.len() <= STREAMS_MAX, || format!("UNBOUNDED: {} streams", ack.streams.len()))?;
        for said in &ack.streams {
            let stream = said.stream;
            let book = self.stream(agent, stream);
            // What was acknowledged before was checked before.
            let news = Range::new(book.acknowledged + 1, said.through);
            for range in std::iter::once(&news).chain(&said.ranges) {
                let unwritten = book.missing(*range).next();
                require(unwritten.is_none(), || {
                    format!("ACKNOWLEDGED BEFORE WRITTEN: agent {agent} {stream} {unwritten:?} is not in the store")
                })?;
            }
            book.acknowledged = book.acknowledged.max(said.through);
        }
        Ok(())
    }

    /// What is not where it belongs, once everything is healed and quiet: nothing when all is well.
    #[must_use]
    pub fn unsettled(&self) -> Option<String> {
        for (agent, disk) in self.disks.iter().enumerate() {
            if let Some((seq, stream)) = disk.held.first_key_value() {
                let count = disk.held.len();
                return Some(format!("agent {agent} still holds {count} readings, the oldest is {stream} {seq}"));
            }
            if let Some((seq, stream)) = disk.gaps.first_key_value() {
                return Some(format!("the gap {stream} {seq} of agent {agent} is not acknowledged"));
            }
        }
        None
    }

    /// The watermark of an open stream follows what its agent said: an ingester that lost its state must not wait for what
    /// was acknowledged before.
    #[must_use]
    pub fn stalled(&self, agent: usize, stream: StreamId, site: usize, state: usize) -> Option<String> {
        let book = self.streams.get(&(agent, stream))?;
        let through = book.saved.get(&state).map_or(0, |saved| saved.through);
        let floor = book.floor.get(&site).copied().unwrap_or(0);
        let stalls = through + 1 < floor;
        stalls.then(|| format!("the watermark of agent {agent} {stream} stands at {through}, below the floor {floor}"))
    }

    /// Every reading that was ever durable and did not go with a disk is accounted for.
    ///
    /// # Errors
    /// The first one that is not.
    pub fn complete(&self) -> Check {
        for ((agent, stream), book) in &self.streams {
            let lost = book.missing(Range::new(1, Seq::MAX)).next();
            require(lost.is_none(), || {
                format!("LOST: agent {agent} {stream} {lost:?} is neither stored nor in a dead letter nor in a gap")
            })?;
        }
        Ok(())
    }
}
