use super::super::facts::QueueFacts;
use super::*;

const AGENT: &str = "north/lane-1";
const OLD: StreamId = StreamId::from_bits(1);
const NEW: StreamId = StreamId::from_bits(2);

fn set(ranges: &[(u64, u64)]) -> RangeSet {
    ranges.iter().copied().map(Range::from).collect()
}

/// A stream as the ingester knows it: stored and claimed from 1 on.
fn stream(stored: &[(u64, u64)], through: u64) -> StreamFacts {
    StreamFacts { stored: set(stored), claimed: set(&[(1, through)]), ..StreamFacts::default() }
}

fn facts(streams: Vec<(StreamId, StreamFacts)>, known_from: Option<u64>) -> Facts {
    let queues = known_from.map(|known_from| QueueFacts { known_from }).into_iter().collect();
    let agent = AgentFacts { streams: streams.into_iter().map(|(id, facts)| (Some(id), facts)).collect(), queues };
    Facts { agents: [(AGENT.to_owned(), agent)].into(), ..Facts::default() }
}

/// The counts, which add up.
fn counts(facts: &Facts) -> Counts {
    let counts = account(facts).total;
    let Counts { accepted, stored, queued, dead, dropped, lost, .. } = counts;
    assert_eq!(accepted, stored + queued + dead + dropped + lost, "{counts:?}");
    counts
}

#[test]
fn each_reading_counts_once_and_as_stored_if_it_is() {
    let mut of_all = stream(&[(1, 60)], 100);
    of_all.given = set(&[(1, 120)]);
    of_all.queued = set(&[(51, 70), (101, 120)]);
    of_all.dead = set(&[(60, 80)]);
    of_all.gaps = set(&[(1, 10), (75, 99)]);
    let expected =
        Counts { accepted: 120, stored: 60, queued: 30, dead: 10, dropped: 19, lost: 1, ..Counts::default() };
    let facts = facts(vec![(OLD, of_all)], Some(1));
    assert_eq!(counts(&facts), expected);
    let lost = &account(&facts).agents[0].lost_ranges;
    assert_eq!(lost[..], [LostRange { stream: Some(OLD), first: 100, last: 100 }]);
}

#[test]
fn what_the_ingester_claims_is_judged_without_a_queue() {
    let found = counts(&facts(vec![(OLD, stream(&[(1, 40), (51, 90)], 100))], None));
    assert_eq!((found.accepted, found.lost, found.unknown), (100, 20, 0), "a hole and the end");
}

#[test]
fn a_floor_is_not_taken_for_a_loss() {
    // The second stream begins where the first ends, and the ingester took over its floor.
    let healthy = vec![(OLD, stream(&[(1, 100)], 100)), (NEW, stream(&[(101, 150)], 150))];
    let found = counts(&facts(healthy, None));
    assert_eq!((found.accepted, found.lost, found.unknown), (150, 0, 0));
    // An ingester that lost its file began in the middle: nobody here can say what was before.
    let found = counts(&facts(vec![(OLD, stream(&[(41, 100)], 100))], None));
    assert_eq!((found.accepted, found.lost, found.unknown), (60, 0, 40));
    // A stream of which only the floor is known.
    let found = counts(&facts(vec![(OLD, stream(&[], 100))], None));
    assert_eq!((found.accepted, found.lost, found.unknown), (0, 0, 100));
}

#[test]
fn with_the_queue_every_number_from_1_on_is_judged() {
    let mut newest = stream(&[(102, 150)], 150);
    newest.given = set(&[(101, 150)]);
    let found = facts(vec![(OLD, stream(&[(2, 99)], 99)), (NEW, newest)], Some(101));
    let [lost, unknown] = [counts(&found).lost, counts(&found).unknown];
    assert_eq!((lost, unknown), (3, 0));
    let ranges: Vec<_> = account(&found).agents[0].lost_ranges.iter().map(|r| (r.stream, r.first, r.last)).collect();
    assert_eq!(ranges, [(Some(NEW), 101, 101), (None, 1, 1), (None, 100, 100)]);
}

