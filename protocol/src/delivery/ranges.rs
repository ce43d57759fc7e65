//! Sets of sequence numbers, kept as ranges.

use crate::ids::Seq;
use serde::{Deserialize, Serialize};

/// The numbers from `first` to `last`, both included. `[first,last]` on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(Seq, Seq)", into = "(Seq, Seq)")]
pub struct Range {
    /// The smallest number.
    pub first: Seq,
    /// The largest number. A range with `last` below `first` is empty.
    pub last: Seq,
}

impl Range {
    /// The numbers from `first` to `last`.
    #[must_use]
    pub const fn new(first: Seq, last: Seq) -> Self {
        Self { first, last }
    }

    /// How many numbers it has.
    #[must_use]
    pub const fn count(self) -> u64 {
        if self.last < self.first { 0 } else { self.last - self.first + 1 }
    }

    /// True when it has no number.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.last < self.first
    }

    /// True when `seq` is one of its numbers.
    #[must_use]
    pub const fn contains(self, seq: Seq) -> bool {
        self.first <= seq && seq <= self.last
    }

    /// The numbers that are in both; perhaps empty.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { first: self.first.max(other.first), last: self.last.min(other.last) }
    }
}

impl From<(Seq, Seq)> for Range {
    fn from((first, last): (Seq, Seq)) -> Self {
        Self { first, last }
    }
}

impl From<Range> for (Seq, Seq) {
    fn from(range: Range) -> Self {
        (range.first, range.last)
    }
}

/// A set of sequence numbers as ordered ranges that neither touch nor overlap. Its size is the number of ranges; whoever
/// owns one bounds that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeSet {
    ranges: Vec<Range>,
}

impl RangeSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The ranges, smallest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Range> + ExactSizeIterator + '_ {
        self.ranges.iter().copied()
    }

    /// How many ranges there are.
    #[must_use]
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// How many numbers there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.iter().map(Range::count).sum()
    }

    /// True when there is no number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The smallest number.
    #[must_use]
    pub fn first(&self) -> Option<Seq> {
        self.ranges.first().map(|range| range.first)
    }

    /// The largest number.
    #[must_use]
    pub fn last(&self) -> Option<Seq> {
        self.ranges.last().map(|range| range.last)
    }

    /// The range that holds `seq`.
    #[must_use]
    pub fn range_of(&self, seq: Seq) -> Option<Range> {
        self.ranges.get(self.reaching(seq)).copied().filter(|range| range.contains(seq))
    }

    /// True when `seq` is in the set.
    #[must_use]
    pub fn contains(&self, seq: Seq) -> bool {
        self.range_of(seq).is_some()
    }

    /// True when every number of `range` is in the set.
    #[must_use]
    pub fn covers(&self, range: Range) -> bool {
        range.is_empty() || self.range_of(range.first).is_some_and(|found| range.last <= found.last)
    }

    /// The first piece of the set at or above `seq`.
    #[must_use]
    pub fn next_from(&self, seq: Seq) -> Option<Range> {
        self.ranges.get(self.reaching(seq)).map(|range| Range::new(range.first.max(seq), range.last))
    }

    /// Adds the numbers of `range`.
    pub fn insert(&mut self, range: Range) {
        if range.is_empty() {
            return;
        }
        let from = self.reaching(range.first.saturating_sub(1));
        let to = self.ranges.partition_point(|known| known.first <= range.last.saturating_add(1));
        let touched = self.ranges.get(from..to).unwrap_or_default();
        let first = touched.first().map_or(range.first, |known| known.first.min(range.first));
        let last = touched.last().map_or(range.last, |known| known.last.max(range.last));
        self.ranges.splice(from..to.max(from), [Range { first, last }]);
    }

    /// Takes the numbers of `range` out.
    pub fn remove(&mut self, range: Range) {
        if range.is_empty() {
            return;
        }
        let from = self.reaching(range.first);
        let to = self.ranges.partition_point(|known| known.first <= range.last);
        if from >= to {
            return;
        }
        let touched = self.ranges.get(from..to).unwrap_or_default();
        let head = touched.first().map(|known| Range::new(known.first, range.first.saturating_sub(1)));
        let tail = touched.last().map(|known| Range::new(range.last.saturating_add(1), known.last));
        // A head exists only when the first touched range begins before the removed one; then `range.first` is not 0.
        let head = head.filter(|head| head.first < range.first);
        let rest: Vec<Range> = head.into_iter().chain(tail).filter(|piece| !piece.is_empty()).collect();
        self.ranges.splice(from..to, rest);
    }

    /// Takes out everything up to and including `seq`.
    pub fn remove_through(&mut self, seq: Seq) {
        self.remove(Range::new(0, seq));
    }

    /// The numbers of `range` that are not in the set, as ranges.
    #[must_use]
    pub fn missing(&self, range: Range) -> Vec<Range> {
        let mut holes = Vec::new();
        let mut at = range.first;
        while at <= range.last {
            let Some(known) = self.next_from(at).filter(|known| known.first <= range.last) else {
                holes.push(Range::new(at, range.last));
                break;
            };
            if known.first > at {
                holes.push(Range::new(at, known.first - 1));
            }
            if known.last >= range.last {
                break;
            }
            at = known.last + 1;
        }
        holes
    }

    /// The index of the first range whose last number is `seq` or more.
    fn reaching(&self, seq: Seq) -> usize {
        self.ranges.partition_point(|known| known.last < seq)
    }
}

impl FromIterator<Range> for RangeSet {
    fn from_iter<I: IntoIterator<Item = Range>>(ranges: I) -> Self {
        let mut set = Self::new();
        for range in ranges {
            set.insert(range);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn numbers(set: &RangeSet) -> BTreeSet<Seq> {
        set.iter().flat_map(|range| range.first..=range.last).collect()
    }

    proptest! {
        #[test]
        fn behaves_like_a_set_of_numbers(steps in prop::collection::vec((any::<bool>(), 0_u64..60, 0_u64..12), 0..60)) {
            let (mut set, mut model) = (RangeSet::new(), BTreeSet::new());
            for (add, first, length) in steps {
                let range = Range::new(first, first + length);
                if add {
                    set.insert(range);
                    model.extend(range.first..=range.last);
                } else {
                    set.remove(range);
                    model.retain(|seq| !range.contains(*seq));
                }
                prop_assert_eq!(numbers(&set), model.clone());
                let apart = set.ranges.windows(2).all(|pair| pair[0].last + 1 < pair[1].first);
                prop_assert!(apart, "{set:?}");
                let probe = Range::new(first / 2, first / 2 + length);
                let holes: Vec<Seq> = set.missing(probe).into_iter().flat_map(|r| r.first..=r.last).collect();
                let expected: Vec<Seq> = (probe.first..=probe.last).filter(|seq| !model.contains(seq)).collect();
                prop_assert_eq!(&holes, &expected);
                prop_assert_eq!(set.covers(probe), expected.is_empty());
                prop_assert_eq!(set.contains(first), model.contains(&first));
                prop_assert_eq!(set.next_from(first).map(|r| r.first), model.range(first..).next().copied());
            }
        }
    }
}
