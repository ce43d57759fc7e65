//! The edge's half of delivery: what to send next, what to send again, and what may be freed.
//!
//! Every number that the queue gave belongs to exactly one of: *done* (acknowledged, or not held any more), *unsent*, *in
//! flight* (loading included), or *gap* (never comes; done once the ingester has acknowledged it). A number leaves the
//! disk only after it is done.

mod flights;
mod outcome;
mod view;

pub use outcome::{Acknowledged, OutgoingBatch};
pub use view::Progress;

use super::backoff::Backoff;
use super::lanes::{Lane, Lanes, Order};
use super::ranges::{Range, RangeSet};
use super::segments::Segments;
use super::{BATCH_MAX_BYTES, BATCH_MAX_READINGS, CREDIT_MAX, GAPS_PER_MESSAGE_MAX, PAYLOAD_BYTES};
use crate::ids::{Seq, StreamId};
use crate::queue::{Appended, Free, Load, QueueState, Run, Segment, SegmentHead, Settle};
use crate::time::Monotonic;
use crate::wire::{Ack, BatchHeader, State};
use flights::{Flight, Flights};
use std::borrow::Cow;

/// The machine. One per queue file: a file may hold rows of several streams.
#[derive(Debug, Clone)]
pub struct Sender {
    segments: Segments,
    done: RangeSet,
    unsent: RangeSet,
    gaps: RangeSet,
    flights: Flights,
    loading: Option<(Lane, Range)>,
    /// Everything below was freed durably.
    freed_below: Seq,
    freeing: bool,
    acked_gaps: RangeSet,
    lanes: Lanes,
    backoff: Backoff,
    credit: u64,
    state: Option<State>,
    /// Connected, and the ingester has answered the hello of this connection.
    open: bool,
    /// The next reading is longer than the credit that is left: it waits until something lands.
    too_long: bool,
    resent: u64,
}

impl Sender {
    /// A sender for what the queue holds. `seed` is for jitter.
    #[must_use]
    pub fn new(state: &QueueState, seed: u64, order: Order) -> Self {
        let newest = state.next.saturating_sub(1);
        let gaps = RangeSet::from_iter(state.gaps.iter().copied());
        let lowest_gap = gaps.first().unwrap_or(state.next);
        let from = state.oldest.unwrap_or(state.next).min(lowest_gap);
        let mut unsent = RangeSet::from_iter(state.oldest.map(|oldest| Range::new(oldest, newest)));
        state.gaps.iter().for_each(|gap| unsent.remove(*gap));
        let mut held = unsent.clone();
        gaps.iter().for_each(|gap| held.insert(gap));
        let mut done = RangeSet::new();
        held.missing(Range::new(from, newest)).into_iter().for_each(|range| done.insert(range));
        Self {
            segments: Segments::new(state.segments.clone(), state.next),
            done,
            unsent,
            gaps,
            flights: Flights::default(),
            loading: None,
            freed_below: from,
            freeing: false,
            acked_gaps: RangeSet::new(),
            lanes: Lanes::new(newest, order),
            backoff: Backoff::new(seed),
            credit: PAYLOAD_BYTES,
            state: None,
            open: false,
            too_long: false,
            resent: 0,
        }
    }

    /// Rows were appended, all of them in the newest segment or, with `segment`, in a new one that begins with them.
    pub fn extend(&mut self, segment: Option<SegmentHead>, count: u64) {
        if let Some(head) = segment {
            self.segments.begin(head);
        }
        let first = self.segments.next();
        self.segments.extend(count);
        if let Some(last) = (first + count).checked_sub(1) {
            self.unsent.insert(Range::new(first, last));
        }
    }

    /// The append of the rows given to [`Sender::extend`] also dropped some.
    pub fn settle_append(&mut self, appended: &Appended, now: Monotonic) {
        for dropped in &appended.dropped {
            for range in self.done.missing(*dropped) {
                self.gaps.insert(range);
            }
            for range in self.gaps.missing(*dropped) {
                self.acked_gaps.insert(range);
            }
            self.unsent.remove(*dropped);
        }
        if !appended.range.is_empty() {
            self.lanes.appended(appended.range.last, now);
        }
    }

    /// The connection is gone, and with it whatever was in flight.
    pub fn close(&mut self) {
        self.open = false;
        self.state = None;
        self.credit = PAYLOAD_BYTES;
        self.lanes.closed();
        self.unsend_all();
    }

