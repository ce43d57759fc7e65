//! Which reading goes next: after an outage the fresh lane goes first, and the backlog fills what is left.
//!
//! Whenever the oldest unsent reading is older than [`FRESH_AGE`], the newest number is marked. What comes after the mark is
//! the fresh lane. The backlog may have a quarter of a second's worth under way beyond what the shortest round trip holds, at
//! the rate at which bytes were acknowledged lately: a fresh reading never waits behind more than that, and a long way is
//! filled all the same.

use super::ranges::{Range, RangeSet};
use crate::ids::Seq;
use crate::time::Monotonic;
use std::collections::VecDeque;
use std::time::Duration;

/// How old the oldest unsent reading may become before newer ones overtake it.
pub const FRESH_AGE: Duration = Duration::from_secs(2);
/// How long what is in flight of the backlog may wait on its way, at the measured rate.
const BACKLOG_SHARE: Duration = Duration::from_millis(250);
/// Over how long the rate is measured at least.
const RATE_INTERVAL: Duration = Duration::from_millis(50);
/// Each mark may leave one more island of acknowledged numbers at the receiver, which keeps 64. Beyond this many, the oldest
/// hole is served instead.
const ISLANDS_MAX: usize = 48;
/// Appends closer together than this share an age.
const AGE_GRAIN: Duration = Duration::from_millis(100);

/// In which order readings go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// New ones overtake a backlog.
    #[default]
    FreshFirst,
    /// As they were accepted: for readings of which each builds on those before, as entries and exits of cars do.
    Accepted,
}

/// A lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Readings after the mark, and all when there is no mark.
    Fresh,
    /// Readings up to the mark.
    Backlog,
}

/// The mark, the ages of what was appended, and the measured rate.
#[derive(Debug, Clone)]
pub struct Lanes {
    order: Order,
    mark: Option<Seq>,
    /// Numbers up to here were appended [`FRESH_AGE`] ago or earlier.
    aged: Seq,
    /// (newest number, time of append), oldest first; at most as many as grains fit the age.
    ages: VecDeque<(Seq, Monotonic)>,
    /// Acknowledged bytes per second.
    rate: f64,
    measured: u64,
    since: Option<Monotonic>,
    /// The shortest round trip of this connection.
    round_trip: Option<Duration>,
}

impl Lanes {
    /// What a queue holds when it is opened counts as old.
    #[must_use]
    pub const fn new(newest: Seq, order: Order) -> Self {
        let ages = VecDeque::new();
        Self { order, mark: None, aged: newest, ages, rate: 0.0, measured: 0, since: None, round_trip: None }
    }

    /// The mark: numbers above it are the fresh lane.
    #[must_use]
    pub const fn mark(&self) -> Option<Seq> {
        self.mark
    }

    /// Numbers up to `newest` were appended.
    pub fn appended(&mut self, newest: Seq, now: Monotonic) {
        match self.ages.back_mut().filter(|(_, at)| now.since(*at) < AGE_GRAIN) {
            Some(last) => last.0 = newest,
            None => self.ages.push_back((newest, now)),
        }
        self.grow_old(now);
    }

    /// Bytes went out while nothing was in flight: the rate is measured from here.
    pub const fn started(&mut self, now: Monotonic) {
        self.since = Some(now);
        self.measured = 0;
    }

    /// Bytes were acknowledged.
    #[allow(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
    pub fn acknowledged(&mut self, bytes: u64, now: Monotonic) {
        self.measured += bytes;
        let since = *self.since.get_or_insert(now);
        let elapsed = now.since(since);
        if elapsed >= RATE_INTERVAL || (self.rate == 0.0 && !elapsed.is_zero()) {
            let sample = self.measured as f64 / elapsed.as_secs_f64();
            self.rate = if self.rate == 0.0 { sample } else { (self.rate + sample) / 2.0 };
            self.started(now);
        }
    }

    /// A batch that was sent once was acknowledged after `round_trip`.
    pub fn went_around(&mut self, round_trip: Duration) {
        self.round_trip = Some(self.round_trip.map_or(round_trip, |shortest| shortest.min(round_trip)));
    }

    /// The connection is gone: the next one may go another way.
    pub const fn closed(&mut self) {
        self.round_trip = None;
    }

