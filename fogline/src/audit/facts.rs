//! What was found, by agent and stream, before anybody says what it means.

use super::error::AuditError;
use super::sets::add;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{Seq, StreamId, is_name};
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
    /// The database does not keep streams: the numbers of an agent are judged all together.
    pub(super) merged: bool,
    /// Pieces that the stored numbers are in.
    pub(super) pieces: usize,
}

/// An agent's name in its two parts, both of which need no escaping anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AgentName {
    pub(super) region: String,
    pub(super) agent: String,
}

impl AgentName {
    /// The parts of "region/agent"; none when they are no names: then nothing can be stored of such an agent.
    pub(super) fn of(name: &str) -> Option<Self> {
        let (region, agent) = name.split_once('/').filter(|(region, agent)| is_name(region) && is_name(agent))?;
        Some(Self { region: region.to_owned(), agent: agent.to_owned() })
    }
}

/// Of one agent.
#[derive(Debug, Default)]
pub(super) struct AgentFacts {
    /// Without an id: all streams together.
    pub(super) streams: BTreeMap<Option<StreamId>, StreamFacts>,
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
    pub(super) fn stream(&mut self, agent: &str, stream: Option<StreamId>) -> &mut StreamFacts {
        self.agent(agent).streams.entry(stream).or_default()
    }

    /// What is known of an agent.
    pub(super) fn agent(&mut self, agent: &str) -> &mut AgentFacts {
        self.agents.entry(agent.to_owned()).or_default()
    }

    /// Makes one of each agent's streams: the database has no other.
    pub(super) fn merge_streams(&mut self) {
        self.merged = true;
        for agent in self.agents.values_mut() {
            let mut all = StreamFacts::default();
            std::mem::take(&mut agent.streams).into_values().for_each(|stream| all.merge(&stream));
            agent.streams.insert(None, all);
        }
    }

    /// The database holds a point for each of these numbers.
    pub(super) fn store(&mut self, agent: &str, stream: Option<StreamId>, range: Range) -> Result<(), AuditError> {
        let known = self.stream(agent, stream);
        let before = known.stored.ranges();
        known.store(range);
        let after = known.stored.ranges();
        self.pieces = (self.pieces + after).saturating_sub(before);
        if self.pieces > PIECES_MAX { Err(AuditError::Scattered(PIECES_MAX)) } else { Ok(()) }
    }
}

impl StreamFacts {
    fn merge(&mut self, other: &Self) {
        for (mine, others) in [
            (&mut self.given, &other.given),
            (&mut self.claimed, &other.claimed),
            (&mut self.queued, &other.queued),
            (&mut self.gaps, &other.gaps),
            (&mut self.dead, &other.dead),
            (&mut self.stored, &other.stored),
            (&mut self.repeated, &other.repeated),
        ] {
            add(mine, others);
        }
        self.gaps_forgotten = self.gaps_forgotten.saturating_add(other.gaps_forgotten);
        self.copies = self.copies.saturating_add(other.copies);
    }

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

    const STREAM: Option<StreamId> = Some(StreamId::from_bits(7));

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
    fn merged_streams_are_one_with_all_that_is_known_of_each() {
        let mut facts = Facts::default();
        facts.stream("north/lane-1", STREAM).queued.insert(Range::new(1, 5));
        facts.store("north/lane-1", None, Range::new(6, 9)).unwrap();
        facts.merge_streams();
        let streams = &facts.agents["north/lane-1"].streams;
        assert_eq!((streams.len(), streams[&None].queued.count(), streams[&None].stored.count()), (1, 5, 4));
    }

    #[test]
    fn only_names_become_part_of_a_query() {
        assert!(AgentName::of("north/lane-1").is_some());
        for bad in ["lane-1", "north/a'b", "no rth/a", "/a", "a/", "a/b/c"] {
            assert_eq!(AgentName::of(bad), None, "{bad}");
        }
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