    /// What to read from the queue, if something may be sent now.
    pub fn poll_load(&mut self, now: Monotonic) -> Option<Load> {
        if !self.open || self.loading.is_some() || (self.too_long && !self.flights.is_empty()) {
            return None;
        }
        self.too_long = false;
        let room = self.room()?;
        let (_, waiting) = self.segments.active();
        let held = self.segments.open().map(|(_, range)| range);
        let mut candidates = Cow::Borrowed(&self.unsent);
        for waiting in waiting.into_iter().chain(held) {
            candidates.to_mut().remove(waiting);
        }
        let backlog = self.flights.backlog_bytes() < self.lanes.backlog_allowance(PAYLOAD_BYTES);
        let newest = self.segments.next().saturating_sub(1);
        let islands = self.done.ranges();
        let (lane, range) = self.lanes.next(&candidates, newest, islands, backlog, now)?;
        let (_, end) = self.segments.of(range.first)?;
        let range = Range::new(range.first, range.last.min(end));
        self.loading = Some((lane, range));
        let max_bytes = usize::try_from(room).unwrap_or(BATCH_MAX_BYTES);
        Some(Load { from: range.first, until: range.last, max_bytes, max_rows: BATCH_MAX_READINGS })
    }

    /// How many bytes the next batch may have; none when it has to wait.
    fn room(&self) -> Option<u64> {
        if self.flights.is_empty() {
            return Some(PAYLOAD_BYTES.min(self.credit));
        }
        // While nobody answers, one batch at a time asks whether somebody is there.
        let waits = self.backoff.probing() || self.state == Some(State::StoreDown);
        let left = self.credit.saturating_sub(self.flights.bytes());
        // A sliver of credit is not worth a message: wait until a batch, or a quarter of the credit, is free.
        let worth = left >= PAYLOAD_BYTES.min(self.credit / 4).max(1);
        (!waits && worth).then(|| PAYLOAD_BYTES.min(left))
    }

    /// The queue answered a load. Gives the batch to publish.
    pub fn loaded(&mut self, run: Option<Run>, now: Monotonic) -> Option<OutgoingBatch> {
        let (lane, asked) = self.loading.take()?;
        let Some(run) = run.filter(|run| !run.times.is_empty() && asked.contains(run.first)) else {
            self.no_longer_held(asked);
            return None;
        };
        self.no_longer_held(Range::new(asked.first, run.first.saturating_sub(1)));
        let range = run.range();
        // While the row was being read it may have been dropped, or the connection may have ended.
        if !self.open || !self.unsent.covers(range) {
            return None;
        }
        // A load gives one row at least, however long. Alone it may go beyond a small credit, else it waits.
        let bytes = run.json.len() as u64;
        self.too_long = !self.flights.is_empty() && self.flights.bytes() + bytes > self.credit;
        if self.too_long {
            return None;
        }
        let (segment, _) = self.segments.of(range.first)?;
        let floor = self.floor_of(segment.stream)?;
        if self.flights.is_empty() {
            self.lanes.started(now);
        }
        self.unsent.remove(range);
        let deadline = self.backoff.deadline(now);
        let again = self.flights.was_returned(range);
        self.resent += if again { range.count() } else { 0 };
        let flight = Flight { range, bytes, lane, sent: now, deadline, again, times: run.times };
        self.flights.add(flight);
        let gaps = self.gaps_of(segment.stream);
        let Segment { stream, clock, stamps, .. } = segment;
        let header = BatchHeader { stream, floor, first: range.first, gaps, clock, time: stamps.flag() };
        Some(OutgoingBatch { header, readings: run.json })
    }

    /// What becomes of times for which that was open is durable now: these readings may go.
    pub fn settled(&mut self, settled: &[Settle]) {
        settled.iter().for_each(|one| self.segments.settle(one));
    }

