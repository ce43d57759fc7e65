//! What the queue files of agents say.

use super::error::AuditError;
use super::facts::{Facts, QueueFacts};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::delivery::segments::Segments;
use fogline_runtime::outbox::{Holdings, holdings};
use std::path::Path;

/// The name of the queue in an agent's data directory.
const FILE: &str = "queue.db";

/// Reads a queue, given as its file or its agent's data directory.
pub(super) fn read(path: &Path, facts: &mut Facts) -> Result<(), AuditError> {
    let file = super::file_in(path, FILE);
    let held = holdings(&file)?;
    // A queue is owned from its first reading on.
    let owner = held.owner.clone().unwrap_or_else(|| file.display().to_string());
    note(&owner, held, facts);
    Ok(())
}

fn note(owner: &str, held: Holdings, facts: &mut Facts) {
    let known_from = held.segments.first().map_or(held.next, |segment| segment.first);
    facts.agent(owner).queues.push(QueueFacts { known_from });
    let gaps: RangeSet = held.gaps.into_iter().collect();
    for known in Segments::new(held.segments, held.next).streams() {
        let stream = facts.stream(owner, Some(known.stream));
        stream.given.insert(known.range);
        within(&held.rows, known.range).for_each(|range| stream.queued.insert(range));
        within(&gaps, known.range).for_each(|range| stream.gaps.insert(range));
    }
}

/// The numbers of `set` in `range`.
fn within(set: &RangeSet, range: Range) -> impl Iterator<Item = Range> {
    set.iter().map(move |held| held.and(range)).filter(|held| !held.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::clock::Stamps;
    use fogline_protocol::ids::StreamId;
    use fogline_protocol::queue::Segment;

    #[test]
    fn each_stream_gets_its_own_numbers() {
        let [old, new] = [3, 4].map(StreamId::from_bits);
        let segment = |first, stream, clock| Segment { first, stream, clock, stamps: Stamps::Given };
        let held = Holdings {
            owner: None,
            segments: vec![segment(11, old, 0), segment(15, old, 1), segment(21, new, 2)],
            next: 31,
            rows: [Range::new(13, 25)].into_iter().collect(),
            gaps: vec![Range::new(12, 12), Range::new(29, 30)],
        };
        let mut facts = Facts::default();
        note("north/lane-1", held, &mut facts);
        assert_eq!(facts.agent("north/lane-1").queues[0].known_from, 11);
        let mut ranges = |stream| {
            let stream = facts.stream("north/lane-1", Some(stream));
            [&stream.given, &stream.queued, &stream.gaps].map(|set| set.iter().map(|r| (r.first, r.last)).next())
        };
        assert_eq!(ranges(old), [Some((11, 20)), Some((13, 20)), Some((12, 12))]);
        assert_eq!(ranges(new), [Some((21, 30)), Some((21, 25)), Some((29, 30))]);
    }

    #[test]
    fn a_queue_that_gave_nothing_knows_everything() {
        let held = Holdings { owner: None, segments: Vec::new(), next: 1, rows: RangeSet::new(), gaps: Vec::new() };
        let mut facts = Facts::default();
        note("north/lane-1", held, &mut facts);
        assert_eq!((facts.agent("north/lane-1").queues[0].known_from, facts.agents.len()), (1, 1));
    }
}
