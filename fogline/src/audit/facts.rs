//! What was found, by agent and stream, before anybody says what it means.

use super::error::AuditError;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{Seq, StreamId};
use std::collections::BTreeMap;

/// The most pieces that the numbers in the database may be in: 64 MiB. Numbers without holes are one piece for each stream,
/// however many there are.
pub(super) const PIECES_MAX: usize = 4_000_000;

/// Everything.
#[derive(Debug, Default)]
pub(super) struct Facts {
    /// By name, "region/agent".
    pub(super) agents: BTreeMap<String, AgentFacts>,
    /// Readings that each ingester has counted as stored since its file was made.
    pub(super) counted: Vec<u64>,
    /// Dead letters that somebody has deleted.
    pub(super) letters_deleted: u64,
    /// Pieces that the stored numbers are in.
    pub(super) pieces: usize,
}

/// Of one agent.
#[derive(Debug, Default)]
pub(super) struct AgentFacts {
    pub(super) streams: BTreeMap<StreamId, StreamFacts>,
    /// Its queue files.
    pub(super) queues: Vec<QueueFacts>,
}

/// Of a queue file, beside what it says of its streams.
#[derive(Debug, Clone, Copy)]
pub(super) struct QueueFacts {
    /// Below this number the file has forgotten which streams its numbers belonged to, but it has given all of them.
    pub(super) known_from: Seq,
}

/// Of a stream.
#[derive(Debug, Default)]
pub(super) struct StreamFacts {
    /// Numbers that its queue file gave.
    pub(super) given: RangeSet,
    /// Numbers of which the ingester says that they are stored, dead letters, gaps, or below the floor that it took over.
    pub(super) claimed: RangeSet,
    /// In the queue.
    pub(super) queued: RangeSet,
    /// Reported, or to be reported, as never to come.
    pub(super) gaps: RangeSet,
    /// Numbers in gaps that the ingester counts, and has not kept.
    pub(super) gaps_forgotten: u64,
    /// Dead letters.
    pub(super) dead: RangeSet,
    /// In the database.
    pub(super) stored: RangeSet,
    /// Of these, the ones that are there more than once.
    pub(super) repeated: RangeSet,
    /// Points beyond the first of each number.
    pub(super) copies: u64,
}

impl Facts {
    /// What is known of a stream.
    pub(super) fn stream(&mut self, agent: &str, stream: StreamId) -> &mut StreamFacts {
        self.agent(agent).streams.entry(stream).or_default()
    }

    /// What is known of an agent.
    pub(super) fn agent(&mut self, agent: &str) -> &mut AgentFacts {
        self.agents.entry(agent.to_owned()).or_default()
    }

    /// The database holds a point for each of these numbers.
    pub(super) fn store(&mut self, agent: &str, stream: StreamId, range: Range) -> Result<(), AuditError> {
        let known = self.stream(agent, stream);
        let before = known.stored.ranges();
        known.store(range);
        let after = known.stored.ranges();
        self.pieces = (self.pieces + after).saturating_sub(before);
        if self.pieces > PIECES_MAX { Err(AuditError::Scattered(PIECES_MAX)) } else { Ok(()) }
    }
}

impl StreamFacts {
    fn store(&mut self, range: Range) {
        let new = self.stored.missing(range);
        let new_count: u64 = new.iter().map(|piece| piece.count()).sum();
        if new_count < range.count() {
            self.copies += range.count() - new_count;
            let new: RangeSet = new.into_iter().collect();
            new.missing(range).into_iter().for_each(|again| self.repeated.insert(again));
        }
        self.stored.insert(range);
    }
}

/// Puts single numbers together into ranges before they are stored: points come in the order of their numbers, or nearly so.
#[derive(Debug)]
pub(super) struct Runs<K> {
    run: Option<(K, Range)>,
}

impl<K: PartialEq> Runs<K> {
    pub(super) const fn new() -> Self {
        Self { run: None }
    }

    /// Takes a number; gives the run that it does not continue.
    pub(super) fn push(&mut self, key: K, seq: Seq) -> Option<(K, Range)> {
        match &mut self.run {
            Some((known, range)) if *known == key && seq == range.last.saturating_add(1) => {
                range.last = seq;
                None
            }
            _ => self.run.replace((key, Range::new(seq, seq))),
        }
    }

    /// The last run.
    pub(super) fn end(self) -> Option<(K, Range)> {
        self.run
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: StreamId = StreamId::from_bits(7);

    #[test]
    fn numbers_that_come_again_are_copies() {
        let mut facts = Facts::default();
        for (first, last) in [(1, 10), (20, 30), (8, 21), (9, 9)] {
            facts.store("north/lane-1", STREAM, Range::new(first, last)).unwrap();
        }
        let stream = facts.stream("north/lane-1", STREAM);
        assert_eq!((stream.stored.ranges(), stream.stored.count(), stream.copies), (1, 30, 6));
        assert_eq!(stream.repeated.iter().collect::<Vec<_>>(), [Range::new(8, 10), Range::new(20, 21)]);
        assert_eq!(facts.pieces, 1);
    }

    #[test]
    fn numbers_in_a_row_are_one_run() {
        let mut runs = Runs::new();
        let mut done: Vec<_> =
            [(1, 5), (1, 6), (2, 7), (2, 9), (2, 9)].into_iter().filter_map(|(key, seq)| runs.push(key, seq)).collect();
        done.extend(runs.end());
        let expected = [(1, 5, 6), (2, 7, 7), (2, 9, 9), (2, 9, 9)];
        assert_eq!(done, expected.map(|(key, first, last)| (key, Range::new(first, last))));
    }
}