    /// The segments whose readings wait for the clock, with their numbers.
    pub fn held(&self) -> impl Iterator<Item = (Segment, Range)> + '_ {
        self.segments.open()
    }

    /// How many readings do.
    #[must_use]
    pub fn held_readings(&self) -> u64 {
        let unsent = |range: Range| self.unsent.iter().map(|part| part.and(range).count()).sum::<u64>();
        self.segments.open().map(|(_, range)| unsent(range)).sum()
    }

    /// Whether a reading may be sent: connected, and the hello of this connection was answered.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// The load failed: it will be asked for again.
    pub fn load_failed(&mut self) {
        self.loading = None;
    }

    /// The ingester acknowledged. `answers_hello` opens the connection for readings.
    pub fn acknowledge(&mut self, ack: &Ack, answers_hello: bool, now: Monotonic) -> Acknowledged {
        self.open |= answers_hello;
        self.credit = ack.credit.clamp(1, CREDIT_MAX);
        self.state = Some(ack.state);
        let mut outcome = Acknowledged::default();
        for stream in &ack.streams {
            let Some(held) = self.segments.range_of(stream.stream) else { continue };
            let through = Range::new(held.first, stream.through);
            for acknowledged in std::iter::once(through).chain(stream.ranges.iter().copied()) {
                outcome.readings += self.finish(acknowledged.and(held));
            }
        }
        self.land_flights(&mut outcome, now);
        if outcome.readings > 0 {
            self.backoff.succeeded();
        } else if ack.hello.is_none() {
            // Silence means loss; a word that nothing is written yet does not. An answer to a hello says nothing of batches.
            self.flights.postpone(now, || self.backoff.deadline(now));
        }
        outcome
    }

    /// Numbers are done: what they were before does not matter any more.
    fn finish(&mut self, range: Range) -> u64 {
        let range = range.and(Range::new(self.freed_below, self.segments.next().saturating_sub(1)));
        let mut readings = 0;
        for news in self.done.missing(range) {
            let gap: u64 = self.gaps.iter().map(|gap| gap.and(news).count()).sum();
            readings += news.count() - gap;
            self.unsent.remove(news);
            for gap in self.gaps.iter().map(|gap| gap.and(news)).filter(|gap| !gap.is_empty()).collect::<Vec<_>>() {
                self.acked_gaps.insert(gap);
            }
            self.gaps.remove(news);
        }
        self.done.insert(range);
        readings
    }

    fn land_flights(&mut self, outcome: &mut Acknowledged, now: Monotonic) {
        for flight in self.flights.land(&self.done, self.freed_below) {
            self.too_long = false;
            self.lanes.acknowledged(flight.bytes, now);
            if !flight.again {
                let round_trip = now.since(flight.sent);
                self.backoff.measured(round_trip);
                self.lanes.went_around(round_trip);
            }
            outcome.times.extend(flight.times);
        }
    }

    /// What may be deleted now.
    pub fn poll_free(&mut self) -> Option<Free> {
        let free = if self.freeing { None } else { self.last_free() };
        self.freeing |= free.is_some();
        free
    }

    /// How many numbers [`Sender::poll_free`] would name, gaps beside.
    #[must_use]
    pub fn freeable(&self) -> u64 {
        if self.freeing { 0 } else { (self.floor() - self.freed_below) + self.acked_gaps.iter().count() as u64 }
    }

    /// What may be deleted now, also while an earlier deletion is under way: for whoever closes the queue. Freeing the same
    /// twice does no harm.
    #[must_use]
    pub fn last_free(&self) -> Option<Free> {
        let through = self.floor().saturating_sub(1);
        let gaps: Vec<Range> = self.acked_gaps.iter().collect();
        (through >= self.freed_below || !gaps.is_empty()).then_some(Free { through, gaps })
    }

    /// The queue deleted what [`Sender::poll_free`] named, durably.
    pub fn freed(&mut self, free: &Free) {
        self.freeing = false;
        free.gaps.iter().for_each(|gap| self.acked_gaps.remove(*gap));
        self.freed_below = self.freed_below.max(free.through + 1);
        self.done.remove_through(free.through);
        self.segments.forget_below(self.freed_below);
        self.flights.forget_returned(free.through);
    }

    /// The queue could not delete: it will be asked again.
    pub const fn free_failed(&mut self) {
        self.freeing = false;
    }

    /// Whoever was to answer is gone: what is in flight is sent again without a wait.
    pub fn send_again(&mut self) {
        self.unsend_all();
    }

    /// Whatever waited too long goes back to be sent again.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        self.lanes.grow_old(now);
        if self.flights.next_deadline().is_some_and(|deadline| deadline <= now) {
            self.backoff.failed();
            self.unsend_all();
        }
    }

    /// When [`Sender::handle_timeout`] or [`Sender::poll_load`] may have something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let ageing = self.lanes.next_ageing().filter(|_| self.open && !self.unsent.is_empty());
        [self.flights.next_deadline(), ageing].into_iter().flatten().min()
    }

    /// The smallest number that is not done.
    fn floor(&self) -> Seq {
        let next = self.segments.next();
        self.done.range_of(self.freed_below).map_or(self.freed_below, |prefix| prefix.last + 1).min(next)
    }

    /// The smallest number of `stream` that is not done; the number after its last when all are.
    fn floor_of(&self, stream: StreamId) -> Option<Seq> {
        let range = self.segments.range_of(stream)?;
        Some(self.floor().clamp(range.first, range.last + 1))
    }

    fn gaps_of(&self, stream: StreamId) -> Vec<Range> {
        let Some(range) = self.segments.range_of(stream) else { return Vec::new() };
        let within = self.gaps.iter().map(|gap| gap.and(range)).filter(|gap| !gap.is_empty());
        within.take(GAPS_PER_MESSAGE_MAX).collect()
    }

    /// Rows that the queue should have and has not: damage took them. They are reported, as what was dropped is; but for those
    /// that were acknowledged while they were being read: their gaps are the queue's to forget.
    fn no_longer_held(&mut self, range: Range) {
        let held = range.and(Range::new(self.freed_below, Seq::MAX));
        for missing in self.done.missing(held) {
            self.unsent.remove(missing);
            self.gaps.insert(missing);
        }
        for acknowledged in self.gaps.missing(held) {
            self.acked_gaps.insert(acknowledged);
        }
    }

    fn unsend_all(&mut self) {
        for flight in self.flights.give_back() {
            // What was freed is done, although it is not in the set any more.
            let held = flight.and(Range::new(self.freed_below, Seq::MAX));
            for range in self.done.missing(held) {
                self.gaps.missing(range).into_iter().for_each(|rows| self.unsent.insert(rows));
            }
        }
    }
}

#[cfg(test)]
mod tests;
