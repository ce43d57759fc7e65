use super::super::query::StoreReader;
use super::super::testing::{agent, count, shared, sqlite, state, take as take_over};
use super::super::{NullStore, Store};
use super::*;
use fogline_protocol::clock::TimeFlag;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::StreamId;
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, CommitReport};
use fogline_protocol::time::Wall;
use std::collections::BTreeMap;
use std::sync::Arc;
use tempfile::TempDir;

const EPOCH_US: i64 = super::super::testing::EPOCH_US;
const WINDOW_US: i64 = 5_000_000;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn node(id: &str, u: u32, v: u32) -> EdgeNode {
    EdgeNode { id: name(id), host: "127.0.0.1".to_owned(), ports: BTreeMap::from([("http".to_owned(), 80)]), u, v }
}

fn average(id: &str, window: i64) -> Aggregate {
    let from_us = EPOCH_US + window * WINDOW_US;
    let to_us = from_us + WINDOW_US;
    Aggregate { id: name(id), ts_us: to_us, from_us, to_us, mean_ugm3: 20.0, n: 3 }
}

/// The averages as readings of a coordinator.
fn commit_of(id: u64, averages: &[Aggregate], time: Option<TimeFlag>) -> Commit {
    let mut readings = Readings::new();
    for average in averages {
        let from_us = u32::try_from(average.from_us / 1_000_000).map(f64::from).unwrap() * 1e6;
        let fields = [
            ("pm10_ugm3", Value::Number(average.mean_ugm3)),
            ("n", Value::Number(3.0)),
            ("from_us", Value::Number(from_us)),
        ];
        readings.push(Wall::from_us(average.to_us), average.id.as_str(), "city", &fields).unwrap();
    }
    let last = u64::try_from(averages.len()).unwrap();
    let points = Points {
        agent: agent("north", "node-1"),
        stream: StreamId::from_bits(7),
        clock: 0,
        time,
        first: 1,
        readings: Arc::new(readings),
        fresh: vec![Range::new(1, last)],
    };
    Commit { run: 1, id, points: vec![points], ..Commit::default() }
}

fn latest(dir: &TempDir, id: &str, n: u32) -> Vec<Aggregate> {
    StoreReader::open(&dir.path().join("fogline.db")).unwrap().city_latest(&name(id), n).unwrap()
}

#[test]
fn averages_come_with_the_points_of_a_commit_and_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = sqlite(&dir);
    let averages = [average("node-1", 0), average("global", 0), average("node-1", 1)];
    assert_eq!(store.commit(&commit_of(1, &averages, None)), Ok(CommitReport { stored: 3, dead: 0 }));
    assert_eq!(latest(&dir, "node-1", 9), [average("node-1", 1), average("node-1", 0)], "the newest first");
    assert_eq!(latest(&dir, "node-1", 1), [average("node-1", 1)]);
    assert_eq!(latest(&dir, "global", 9), [average("global", 0)]);
    store.commit(&commit_of(2, &averages, None)).unwrap();
    assert_eq!(store.state().add_city_average(1, &average("global", 0)), Ok(true));
    assert_eq!((count(&dir, "reading"), count(&dir, "city_measurement")), (6, 3), "by both ways");
}

#[test]
fn they_are_taken_whatever_becomes_of_the_points() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = state(&dir);
    state.take_over(take_over(1)).unwrap();
    NullStore::new(state).commit(&commit_of(1, &[average("node-1", 0)], None)).unwrap();
    assert_eq!(latest(&dir, "node-1", 9), [average("node-1", 0)]);
}

#[test]
fn a_commit_that_fails_leaves_none() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = sqlite(&dir);
    store.state().connection.pragma_update_and_check(None, "max_page_count", 1, |_| Ok(())).unwrap();
    let many: Vec<Aggregate> = (0..900).map(|window| average("node-1", window)).collect();
    assert!(store.commit(&commit_of(1, &many, None)).is_err());
    assert_eq!((count(&dir, "reading"), count(&dir, "city_measurement")), (0, 0));
}

#[test]
fn times_that_no_set_clock_gave_are_no_windows() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = sqlite(&dir);
    let ahead = (now_us() - EPOCH_US + 125_000_000) / WINDOW_US;
    for (id, flag) in [(1, TimeFlag::Unset), (2, TimeFlag::Restamped)] {
        store.commit(&commit_of(id, &[average("node-1", 0)], Some(flag))).unwrap();
    }
    store.commit(&commit_of(3, &[average("node-1", ahead)], None)).unwrap();
    assert_eq!(store.state().add_city_average(1, &average("node-1", ahead)), Ok(false));
    assert_eq!((count(&dir, "reading"), count(&dir, "city_measurement")), (3, 0));
}