    /// How many bytes of the backlog may be in flight; `one_batch` while no rate is known.
    #[must_use]
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is never negative; saturating is right"
    )]
    pub fn backlog_allowance(&self, one_batch: u64) -> u64 {
        let time = BACKLOG_SHARE + self.round_trip.unwrap_or_default();
        ((self.rate * time.as_secs_f64()) as u64).max(one_batch)
    }

    /// The next numbers to send and their lane. `allowed` says whether the backlog may go; `islands` is how many ranges
    /// the receiver keeps.
    pub fn next(
        &mut self,
        unsent: &RangeSet,
        newest: Seq,
        islands: usize,
        backlog_allowed: bool,
        now: Monotonic,
    ) -> Option<(Lane, Range)> {
        self.grow_old(now);
        self.set_mark(unsent, newest, islands);
        let oldest = unsent.next_from(0)?;
        let Some(mark) = self.mark else { return Some((Lane::Fresh, oldest)) };
        let backlog = || (Lane::Backlog, Range::new(oldest.first, oldest.last.min(mark)));
        match unsent.next_from(mark + 1).filter(|_| islands < ISLANDS_MAX) {
            Some(fresh) => Some((Lane::Fresh, fresh)),
            None => backlog_allowed.then(backlog),
        }
    }

    /// When the ages are to be looked at again.
    #[must_use]
    pub fn next_ageing(&self) -> Option<Monotonic> {
        self.ages.front().map(|(_, at)| *at + FRESH_AGE)
    }

    /// What was appended [`FRESH_AGE`] ago is old now. To be called when [`Lanes::next_ageing`] has come, also while nothing
    /// can be sent.
    pub fn grow_old(&mut self, now: Monotonic) {
        while let Some((newest, _)) = self.ages.front().copied().filter(|(_, at)| now.since(*at) >= FRESH_AGE) {
            self.aged = newest;
            self.ages.pop_front();
        }
    }

    fn set_mark(&mut self, unsent: &RangeSet, newest: Seq, islands: usize) {
        if self.order == Order::Accepted {
            return;
        }
        let Some(oldest) = unsent.first() else {
            self.mark = None;
            return;
        };
        if self.mark.is_some_and(|mark| oldest > mark) {
            self.mark = None;
        }
        let oldest_fresh = unsent.next_from(self.mark.map_or(0, |mark| mark + 1)).map(|range| range.first);
        if oldest_fresh.is_some_and(|first| first <= self.aged) && islands < ISLANDS_MAX {
            self.mark = Some(newest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Monotonic {
        Monotonic::from_us(ms * 1000)
    }

    #[test]
    fn new_readings_overtake_an_old_backlog() {
        let mut lanes = Lanes::new(1000, Order::FreshFirst);
        let mut unsent = RangeSet::from_iter([Range::new(1, 1000)]);
        let next = lanes.next(&unsent, 1000, 0, true, at(0));
        assert_eq!(next, Some((Lane::Backlog, Range::new(1, 1000))));
        lanes.appended(1003, at(1));
        unsent.insert(Range::new(1001, 1003));
        assert_eq!(lanes.next(&unsent, 1003, 0, true, at(1)), Some((Lane::Fresh, Range::new(1001, 1003))));
        unsent.remove(Range::new(1001, 1003));
        assert_eq!(lanes.next(&unsent, 1003, 0, false, at(1)), None, "the backlog waits for its allowance");
        unsent.remove(Range::new(1, 1000));
        assert_eq!(lanes.next(&unsent, 1003, 0, true, at(2)), None);
        assert_eq!(lanes.mark(), None, "a drained backlog takes its mark along");
    }

    #[test]
    fn nothing_overtakes_where_order_matters() {
        let mut lanes = Lanes::new(1000, Order::Accepted);
        let unsent = RangeSet::from_iter([Range::new(1, 1003)]);
        lanes.appended(1003, at(1));
        assert_eq!(lanes.next(&unsent, 1003, 0, true, at(5000)), Some((Lane::Fresh, Range::new(1, 1003))));
    }

    #[test]
    fn readings_younger_than_the_age_go_in_order() {
        let mut lanes = Lanes::new(0, Order::FreshFirst);
        let unsent = RangeSet::from_iter([Range::new(1, 10)]);
        lanes.appended(10, at(0));
        assert_eq!(lanes.next(&unsent, 10, 0, true, at(1999)), Some((Lane::Fresh, Range::new(1, 10))));
        assert_eq!(lanes.next(&unsent, 10, 0, true, at(2000)), Some((Lane::Backlog, Range::new(1, 10))));
    }

    #[test]
    fn a_fresh_lane_that_falls_behind_is_marked_again_while_islands_are_few() {
        let mut lanes = Lanes::new(100, Order::FreshFirst);
        let unsent = RangeSet::from_iter([Range::new(1, 100), Range::new(150, 200)]);
        lanes.next(&unsent, 100, 0, true, at(0));
        lanes.appended(200, at(0));
        assert_eq!(lanes.next(&unsent, 200, 1, true, at(2500)).map(|(lane, _)| lane), Some(Lane::Backlog));
        assert_eq!(lanes.mark(), Some(200));
        let oldest_hole = lanes.next(&unsent, 200, ISLANDS_MAX, true, at(2500));
        assert_eq!(oldest_hole, Some((Lane::Backlog, Range::new(1, 100))));
    }

    #[test]
    fn the_backlog_gets_a_quarter_of_a_second_beyond_the_round_trip() {
        let mut lanes = Lanes::new(0, Order::FreshFirst);
        assert_eq!(lanes.backlog_allowance(48), 48);
        lanes.started(at(0));
        lanes.acknowledged(100_000, at(100));
        assert_eq!(lanes.backlog_allowance(48), 250_000);
        lanes.went_around(Duration::from_millis(500));
        lanes.went_around(Duration::from_millis(800));
        assert_eq!(lanes.backlog_allowance(48), 750_000, "a long way holds more");
        lanes.closed();
        assert_eq!(lanes.backlog_allowance(48), 250_000);
    }
}
