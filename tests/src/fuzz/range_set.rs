//! A set of ranges against a set of numbers.

use super::input::Input;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use std::collections::BTreeSet;

/// Inserts, removes and questions, of numbers from 0 to 255.
pub fn range_set(data: &[u8]) {
    let (mut input, mut set, mut model) = (Input::new(data), RangeSet::new(), BTreeSet::new());
    while !input.is_over() {
        let (what, first) = (input.below(4), input.below(256));
        // Some are empty: their last number is below their first.
        let last = (first + input.below(40)).saturating_sub(2);
        let range = Range::new(first, last);
        match what {
            0 => {
                set.insert(range);
                model.extend(first..=last);
            }
            1 => {
                set.remove(range);
                model.retain(|number| !range.contains(*number));
            }
            2 => {
                set.remove_through(first);
                model.retain(|number| *number > first);
            }
            _ => ask(&set, &model, range),
        }
        check(&set, &model);
    }
}

fn check(set: &RangeSet, model: &BTreeSet<u64>) {
    assert!(set.iter().flat_map(|range| range.first..=range.last).eq(model.iter().copied()));
    assert!(set.iter().zip(set.iter().skip(1)).all(|(one, next)| one.last + 1 < next.first), "{set:?} touches itself");
    assert_eq!(
        (set.count(), set.first(), set.last()),
        (model.len() as u64, model.first().copied(), model.last().copied())
    );
}

fn ask(set: &RangeSet, model: &BTreeSet<u64>, range: Range) {
    let numbers = || range.first..=range.last;
    let missing: Vec<u64> = set.missing(range).iter().flat_map(|hole| hole.first..=hole.last).collect();
    assert!(missing.iter().copied().eq(numbers().filter(|number| !model.contains(number))));
    assert_eq!(set.covers(range), numbers().all(|number| model.contains(&number)));
    assert_eq!(set.contains(range.first), model.contains(&range.first));
    assert_eq!(set.next_from(range.first).map(|next| next.first), model.range(range.first..).next().copied());
    for end in [Range::new(0, u64::MAX), Range::new(u64::MAX, u64::MAX), Range::new(5, 2)] {
        let mut whole = set.clone();
        whole.insert(end);
        whole.remove(end);
        assert!(set.missing(end).len() <= set.ranges() + 1);
    }
}
