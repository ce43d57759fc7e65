//! What a [`RangeSet`] lacks for accounts: arithmetic with whole sets.

use fogline_protocol::delivery::ranges::{Range, RangeSet};

/// The numbers of `set` that are not in `other`.
pub(super) fn minus(set: &RangeSet, other: &RangeSet) -> RangeSet {
    set.iter().flat_map(|range| other.missing(range)).collect()
}

/// Adds the numbers of `other`.
pub(super) fn add(set: &mut RangeSet, other: &RangeSet) {
    other.iter().for_each(|range| set.insert(range));
}

/// Takes the numbers of `other` out, and says how many that were.
pub(super) fn take(set: &mut RangeSet, other: &RangeSet) -> u64 {
    let before = set.count();
    other.iter().for_each(|range| set.remove(range));
    before - set.count()
}

/// Takes the lowest numbers out, at most `most` of them, and says how many that were.
pub(super) fn take_lowest(set: &mut RangeSet, most: u64) -> u64 {
    let mut taken = 0;
    while let Some(range) = set.next_from(0).filter(|_| taken < most) {
        let last = range.last.min(range.first + (most - taken - 1));
        set.remove(Range::new(range.first, last));
        taken += last - range.first + 1;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u64, u64)]) -> RangeSet {
        ranges.iter().copied().map(Range::from).collect()
    }

    #[test]
    fn sets_are_added_and_taken_away() {
        let whole = set(&[(1, 10), (20, 30)]);
        assert_eq!(minus(&whole, &set(&[(1, 3), (8, 22), (30, 30)])), set(&[(4, 7), (23, 29)]));
        let mut sum = set(&[(1, 3)]);
        add(&mut sum, &set(&[(4, 10), (20, 30)]));
        assert_eq!(sum, whole);
        assert_eq!(take(&mut sum, &set(&[(5, 25), (40, 50)])), 12);
        assert_eq!(sum, set(&[(1, 4), (26, 30)]));
    }

    #[test]
    fn the_lowest_are_taken_first_and_no_more_than_there_are() {
        let mut some = set(&[(1, 3), (10, 12)]);
        assert_eq!((take_lowest(&mut some, 4), some.clone()), (4, set(&[(11, 12)])));
        assert_eq!((take_lowest(&mut some, 0), some.count()), (0, 2));
        assert_eq!((take_lowest(&mut some, 9), some.is_empty()), (2, true));
    }
}
