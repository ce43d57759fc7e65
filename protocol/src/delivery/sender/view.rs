//! What a sender tells of itself.

use super::Sender;
use crate::delivery::ranges::RangeSet;
use crate::ids::Seq;
use crate::queue::Segment;
use crate::wire::{OpenStream, State};

/// How far a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It waits to be sent, or to be sent again.
    Unsent,
    /// On its way.
    InFlight,
    /// Acknowledged.
    Done,
    /// It never comes.
    Gap,
}

impl Sender {
    /// The streams as the hello names them.
    #[must_use]
    pub fn open_streams(&self) -> Vec<OpenStream> {
        let (active, _) = self.segments.active();
        let open = active.into_iter().map(|known| OpenStream {
            stream: known.stream,
            floor: self.floor_of(known.stream).unwrap_or(known.range.last + 1),
            next: known.range.last + 1,
            gaps: self.gaps_of(known.stream),
        });
        open.collect()
    }

    /// The newest segment.
    #[must_use]
    pub fn newest_segment(&self) -> Option<Segment> {
        self.segments.newest()
    }

    /// How far a number has come that the queue gave.
    #[must_use]
    pub fn progress(&self, seq: Seq) -> Progress {
        if self.gaps.contains(seq) {
            Progress::Gap
        } else if self.unsent.contains(seq) {
            Progress::Unsent
        } else if seq < self.freed_below || self.done.contains(seq) {
            Progress::Done
        } else {
            Progress::InFlight
        }
    }

    /// Gaps that are not acknowledged.
    #[must_use]
    pub const fn gaps(&self) -> &RangeSet {
        &self.gaps
    }

    /// Readings that are not acknowledged and not in flight.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent.count()
    }

    /// Readings and bytes in flight.
    #[must_use]
    pub fn in_flight(&self) -> (u64, u64) {
        (self.flights.readings(), self.flights.bytes())
    }

    /// Whether an acknowledgement is missing: something is in flight, or came back unanswered and is about to be sent again.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.open && (!self.flights.is_empty() || (self.backoff.probing() && !self.unsent.is_empty()))
    }

    /// The credit and the ingester's state, as last heard.
    #[must_use]
    pub const fn credit(&self) -> (u64, Option<State>) {
        (self.credit, self.state)
    }

    /// The mark of the fresh lane.
    #[must_use]
    pub const fn mark(&self) -> Option<Seq> {
        self.lanes.mark()
    }

    /// Readings that were sent more than once, since the start.
    #[must_use]
    pub const fn resent(&self) -> u64 {
        self.resent
    }
}