#[test]
fn the_newest_of_each_id_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = sqlite(&dir);
    let kept = i64::from(CITY_KEPT);
    let all: Vec<Aggregate> = (0..kept + 7).map(|window| average("node-1", window)).collect();
    store.commit(&commit_of(1, &all, None)).unwrap();
    store.commit(&commit_of(2, &[average("node-2", 0)], None)).unwrap();
    assert_eq!(count(&dir, "city_measurement"), kept + 1);
    assert_eq!(latest(&dir, "node-1", CITY_KEPT).last(), Some(&average("node-1", 7)));
    store.state().add_city_average(1, &average("node-1", kept + 7)).unwrap();
    store.state().add_city_average(1, &average("node-1", 0)).unwrap();
    assert_eq!(latest(&dir, "node-1", CITY_KEPT).last(), Some(&average("node-1", 8)));
    assert_eq!(count(&dir, "city_measurement"), kept + 1);
}

#[test]
fn the_longest_silent_id_is_forgotten_but_no_node_that_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = sqlite(&dir);
    assert!(matches!(store.state().add_city_node(1, &node("there", 1, 1)), Ok(Ok(_))));
    let ids = (1..i64::from(CITY_IDS_KEPT) - 1).map(|number| average(&format!("left-{number}"), number));
    let all: Vec<Aggregate> = [average("global", 0), average("there", 0)].into_iter().chain(ids).collect();
    store.commit(&commit_of(1, &all, None)).unwrap();
    assert_eq!(count(&dir, "city_measurement"), i64::from(CITY_IDS_KEPT));
    for window in 1000..1002 {
        store.state().add_city_average(1, &average(&format!("new-{window}"), window)).unwrap();
    }
    assert_eq!(count(&dir, "city_measurement"), i64::from(CITY_IDS_KEPT));
    for (id, is_kept) in [("global", true), ("there", true), ("left-1", false), ("left-2", false), ("left-3", true)] {
        assert_eq!(latest(&dir, id, 9).len(), usize::from(is_kept), "{id}");
    }
}

#[test]
fn nodes_and_the_token_outlive_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = state(&dir);
    first.take_over(take_over(1)).unwrap();
    let (a, b) = (node("a", 10, 10), node("b", 50, 50));
    assert_eq!(first.add_city_node(1, &b), Ok(Ok(vec![b.clone()])));
    assert_eq!(first.add_city_node(1, &a), Ok(Ok(vec![a.clone(), b.clone()])));
    assert_eq!(first.add_city_node(1, &a), Ok(Err(NodeError::Taken("a".to_owned()))));
    let close = NodeError::TooClose { other: "a".to_owned(), distance: 19 };
    assert_eq!(first.add_city_node(1, &node("c", 29, 10)), Ok(Err(close)));
    assert_eq!(first.city_token(1, "drawn first"), Ok("drawn first".to_owned()));
    drop(first);
    let mut again = state(&dir);
    assert_eq!(again.city_token(1, "drawn again"), Ok("drawn first".to_owned()));
    let reader = StoreReader::open(&dir.path().join("fogline.db")).unwrap();
    assert_eq!(reader.city_nodes().unwrap(), [a, b.clone()]);
    assert_eq!(reader.city_token().unwrap().as_deref(), Some("drawn first"));
    assert_eq!((again.remove_city_node(1, &name("a")), again.remove_city_node(1, &name("a"))), (Ok(true), Ok(false)));
    assert_eq!(reader.city_nodes().unwrap(), [b]);
}

#[test]
fn of_two_that_share_a_file_the_one_that_leads_changes_it() {
    let dir = tempfile::tempdir().unwrap();
    let (mut one, mut other) = (shared(&dir), shared(&dir));
    one.take_over(take_over(1)).unwrap();
    assert_eq!(one.city_token(1, "first"), Ok("first".to_owned()));
    other.take_over(take_over(2)).unwrap();
    assert_eq!(one.add_city_node(1, &node("a", 1, 1)), Err(StoreFault::Deposed));
    assert_eq!(one.remove_city_node(1, &name("a")), Err(StoreFault::Deposed));
    assert_eq!(one.add_city_average(1, &average("a", 1)), Err(StoreFault::Deposed));
    assert_eq!(one.city_token(1, "again"), Err(StoreFault::Deposed));
    assert_eq!(other.city_token(2, "second"), Ok("first".to_owned()));
    assert!(matches!(other.add_city_node(2, &node("a", 1, 1)), Ok(Ok(nodes)) if nodes.len() == 1));
    assert_eq!((count(&dir, "city_node"), count(&dir, "city_measurement")), (1, 0));
}
