//! Gathering, clocks and commits.

use super::*;
use crate::clock::{BootId, SET_FROM, UnsetClock};
use crate::node::ClockConfig;
use crate::reading::Value;

const BOOT: BootId = BootId::from_bits(7);

fn readings(times: &[i64]) -> Readings {
    let mut readings = Readings::new();
    for us in times {
        readings.push(Wall::from_us(*us), "s", "road", &[("speed_kmh", Value::Number(1.0))]).unwrap();
    }
    readings
}

/// A clock that is set.
fn set() -> ClockWatch {
    ClockWatch::new(ClockConfig::new(BOOT), Now { mono: Monotonic::ZERO, wall: SET_FROM })
}

fn now(ms: u64) -> Now {
    Now { mono: Monotonic::from_us(ms * 1000), wall: Wall::MIN }
}

fn times(append: &Append) -> Vec<(Option<u16>, Vec<i64>)> {
    let part = |p: &AppendPart| (p.segment.map(|head| head.clock), p.rows.iter().map(|(ts, _)| ts.us()).collect());
    append.parts.iter().map(part).collect()
}

#[test]
fn equal_times_are_moved_and_backward_steps_begin_a_clock() {
    let mut batching = Batching::new(1, Some(998), Duration::ZERO);
    batching.add(1, readings(&[5, 5, 5, 6, 100, 50, 60]), None, &set());
    let append = batching.poll_append(now(0)).unwrap();
    assert_eq!(times(&append), vec![(Some(999), vec![5, 6, 7, 8, 100]), (Some(0), vec![50, 60])]);
    assert_eq!(batching.moved_times(), 3);
    let text = append.parts[0].rows.iter().nth(1).map(|(_, json)| String::from_utf8_lossy(json).into_owned());
    assert!(text.unwrap().starts_with("{\"ts_us\":6,"), "the moved time is the one that is written");
}

#[test]
fn at_the_end_of_time_a_clock_begins() {
    let end = Wall::MAX.us();
    let mut batching = Batching::new(1, Some(7), Duration::ZERO);
    batching.add(1, readings(&[end, end]), None, &set());
    assert_eq!(times(&batching.poll_append(now(0)).unwrap()), vec![(Some(8), vec![end]), (Some(9), vec![end])]);
}

#[test]
fn a_first_reading_is_committed_at_once_and_the_next_ones_together() {
    let mut batching = Batching::new(1, None, Duration::from_millis(50));
    batching.add(1, readings(&[1]), None, &set());
    assert!(batching.poll_append(now(0)).is_some());
    batching.add(2, readings(&[2]), None, &set());
    assert!(batching.poll_append(now(1)).is_none(), "one commit at a time");
    assert_eq!(batching.appended(now(2).mono).tickets, [1]);
    assert!(batching.poll_append(now(2)).is_none(), "gathering");
    assert_eq!(batching.poll_timeout(), Some(now(50).mono));
    batching.add(3, readings(&[3]), None, &set());
    assert_eq!(times(&batching.poll_append(now(50)).unwrap()), vec![(None, vec![2, 3])]);
    assert_eq!(batching.appended(now(90).mono).tickets, [2, 3]);
    batching.add(4, readings(&[4]), None, &set());
    assert_eq!(batching.poll_timeout(), Some(now(210).mono), "a commit of 40 ms is followed by a rest of 120 ms");
}

#[test]
fn a_failed_append_is_asked_for_again() {
    let mut batching = Batching::new(1, None, Duration::ZERO);
    batching.add(1, readings(&[1]), None, &set());
    let append = batching.poll_append(now(0)).unwrap();
    batching.failed(now(1000).mono);
    assert!(batching.poll_append(now(999)).is_none());
    assert_eq!(batching.poll_append(now(1000)), Some(append));
    assert!(batching.poll_append(now(1001)).is_none());
}

#[test]
fn a_full_buffer_makes_sources_wait() {
    let mut batching = Batching::new(1, None, Duration::from_secs(9));
    batching.due = Some(now(9000).mono);
    batching.add(1, readings(&(0..8192).collect::<Vec<_>>()), None, &set());
    assert!(!batching.has_room());
    assert!(batching.poll_append(now(1)).is_some(), "a full buffer does not wait for its time");
    assert!(batching.has_room());
}

fn stamps(append: &Append) -> Vec<(Option<Stamps>, Vec<i64>)> {
    let part = |p: &AppendPart| (p.segment.map(|head| head.stamps), p.rows.iter().map(|(ts, _)| ts.us()).collect());
    append.parts.iter().map(part).collect()
}

#[test]
fn times_of_a_clock_that_is_not_set_are_in_a_segment_of_their_own() {
    const S: i64 = 1_000_000;
    let at = |mono_s: u64, wall_us| Now { mono: Monotonic::from_us(mono_s * 1_000_000), wall: Wall::from_us(wall_us) };
    let mut watch = ClockWatch::new(ClockConfig::new(BOOT), at(10, 70 * S));
    let mut batching = Batching::new(1, Some(4), Duration::ZERO);
    batching.add(1, readings(&[69 * S, 70 * S]), None, &watch);
    // What a file says is no time of this clock; it does not begin a segment of its own either.
    batching.add(2, readings(&[1_577_145_601 * S]), None, &watch);
    let set = SET_FROM.us() + 5 * S;
    watch.look(at(12, set));
    batching.add(3, readings(&[71 * S]), None, &watch);
    batching.add(4, readings(&[set]), None, &watch);
    let open = Some(Stamps::Open(UnsetClock { boot: BOOT, began_us: 60 * S }));
    let expected = vec![
        (open, vec![69 * S, 70 * S]),
        (open, vec![1_577_145_601 * S]),
        (open, vec![71 * S]),
        (Some(Stamps::Given), vec![set]),
    ];
    let append = batching.poll_append(now(0)).unwrap();
    assert_eq!(stamps(&append), expected, "a late one is of the clock that gave it");
    let clocks: Vec<_> = append.parts.iter().filter_map(|part| part.segment).map(|head| head.clock).collect();
    assert_eq!(clocks, [5, 6, 7, 8], "moved, no two are the same point");
}

#[test]
fn a_file_is_not_held_back_by_a_clock_that_is_not_set() {
    let unset = Now { mono: Monotonic::ZERO, wall: Wall::from_us(60) };
    let watch = ClockWatch::new(ClockConfig::new(BOOT), unset);
    let mut batching = Batching::new(1, Some(4), Duration::ZERO);
    batching.add(1, readings(&[1_577_145_601_000_000]), None, &watch);
    let expected = vec![(Some(Stamps::Given), vec![1_577_145_601_000_000])];
    assert_eq!(stamps(&batching.poll_append(now(0)).unwrap()), expected);
}
