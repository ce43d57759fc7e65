//! What an agent has accepted, learnt without asking the agent: readings go in by the order of their numbers, and the queue
//! gives each a sequence number, so that of what was written to one process the first so many are accepted.
//!
//! What a killed agent had not accepted is the sensor's still: it is written again to the next process. So the numbers that are
//! accepted are 0, 1, 2 and so on without a hole, and each must be found once.

use crate::numbers::Numbers;

/// What one process of an agent accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The lab's number of its first reading.
    first: u64,
    /// The sequence number that its queue gave that.
    first_seq: u64,
    /// How many.
    count: u64,
}

/// What all processes of an agent accepted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    runs: Vec<Run>,
    accepted: u64,
    destroyed: Numbers,
    complaints: Vec<String>,
}

impl Ledger {
    /// Readings accepted, and the number of the next.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted
    }

    /// A process has ended that was given `written` readings, and whose queue gave the sequence numbers `before` (the first of
    /// them) up to but not including `after`.
    pub(crate) fn ended(&mut self, written: u64, before: u64, after: u64) {
        let Some(count) = after.checked_sub(before) else {
            self.complaints.push(format!("the queue went back from sequence number {before} to {after} by itself"));
            return;
        };
        if count > written {
            let more = count - written;
            self.complaints.push(format!("the queue has {more} readings more than were written to the agent"));
        }
        let count = count.min(written);
        self.runs.push(Run { first: self.accepted, first_seq: before, count });
        self.accepted += count;
    }

    /// The lab itself has destroyed the only copy of a reading.
    pub(crate) fn destroy(&mut self, number: u64) {
        self.destroyed.insert(number);
    }

    /// Whether the lab itself has destroyed it.
    pub(crate) fn is_destroyed(&self, number: u64) -> bool {
        self.destroyed.contains(number)
    }

    /// The sequence number of a reading that was accepted.
    pub(crate) fn seq(&self, number: u64) -> Option<u64> {
        let after = self.runs.partition_point(|run| run.first <= number);
        // Of runs that accepted nothing and begin with the same number the last one is found, which may be followed by none.
        let run = self.runs.get(after.checked_sub(1)?)?;
        let offset = number.checked_sub(run.first)?;
        (offset < run.count).then(|| run.first_seq + offset)
    }

    /// What cannot be.
    pub(crate) fn complaints(&self) -> &[String] {
        &self.complaints
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_accepted_is_written_again() {
        let mut ledger = Ledger::default();
        ledger.ended(10, 1, 8);
        assert_eq!(ledger.accepted(), 7);
        ledger.ended(3, 8, 8);
        ledger.ended(5, 8, 13);
        assert_eq!((ledger.accepted(), ledger.seq(6), ledger.seq(7), ledger.seq(11)), (12, Some(7), Some(8), Some(12)));
        assert_eq!((ledger.seq(12), ledger.complaints()), (None, &[][..]));
    }

    #[test]
    fn a_queue_that_contradicts_the_sensor_is_a_finding() {
        let mut ledger = Ledger::default();
        ledger.ended(3, 1, 5);
        ledger.ended(3, 5, 2);
        assert_eq!((ledger.accepted(), ledger.complaints().len()), (3, 2));
    }
}
