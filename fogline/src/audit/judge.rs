//! What the facts mean.

use super::account::{Account, AgentAccount, Counts, LostRange, RANGES_LISTED};
use super::facts::{AgentFacts, Facts, StreamFacts};
use super::sets::{add, minus, take, take_lowest};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::StreamId;

/// The account that follows from the facts.
pub(super) fn account(facts: &Facts) -> Account {
    let agents: Vec<AgentAccount> = facts.agents.iter().map(|(name, facts)| of_agent(name, facts)).collect();
    let mut total = Counts::default();
    agents.iter().for_each(|agent| total.add(&agent.counts));
    let missing = missing(facts, &total);
    Account {
        passed: total.lost == 0 && total.duplicates == 0 && missing == 0,
        by_stream: !facts.merged,
        total,
        missing,
        dead_letters_deleted: facts.letters_deleted,
        agents,
    }
}

/// What the ingester has counted as stored and nobody can name. Two ingesters may both have counted the same reading: then
/// their counts say nothing. What is judged lost is missing from the database too, and is not told twice.
fn missing(facts: &Facts, total: &Counts) -> u64 {
    match *facts.counted {
        // Merged, two streams may have the same numbers: the second of each looks like a copy.
        [counted] => {
            let stored = total.stored.saturating_add(if facts.merged { total.duplicates } else { 0 });
            counted.saturating_sub(stored).saturating_sub(total.lost)
        }
        _ => 0,
    }
}

fn of_agent(name: &str, facts: &AgentFacts) -> AgentAccount {
    let mut account = AgentAccount {
        agent: name.to_owned(),
        counts: Counts::default(),
        streams: facts.streams.len() as u64,
        queues: facts.queues.len() as u64,
        lost_ranges: Vec::new(),
        duplicate_ranges: Vec::new(),
        unknown_ranges: Vec::new(),
    };
    let (mut accepted, mut gaps_left) = (RangeSet::new(), 0);
    for (stream, facts) in &facts.streams {
        let verdict = of_stream(facts);
        account.counts.add(&verdict.counts);
        list(&mut account.lost_ranges, *stream, &verdict.lost);
        list(&mut account.duplicate_ranges, *stream, &facts.repeated);
        add(&mut accepted, &verdict.accepted);
        gaps_left = verdict.gaps_left.saturating_add(gaps_left);
    }
    judge_forgotten_streams(facts, gaps_left, &mut accepted, &mut account);
    judge_unknown(facts, &accepted, &mut account);
    account
}

/// What is known of a stream in the end.
struct Verdict {
    counts: Counts,
    accepted: RangeSet,
    lost: RangeSet,
    /// Numbers in gaps that were not kept, and were not needed to explain what is missing.
    gaps_left: u64,
}

fn of_stream(facts: &StreamFacts) -> Verdict {
    let accepted = accepted(facts);
    let mut rest = accepted.clone();
    let stored = take(&mut rest, &facts.stored);
    let queued = take(&mut rest, &facts.queued);
    let dead = take(&mut rest, &facts.dead);
    let in_gaps = take(&mut rest, &facts.gaps);
    // The oldest gaps are the ones that are not kept.
    let explained = take_lowest(&mut rest, facts.gaps_forgotten);
    let counts = Counts {
        accepted: accepted.count(),
        stored,
        queued,
        dead,
        dropped: in_gaps + explained,
        lost: rest.count(),
        duplicates: facts.copies,
        unknown: 0,
    };
    Verdict { counts, accepted, lost: rest, gaps_left: facts.gaps_forgotten - explained }
}

/// The numbers that the stream is known to have had: all that were met anywhere, and what the ingester claims above the
/// lowest of these. Below it, the claim may be no more than the floor that it took over.
fn accepted(facts: &StreamFacts) -> RangeSet {
    let mut met = facts.given.clone();
    [&facts.stored, &facts.queued, &facts.dead, &facts.gaps].into_iter().for_each(|set| add(&mut met, set));
    let Some(lowest) = met.first() else { return met };
    let mut claimed = facts.claimed.clone();
    claimed.remove_through(lowest.saturating_sub(1));
    add(&mut met, &claimed);
    met
}

/// A queue file has given all numbers from 1 on. Those of streams that it has forgotten must be known of some stream of the
/// agent: they had been acknowledged before the file forgot it.
fn judge_forgotten_streams(facts: &AgentFacts, gaps_left: u64, accepted: &mut RangeSet, account: &mut AgentAccount) {
    let given: RangeSet = facts.queues.iter().map(|queue| Range::new(1, queue.known_from.saturating_sub(1))).collect();
    let mut rest = minus(&given, accepted);
    account.counts.accepted = account.counts.accepted.saturating_add(rest.count());
    add(accepted, &rest);
    account.counts.dropped = account.counts.dropped.saturating_add(take_lowest(&mut rest, gaps_left));
    account.counts.lost = account.counts.lost.saturating_add(rest.count());
    list(&mut account.lost_ranges, None, &rest);
}

/// Numbers below those that are known: perhaps never given by any queue, perhaps lost.
fn judge_unknown(facts: &AgentFacts, accepted: &RangeSet, account: &mut AgentAccount) {
    let claimed = facts.streams.values().filter_map(|stream| stream.claimed.last());
    let Some(last) = claimed.chain(accepted.last()).max() else { return };
    let unknown = accepted.missing(Range::new(1, last));
    account.counts.unknown = unknown.iter().map(|range| range.count()).sum();
    account.unknown_ranges = unknown.into_iter().take(RANGES_LISTED).collect();
}

fn list(ranges: &mut Vec<LostRange>, stream: Option<StreamId>, set: &RangeSet) {
    let room = RANGES_LISTED - ranges.len();
    ranges.extend(set.iter().take(room).map(|range| LostRange { stream, first: range.first, last: range.last }));
}

#[cfg(test)]
mod tests;
