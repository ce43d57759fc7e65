//! One that follows comes to know what the leader knows.

mod leader;

use super::super::testing::{EPOCH_US, agent, commit, decision, fold, sqlite, state, take};
use super::super::{SqliteStore, Store as _};
use super::*;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::directive::{Directive, End, Ended, Target};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::rng::Rng;
use fogline_protocol::store::{
    AgentStatus, AverageRow, Bills, Clarification, Commit, DecisionRecord, DecisionRow, Departure, Fate, Fold, Latest,
    Owner, Progress, ProgressRow, Recovered, Rows, StatusRow, Stay, StreamProgress, Unclear,
};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, STORED_WIDTHS_S, Scope};
use fogline_protocol::wire::{Outcome, Status};
use leader::Leader;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Small, so that there are many.
const SMALL_PAGE_BYTES: usize = 700;

/// As it comes over the wire.
fn said(rows: &Rows) -> Rows {
    serde_json::from_str(&serde_json::to_string(rows).unwrap()).unwrap()
}

fn pages(state: &StateDb, bytes: usize) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page.next.as_deref());
        pages.push(page::read(&state.connection, after, bytes).unwrap());
        if pages.last().unwrap().next.is_none() {
            return pages;
        }
    }
}

/// All rows as texts in an order of their own, and what is not in rows.
fn known(store: &mut SqliteStore) -> Vec<String> {
    let mut known = Vec::new();
    for Rows {
        term: _,
        progress,
        averages,
        decisions,
        directives,
        statuses,
        latest,
        stays,
        clarifications,
        plate_key,
    } in pages(store.state(), 1 << 20).into_iter().map(|page| page.rows)
    {
        known.extend(progress.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(averages.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(decisions.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(directives.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(statuses.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(latest.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(stays.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(clarifications.iter().map(|row| serde_json::to_string(row).unwrap()));
        known.extend(plate_key);
    }
    let mut statement =
        store.state().connection.prepare("SELECT a.name, s.bits, s.lost FROM stream s JOIN agent a ON a.id = s.agent");
    let lost = statement.as_mut().unwrap().query_map([], |row| {
        Ok(format!("{} {} {}", row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    });
    known.extend(lost.unwrap().map(Result::unwrap));
    known.sort();
    known
}

fn recovered(store: &mut SqliteStore) -> (Vec<DecisionRecord>, Vec<String>) {
    let Recovered { mut decisions, open_windows, .. } = store.take_over(take(77)).unwrap();
    decisions.sort_by_key(|record| (record.agent.clone(), record.decision.key.clone(), record.decision.seq));
    let mut windows: Vec<String> = open_windows.iter().map(|window| format!("{window:?}")).collect();
    windows.sort();
    (decisions, windows)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn pages_and_what_is_said_between_them_make_the_same_state(seed: u64) {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut leader = Leader::new(sqlite(&here), seed);
        let mut follower = SqliteStore::new(state(&there));
        for _ in 0..leader.pick(40) {
            leader.step();
        }
        let mut after = None;
        loop {
            let page = page::read(&leader.store.state().connection, after.as_deref(), SMALL_PAGE_BYTES).unwrap();
            follower.adopt(&said(&page.rows)).unwrap();
            for _ in 0..leader.pick(3) {
                let commit = leader.step();
                let rows = leader.named(&commit);
                follower.adopt(&said(&rows)).unwrap();
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        prop_assert_eq!(known(&mut leader.store), known(&mut follower));
        prop_assert_eq!(recovered(&mut leader.store), recovered(&mut follower));
    }
}

#[test]
fn what_is_adopted_twice_is_there_once_and_the_run_stays() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut leader = Leader::new(sqlite(&here), 5);
    (0..30).for_each(|_| drop(leader.step()));
    let mut follower = SqliteStore::new(state(&there));
    follower.take_over(take(9)).unwrap();
    let own = Commit { run: 9, ..commit(9, 4, 3) };
    let done = follower.commit(&own);
    let pages = pages(leader.store.state(), PAGE_BYTES);
    pages.iter().for_each(|page| follower.adopt(&page.rows).unwrap());
    let once = known(&mut follower);
    pages.iter().for_each(|page| follower.adopt(&page.rows).unwrap());
    assert_eq!(known(&mut follower), once);
    assert_eq!(follower.commit(&own), done, "its last commit is known again");
    let high = Rows { term: 40, ..Rows::default() };
    [high, Rows::default()].iter().for_each(|rows| follower.adopt(rows).unwrap());
    assert_eq!(follower.commit(&own), done);
    assert_eq!(follower.take_over(take(10)).unwrap().term, 41, "above the terms that it has heard of");
}

#[test]
fn pages_are_small_and_together_they_are_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut leader = sqlite(&dir);
    let mut all = commit(1, 1, 3);
    all.folds = (0..2000).map(|n| fold(EPOCH_US + n * 5_000_000, &[1.0 / 3.0])).collect();
    all.progress[0].new_gaps = (1..=1500).map(|n| Range::new(1_000_000_000 + 2 * n, 1_000_000_000 + 2 * n)).collect();
    all.decisions = (1..100).map(|seq| decision(&format!("r{seq}"), seq)).collect();
    leader.commit(&all).unwrap();
    let pages = pages(leader.state(), PAGE_BYTES);
    let bytes: Vec<usize> = pages.iter().map(|page| serde_json::to_string(&page.rows).unwrap().len()).collect();
    assert!(bytes.iter().all(|bytes| *bytes < PAGE_BYTES + 200), "{bytes:?}");
    let (_, whole) = bytes.split_last().unwrap();
    assert!(whole.iter().all(|bytes| *bytes > PAGE_BYTES * 3 / 5), "{bytes:?}");
    let gaps: usize = pages.iter().flat_map(|page| &page.rows.progress).map(|row| row.gaps.len()).sum();
    let averages: usize = pages.iter().map(|page| page.rows.averages.len()).sum();
    let decisions: usize = pages.iter().map(|page| page.rows.decisions.len()).sum();
    assert_eq!((gaps, averages, decisions), (1500, 2000, 99));
    let streams = vec![(agent("north", "r1"), StreamId::from_bits(7))];
    let named = leader.export(&Export::Named { streams, windows: all.folds }).unwrap().rows;
    assert_eq!((named.progress[0].gaps.len(), named.averages.len()), (GAPS_NAMED_MAX, 2000));
}

#[test]
fn a_place_that_nobody_wrote_is_the_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let mut leader = sqlite(&dir);
    leader.commit(&commit(1, 1, 3)).unwrap();
    let first = leader.export(&Export::Page { after: None }).unwrap();
    assert_eq!(leader.export(&Export::Page { after: Some("averages:x".into()) }).unwrap(), first);
    let past = Export::Page { after: Some("averages:9223372036854775807/0/0".into()) };
    let nothing = leader.export(&past).unwrap();
    assert_eq!((nothing.rows.len(), nothing.rows.term, nothing.next), (0, 3, None));
}

#[test]
fn averages_of_unknown_use_cases_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut follower = sqlite(&dir);
    let mut tide = AverageRow::new(&fold(EPOCH_US, &[1.0]));
    let mut depth = tide.clone();
    tide.kind = "tide".into();
    depth.field = "depth_m".into();
    follower
        .adopt(&Rows { averages: vec![tide, AverageRow::new(&fold(EPOCH_US, &[2.0])), depth], ..Rows::default() })
        .unwrap();
    assert_eq!(super::super::testing::count(&dir, "aggregate"), 1);
}

#[test]
fn of_a_register_the_newest_is_outstanding_in_whatever_order_they_come() {
    let dir = tempfile::tempdir().unwrap();
    let mut follower = sqlite(&dir);
    let (old, new) = (decision("r1", 1), decision("r1", 2));
    for record in [&old, &new, &old] {
        follower.adopt(&Rows { decisions: vec![DecisionRow::new(record)], ..Rows::default() }).unwrap();
    }
    assert_eq!(follower.take_over(take(2)).unwrap().decisions, std::slice::from_ref(&new));
    for seq in 3..1200 {
        let mut next = decision("r1", seq);
        next.fate = Fate::Expired;
        follower.adopt(&Rows { decisions: vec![DecisionRow::new(&next)], ..Rows::default() }).unwrap();
    }
    assert!(super::super::testing::count(&dir, "decision") <= super::super::DECISIONS_KEPT + 1);
}

#[test]
fn what_is_in_force_is_the_newest_also_when_an_older_one_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut follower = sqlite(&dir);
    let applied = |seq| DecisionRecord { fate: Fate::Acknowledged(Outcome::Applied), ..decision("r1", seq) };
    for seq in [2, 1] {
        follower.adopt(&Rows { decisions: vec![DecisionRow::new(&applied(seq))], ..Rows::default() }).unwrap();
    }
    assert_eq!(follower.take_over(take(2)).unwrap().decisions, [applied(2)]);
}

#[test]
fn names_are_right_after_rows_that_could_not_be_adopted() {
    let dir = tempfile::tempdir().unwrap();
    let mut follower = sqlite(&dir);
    let row = |name: &str, through| {
        let progress = Progress { through, ranges: vec![] };
        ProgressRow::new(&agent("north", name), StreamId::from_bits(1), progress, vec![])
    };
    let bad = Rows { progress: vec![row("r1", 1), row("r2", 2)], ..Rows::default() };
    follower
        .state()
        .connection
        .execute_batch(
            "CREATE TEMP TRIGGER no BEFORE UPDATE ON stream WHEN new.through = 2 BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        .unwrap();
    assert!(matches!(follower.adopt(&bad), Err(StoreFault::Operator(_))));
    follower.adopt(&Rows { progress: vec![row("r3", 3)], ..Rows::default() }).unwrap();
    follower.adopt(&Rows { progress: vec![row("r1", 4)], ..Rows::default() }).unwrap();
    let through = |follower: &mut SqliteStore, name| {
        follower.recall(&agent("north", name), StreamId::from_bits(1)).unwrap().map(|progress| progress.through)
    };
    assert_eq!(["r1", "r2", "r3"].map(|name| through(&mut follower, name)), [Some(4), None, Some(3)]);
}
