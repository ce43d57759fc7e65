//! The cloud's half of delivery, for one stream: what is new, and what is written.
//!
//! Three sets, each within the next: *written* (the store has said so) <= *staged* (in the commit at the store) <=
//! *received* (taken). Only what is written is acknowledged.

use super::RANGES_MAX;
use super::ranges::{Range, RangeSet};
use crate::ids::Seq;
use crate::store::Progress;
use crate::wire::BatchHeader;

/// The most gaps that wait for their commit. Further ones wait for it too: their sender names them again until they are
/// acknowledged.
const NEW_GAPS_MAX: usize = 256;

/// What a batch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// Sequence numbers that are new, as ranges of the batch.
    Fresh(Vec<Range>),
    /// Everything was received before. Whatever is written of it is to be acknowledged again.
    Duplicate,
    /// Taking it would need a range more than a receiver keeps: the sender has to fill an older hole first.
    TooScattered,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Receiver {
    received: RangeSet,
    staged: RangeSet,
    written: RangeSet,
    new_gaps: Vec<Range>,
    /// The sender holds nothing below.
    floor: Seq,
    /// The floor or the gaps moved what is received beyond what is staged.
    moved: bool,
}

impl Receiver {
    /// Goes on where the store says that the stream stands; from nothing when the store never heard of it.
    #[must_use]
    pub fn new(progress: Option<Progress>) -> Self {
        let Progress { through, ranges } = progress.unwrap_or_default();
        // 0 is no sequence number. With it in the set, everything through the watermark is its first range.
        let written = RangeSet::from_iter(std::iter::once(Range::new(0, through)).chain(ranges));
        Self {
            received: written.clone(),
            staged: written.clone(),
            written,
            new_gaps: Vec::new(),
            floor: 1,
            moved: false,
        }
    }

    /// The sender holds nothing below `floor`: it was acknowledged there, perhaps by one who has forgotten it. `gaps` will
    /// never come.
    pub fn adopt(&mut self, floor: Seq, gaps: &[Range]) {
        self.floor = self.floor.max(floor);
        let below = Range::new(0, self.floor - 1);
        if !self.received.covers(below) {
            self.received.insert(below);
            self.moved = true;
        }
        for gap in gaps {
            for news in self.received.missing(*gap) {
                if self.new_gaps.len() >= NEW_GAPS_MAX || self.would_scatter(news) {
                    return;
                }
                self.received.insert(news);
                self.new_gaps.push(news);
                self.moved = true;
            }
        }
    }

    /// Takes a batch whose readings have the numbers of `range`.
    pub fn accept(&mut self, header: &BatchHeader, range: Range) -> Accepted {
        self.adopt(header.floor, &header.gaps);
        let fresh = self.received.missing(range);
        if fresh.is_empty() {
            return Accepted::Duplicate;
        }
        if self.would_scatter(range) {
            return Accepted::TooScattered;
        }
        self.received.insert(range);
        Accepted::Fresh(fresh)
    }

    /// These readings go into the commit that is being made.
    pub fn stage(&mut self, fresh: &[Range]) {
        fresh.iter().for_each(|range| self.staged.insert(*range));
    }

    /// True when the floor or a gap is to be committed although no reading is.
    #[must_use]
    pub const fn has_moved(&self) -> bool {
        self.moved
    }

    /// Closes the commit that is being made: the progress after it, and the gaps that it records.
    pub fn stage_progress(&mut self) -> (Progress, Vec<Range>) {
        let new_gaps = std::mem::take(&mut self.new_gaps);
        new_gaps.iter().for_each(|gap| self.staged.insert(*gap));
        self.staged.insert(Range::new(0, self.floor - 1));
        self.moved = false;
        (progress(&self.staged), new_gaps)
    }

    /// The commit that was staged is in the store.
    pub fn commit(&mut self) {
        self.written = self.staged.clone();
    }

    /// What is written, to be acknowledged.
    #[must_use]
    pub fn written(&self) -> Progress {
        progress(&self.written)
    }

    /// Everything up to here was received, or will never come.
    #[must_use]
    pub fn received_through(&self) -> Seq {
        progress(&self.received).through
    }

    /// True when something was taken that is not written yet.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.moved || self.received != self.written
    }

    fn would_scatter(&self, range: Range) -> bool {
        let mut after = self.received.clone();
        after.insert(range);
        after.ranges() > RANGES_MAX + 1
    }
}

