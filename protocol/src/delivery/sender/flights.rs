//! Batches that were published and are not acknowledged.

use crate::delivery::lanes::Lane;
use crate::delivery::ranges::{Range, RangeSet};
use crate::ids::Seq;
use crate::time::{Monotonic, Wall};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long after it was sent a batch may be put off by words that nothing is written yet. A word does not say of which
/// batch, and one that was lost on the way must not wait for ever.
const PUT_OFF_MAX: Duration = Duration::from_secs(20);

/// A batch in flight.
#[derive(Debug, Clone)]
pub(super) struct Flight {
    pub(super) range: Range,
    pub(super) bytes: u64,
    pub(super) lane: Lane,
    pub(super) sent: Monotonic,
    pub(super) deadline: Monotonic,
    /// Some of it was sent before: its round trip says nothing.
    pub(super) again: bool,
    pub(super) times: Vec<Wall>,
}

/// All of them, by their first number. Their bytes are bounded by the credit.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights {
    list: BTreeMap<Seq, Flight>,
    bytes: u64,
    backlog_bytes: u64,
    returned: RangeSet,
}

impl Flights {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn backlog_bytes(&self) -> u64 {
        self.backlog_bytes
    }

    pub(super) fn readings(&self) -> u64 {
        self.list.values().map(|flight| flight.range.count()).sum()
    }

    pub(super) fn next_deadline(&self) -> Option<Monotonic> {
        self.list.values().map(|flight| flight.deadline).min()
    }

    pub(super) fn add(&mut self, flight: Flight) {
        self.bytes += flight.bytes;
        self.backlog_bytes += if flight.lane == Lane::Backlog { flight.bytes } else { 0 };
        self.list.insert(flight.range.first, flight);
    }

    /// True when some of `range` came back unacknowledged.
    pub(super) fn was_returned(&self, range: Range) -> bool {
        self.returned.next_from(range.first).is_some_and(|known| known.first <= range.last)
    }

    /// Takes out the batches of which every number is done, or was freed because it is below `freed_below`.
    pub(super) fn land(&mut self, done: &RangeSet, freed_below: Seq) -> Vec<Flight> {
        let is_done = |range: Range| done.covers(Range::new(range.first.max(freed_below), range.last));
        let landed: Vec<Seq> = self.list.iter().filter(|(_, f)| is_done(f.range)).map(|(first, _)| *first).collect();
        landed.into_iter().filter_map(|first| self.take(first)).collect()
    }

    /// Takes out all of them unacknowledged.
    pub(super) fn give_back(&mut self) -> Vec<Range> {
        let ranges: Vec<Range> = std::mem::take(&mut self.list).into_values().map(|flight| flight.range).collect();
        self.bytes = 0;
        self.backlog_bytes = 0;
        ranges.iter().for_each(|range| self.returned.insert(*range));
        ranges
    }

    /// Numbers up to here have left the queue.
    pub(super) fn forget_returned(&mut self, through: Seq) {
        self.returned.remove_through(through);
    }

    /// Gives all of them a later deadline, but for those that were put off long enough: they may be lost.
    pub(super) fn postpone(&mut self, now: Monotonic, mut deadline: impl FnMut() -> Monotonic) {
        let patient = self.list.values_mut().filter(|flight| now.since(flight.sent) < PUT_OFF_MAX);
        patient.for_each(|flight| flight.deadline = deadline());
    }

    fn take(&mut self, first: Seq) -> Option<Flight> {
        let flight = self.list.remove(&first)?;
        self.bytes -= flight.bytes;
        self.backlog_bytes -= if flight.lane == Lane::Backlog { flight.bytes } else { 0 };
        self.returned.remove(flight.range);
        Some(flight)
    }
}