#[test]
fn an_old_copy_of_a_queue_gives_numbers_again() {
    // The file came back as it was when 50 was next, and its new stream goes on from there.
    let mut again = stream(&[(50, 80)], 80);
    again.given = set(&[(50, 80)]);
    let found = counts(&facts(vec![(OLD, stream(&[(1, 100)], 100)), (NEW, again)], Some(50)));
    assert_eq!((found.accepted, found.stored, found.lost, found.unknown), (131, 131, 0, 0));
}

#[test]
fn gaps_that_were_not_kept_explain_the_oldest_holes_and_no_more() {
    let mut dropping = stream(&[(1, 10), (21, 30), (41, 50)], 60);
    dropping.gaps_forgotten = 12;
    let found = counts(&facts(vec![(OLD, dropping)], None));
    assert_eq!((found.dropped, found.lost), (12, 18));
    let mut at_the_front = stream(&[(11, 20)], 20);
    (at_the_front.given, at_the_front.gaps_forgotten) = (set(&[(11, 20)]), 10);
    let found = counts(&facts(vec![(OLD, at_the_front)], Some(11)));
    assert_eq!((found.dropped, found.lost), (10, 0), "of a segment that the queue has forgotten");
}

#[test]
fn copies_fail_and_so_does_a_count_that_is_too_low() {
    let mut twice = stream(&[(1, 10)], 10);
    (twice.repeated, twice.copies) = (set(&[(3, 4)]), 5);
    let mut found = facts(vec![(OLD, twice)], None);
    let verdict = account(&found);
    assert_eq!((verdict.passed, verdict.total.duplicates), (false, 5));
    assert_eq!(verdict.agents[0].duplicate_ranges, [LostRange { stream: Some(OLD), first: 3, last: 4 }]);

    found = facts(vec![(OLD, stream(&[(1, 10)], 12))], None);
    found.counted = vec![12];
    let verdict = account(&found);
    assert_eq!((verdict.total.lost, verdict.missing), (2, 0), "it is known which they are");
    found.counted = vec![15];
    assert_eq!(account(&found).missing, 3);
    found.counted = vec![15, 15];
    assert_eq!(account(&found).missing, 0, "two ingesters may have counted the same readings");
    let healthy = Facts { counted: vec![10], ..facts(vec![(OLD, stream(&[(1, 10)], 10))], None) };
    assert!(account(&healthy).passed);
}

#[test]
fn lists_are_bounded_and_counts_are_not() {
    let every_other: Vec<(u64, u64)> = (0..1000).map(|n| (2 * n + 1, 2 * n + 1)).collect();
    let verdict = account(&facts(vec![(OLD, stream(&every_other, 1999))], None));
    assert_eq!((verdict.total.lost, verdict.agents[0].lost_ranges.len()), (999, RANGES_LISTED));
}

#[test]
fn merged_streams_may_share_numbers() {
    let mut all = stream(&[(1, 10)], 10);
    all.copies = 3;
    let mut found = facts(vec![(OLD, all)], None);
    (found.merged, found.counted) = (true, vec![13]);
    let verdict = account(&found);
    assert_eq!((verdict.by_stream, verdict.missing, verdict.total.duplicates), (false, 0, 3));
}

#[test]
fn gaps_as_long_as_somebody_liked_do_no_harm() {
    let hostile = |bits| {
        let gap = [(1, fogline_protocol::ids::SEQ_MAX)];
        (StreamId::from_bits(bits), StreamFacts { gaps: set(&gap), ..stream(&gap[..0], 1) })
    };
    let mut found = facts((0..3000).map(hostile).collect(), None);
    found.counted = vec![u64::MAX];
    let verdict = account(&found);
    assert_eq!((verdict.total.dropped, verdict.total.lost), (u64::MAX, 0));
    found.merge_streams();
    assert_eq!(account(&found).total.dropped, fogline_protocol::ids::SEQ_MAX);
}