fn progress(set: &RangeSet) -> Progress {
    let mut ranges = set.iter();
    let through = ranges.next().map_or(0, |prefix| prefix.last);
    Progress { through, ranges: ranges.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::StreamId;
    use proptest::prelude::*;

    fn batch(receiver: &mut Receiver, floor: Seq, first: Seq, last: Seq, gaps: &[Range]) -> Accepted {
        let header =
            BatchHeader { stream: StreamId::from_bits(1), floor, first, gaps: gaps.to_vec(), clock: 0, time: None };
        receiver.accept(&header, Range::new(first, last))
    }

    fn commit(receiver: &mut Receiver, fresh: &[Range]) -> Progress {
        receiver.stage(fresh);
        let (progress, _) = receiver.stage_progress();
        receiver.commit();
        progress
    }

    fn range(first: Seq, last: Seq) -> Range {
        Range::new(first, last)
    }

    #[test]
    fn a_duplicate_is_not_fresh_before_or_after_it_is_written() {
        let mut receiver = Receiver::new(None);
        assert_eq!(batch(&mut receiver, 1, 1, 5, &[]), Accepted::Fresh(vec![range(1, 5)]));
        assert_eq!(batch(&mut receiver, 1, 1, 5, &[]), Accepted::Duplicate);
        assert_eq!(receiver.written().through, 0, "taken is not written");
        assert_eq!(commit(&mut receiver, &[range(1, 5)]), Progress { through: 5, ranges: vec![] });
        assert_eq!(batch(&mut receiver, 1, 4, 7, &[]), Accepted::Fresh(vec![range(6, 7)]));
    }

    #[test]
    fn a_new_receiver_starts_at_the_floor() {
        let mut receiver = Receiver::new(None);
        assert_eq!(batch(&mut receiver, 100, 100, 101, &[]), Accepted::Fresh(vec![range(100, 101)]));
        assert_eq!(commit(&mut receiver, &[range(100, 101)]).through, 101);
        assert_eq!(batch(&mut receiver, 50, 50, 60, &[]), Accepted::Duplicate, "an old batch does not lower it");
    }

    #[test]
    fn gaps_are_skipped_and_recorded_once() {
        let mut receiver = Receiver::new(None);
        assert_eq!(batch(&mut receiver, 1, 5, 6, &[range(1, 4)]), Accepted::Fresh(vec![range(5, 6)]));
        receiver.stage(&[range(5, 6)]);
        assert_eq!(receiver.stage_progress(), (Progress { through: 6, ranges: vec![] }, vec![range(1, 4)]));
        receiver.commit();
        receiver.adopt(1, &[range(1, 4)]);
        assert!(!receiver.has_moved());
        assert!(!receiver.holds());
    }

    #[test]
    fn the_next_commits_readings_are_not_in_this_ones_progress() {
        let mut receiver = Receiver::new(None);
        batch(&mut receiver, 1, 1, 5, &[]);
        receiver.stage(&[range(1, 5)]);
        batch(&mut receiver, 1, 6, 9, &[]);
        assert_eq!(receiver.stage_progress().0.through, 5);
        receiver.commit();
        assert_eq!(receiver.written().through, 5);
        assert!(receiver.holds());
    }

    #[test]
    fn gaps_that_wait_for_their_commit_are_bounded() {
        let mut receiver = Receiver::new(None);
        for n in 0..1000 {
            let floor = 1 + n * 10;
            receiver.adopt(floor, &[range(floor + 2, floor + 2), range(floor + 4, floor + 4)]);
        }
        assert_eq!(receiver.stage_progress().1.len(), NEW_GAPS_MAX);
        receiver.adopt(20_000, &[range(20_002, 20_002)]);
        assert_eq!(
            receiver.stage_progress().1,
            [range(20_002, 20_002)],
            "further ones are taken when they are named again"
        );
    }

    #[test]
    fn a_sixty_fifth_range_is_not_taken() {
        let mut receiver = Receiver::new(None);
        for n in 1..=64 {
            assert!(matches!(batch(&mut receiver, 1, n * 10, n * 10, &[]), Accepted::Fresh(_)), "{n}");
        }
        assert_eq!(batch(&mut receiver, 1, 1000, 1000, &[]), Accepted::TooScattered);
        assert!(matches!(batch(&mut receiver, 1, 1, 9, &[]), Accepted::Fresh(_)), "the oldest hole is always welcome");
        assert!(matches!(batch(&mut receiver, 1, 1000, 1000, &[]), Accepted::Fresh(_)));
    }

    proptest! {
        #[test]
        fn every_number_is_fresh_exactly_once(batches in prop::collection::vec((1_u64..80, 0_u64..8, any::<bool>()), 1..60)) {
            let mut receiver = Receiver::new(None);
            let (mut seen, mut staged) = (std::collections::BTreeSet::new(), Vec::new());
            for (first, more, commits) in batches {
                if let Accepted::Fresh(fresh) = batch(&mut receiver, 1, first, first + more, &[]) {
                    for seq in fresh.iter().flat_map(|r| r.first..=r.last) {
                        prop_assert!(seen.insert(seq), "{} was fresh twice", seq);
                    }
                    staged.extend(fresh);
                }
                if commits {
                    let progress = commit(&mut receiver, &std::mem::take(&mut staged));
                    let counted = progress.through + progress.ranges.iter().map(|r| r.count()).sum::<u64>();
                    prop_assert_eq!(counted, seen.len() as u64);
                }
            }
        }
    }
}
