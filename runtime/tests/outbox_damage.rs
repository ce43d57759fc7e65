//! Damage costs the records that it hits, and no more: queues are cut off, overwritten and changed by a bit, and go on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

mod damaged;

use damaged::{Made, Queue, load_all, row_of};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::queue::{Free, QueueAnswer, QueueCommand};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, inspect, set_aside};
use proptest::prelude::*;
use std::fs;

/// What happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    /// Cut off at this part of its length.
    Cut(f64),
    /// From this part of its length on, so many bytes become this one.
    Overwrite(f64, usize, u8),
    /// The bit at this part of its length becomes the other one.
    Flip(f64),
}

impl Damage {
    /// Strikes the bytes: the first and the last one that is not as it was.
    fn strike(&self, bytes: &mut Vec<u8>) -> (usize, usize) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place"
        )]
        let place = |part: &f64, length: usize| ((part * length as f64) as usize).min(length.saturating_sub(1));
        let length = bytes.len();
        match self {
            Self::Cut(part) => {
                bytes.truncate(place(part, length));
                (place(part, length), length)
            }
            Self::Overwrite(part, count, with) => {
                let at = place(part, length);
                let end = (at + count).min(length);
                bytes[at..end].fill(*with);
                (at, end)
            }
            Self::Flip(part) => {
                let bit = place(part, length * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                (bit / 8, bit / 8)
            }
        }
    }
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => (0.0..1.0).prop_map(Damage::Cut),
        3 => (0.0..1.0, 1_usize..8_192, any::<u8>()).prop_map(|(at, count, with)| Damage::Overwrite(at, count, with)),
        // The first page, with the header and the tables' descriptions.
        1 => (0.0..0.002, 1_usize..4_096, any::<u8>()).prop_map(|(at, count, with)| Damage::Overwrite(at, count, with)),
        3 => (0.0..1.0).prop_map(Damage::Flip),
    ]
}

/// Opens a damaged queue, and checks that all of it is accounted for.
fn goes_on(queue: &Queue, made: &Made, numbers_are_known: bool) {
    let mut outbox = Outbox::open(queue.roomy()).unwrap();
    let opened = outbox.state.clone();
    let rows = load_all(&mut outbox);
    for (seq, row) in &rows {
        assert!(made.ever.get(seq) == Some(row), "row {seq} is not what was written");
        let segment = opened.segments.iter().rev().find(|segment| segment.first <= *seq).expect("a row has a stream");
        assert_eq!(
            (segment.stream, segment.clock),
            made.origin_of(*seq),
            "row {seq} would be sent under another stream"
        );
    }
    let state = inspect(&queue.path).unwrap().state;
    let gaps = RangeSet::from_iter(state.gaps.iter().copied());
    let newest = rows.keys().next_back().copied().unwrap_or(0);
    assert!(state.next > newest, "a number would be given twice");
    assert_eq!(state.usage.readings, rows.len() as u64);
    if numbers_are_known {
        assert_eq!(state.next, made.next);
        for seq in made.gone + 1..made.next {
            assert!(
                rows.contains_key(&seq) != gaps.contains(seq) || made.told.contains(seq),
                "{seq} is nowhere, or twice"
            );
        }
        let lost = made.rows.keys().filter(|seq| **seq > made.gone && !rows.contains_key(*seq)).count() as u64;
        assert_eq!(state.usage.damaged, lost, "as many are counted as are lost");
        assert!(lost == 0 || state.usage.damaged_at.is_some());
    }
    // The agent runs on: it appends, sends and frees.
    let next = state.next;
    queue.append(&mut outbox, 99, &[row_of(7_777)]);
    let rows_after = load_all(&mut outbox);
    assert_eq!(rows_after.len(), rows.len() + 1);
    assert_eq!(rows_after.get(&next), Some(&row_of(7_777)));
    let gaps = state.gaps.clone();
    outbox.handle.send(QueueCommand::Free(Free { through: next, gaps }));
    let answer = outbox.answers.blocking_recv();
    assert!(matches!(&answer, Some(QueueAnswer::Freed(Ok((_, usage)))) if usage.readings == 0), "{answer:?}");
    outbox.handle.close().unwrap();
    let before = set_aside(&queue.path);
    let again = Outbox::open(queue.roomy()).unwrap();
    assert_eq!((again.state.next, again.state.usage.readings, again.state.gaps.len()), (next + 1, 0, 0));
    again.handle.close().unwrap();
    assert_eq!(set_aside(&queue.path), before, "what is healed is whole");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_file_costs_what_was_hit(seed in any::<u64>(), strikes in prop::collection::vec(damage(), 1..4)) {
        let queue = Queue::new();
        let made = queue.make(seed);
        let mut bytes = fs::read(&queue.path).unwrap();
        let counters = queue.page_of("counters");
        let mut known = true;
        for strike in &strikes {
            let (first, last) = strike.strike(&mut bytes);
            known &= last < counters.first || first > counters.last;
        }
        fs::write(&queue.path, &bytes).unwrap();
        goes_on(&queue, &made, known);
    }

    #[test]
    fn a_damaged_log_costs_no_number_its_reading(seed in any::<u64>(), strikes in prop::collection::vec(damage(), 1..3)) {
        let queue = Queue::new();
        let made = queue.make_and_crash(seed);
        let log = queue.beside("-wal");
        let mut bytes = fs::read(&log).unwrap();
        for strike in &strikes {
            if !bytes.is_empty() {
                strike.strike(&mut bytes);
            }
        }
        fs::write(&log, &bytes).unwrap();
        goes_on(&queue, &made, false);
    }
}

#[test]
fn each_page_alone_costs_what_is_on_it() {
    let queue = Queue::new();
    let made = queue.make(3);
    let whole = fs::read(&queue.path).unwrap();
    let counters = queue.page_of("counters");
    // All that hold no readings come first, and some that do.
    for page in 0..(whole.len() / 2_048).min(40) {
        let at = page * 2_048;
        let mut bytes = whole.clone();
        bytes[at..at + 2_048].fill(0xA5);
        fs::write(&queue.path, &bytes).unwrap();
        goes_on(&queue, &made, at != counters.first);
        let lost = inspect(&queue.path).unwrap().state.usage.damaged;
        assert!(lost <= 14, "page {page} costs {lost} readings; it has no more than 14");
        queue.clear();
        fs::write(&queue.path, &whole).unwrap();
    }
}

#[test]
fn a_bit_in_the_middle_of_the_log_does_not_cost_the_commits_after_it() {
    let queue = Queue::new();
    let made = queue.make_and_crash(21);
    let mut bytes = fs::read(queue.beside("-wal")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(queue.beside("-wal"), &bytes).unwrap();
    goes_on(&queue, &made, true);
    let lost = inspect(&queue.path).unwrap().state.usage.damaged;
    assert!(lost <= 14, "one page of the log costs {lost} readings");
}

#[test]
fn a_write_that_a_crash_cut_off_is_no_damage() {
    let queue = Queue::new();
    queue.make_and_crash(22);
    let bytes = fs::read(queue.beside("-wal")).unwrap();
    fs::write(queue.beside("-wal"), &bytes[..bytes.len() - 700]).unwrap();
    let outbox = Outbox::open(queue.roomy()).unwrap();
    assert_eq!(outbox.state.usage.damaged, 0);
    assert!(set_aside(&queue.path).is_empty());
}

#[test]
fn nothing_is_left_of_a_file_of_no_length() {
    let queue = Queue::new();
    queue.make(1);
    fs::write(&queue.path, b"").unwrap();
    let outbox = Outbox::open(queue.config()).unwrap();
    assert_eq!((outbox.state.next, outbox.state.usage.readings), (1, 0));
    assert_eq!(set_aside(&queue.path).len(), 1, "even an empty file is kept");
}

#[test]
fn odd_files_beside_the_queue_do_no_harm() {
    let queue = Queue::new();
    let made = queue.make(5);
    for suffix in [".lock", ".reserve", "-shm", ".making", ".healing", ".healing.jsonl"] {
        fs::write(queue.beside(suffix), b"what is this?").unwrap();
    }
    goes_on(&queue, &made, true);
    let readings = set_aside(&queue.path);
    assert!(readings.is_empty(), "{readings:?}");
}

#[test]
fn a_healing_that_crashed_is_done_again_and_one_that_was_done_is_finished() {
    let queue = Queue::new();
    let made = queue.make(9);
    let mut bytes = fs::read(&queue.path).unwrap();
    let length = bytes.len();
    let page = queue.page_with(&made.rows[&(made.gone + 30)]);
    bytes[page.first..=page.last].fill(0);
    fs::write(&queue.path, &bytes).unwrap();
    // Before the new file was whole.
    fs::write(queue.beside(".healing"), &bytes[..length / 3]).unwrap();
    Outbox::open(queue.config()).unwrap().handle.close().unwrap();
    let healed = inspect(&queue.path).unwrap().state;
    assert!(healed.usage.damaged > 0);
    // After it was, and before it had its name: the damaged file and its log still have it.
    fs::rename(&queue.path, queue.beside(".healed-7")).unwrap();
    fs::write(&queue.path, &bytes).unwrap();
    fs::write(queue.beside("-wal"), b"a log that belongs to the damaged file").unwrap();
    Outbox::open(queue.config()).unwrap().handle.close().unwrap();
    let finished = inspect(&queue.path).unwrap().state;
    assert_eq!((finished.next, finished.gaps, finished.usage), (made.next, healed.gaps, healed.usage));
    assert_eq!(fs::read(queue.beside(".damaged-7")).unwrap(), bytes);
    assert!(queue.beside(".damaged-7-wal").exists());
}

#[test]
fn damage_while_the_agent_runs_becomes_gaps_that_outlive_a_restart() {
    let queue = Queue::new();
    let made = queue.make(11);
    let mut outbox = Outbox::open(queue.config()).unwrap();
    let (broken, kept) = (made.gone + 20, made.gone + 21);
    let at = queue.find(&made.rows[&broken]);
    queue.overwrite(at + 40, b"8");
    let rows = load_all(&mut outbox);
    assert!(!rows.contains_key(&broken) && rows.contains_key(&kept), "one reading, and no more");
    let state = inspect(&queue.path).unwrap().state;
    assert!(state.gaps.contains(&Range::new(broken, broken)));
    assert_eq!(state.usage.damaged, 1);
    assert_eq!(state.usage.damaged_at, Some(Wall::from_us(damaged::NOW_US)));
    let aside = set_aside(&queue.path);
    let text = fs::read_to_string(&aside[0].path).unwrap();
    assert!(aside[0].readings && text.contains("\"why\":\"checksum\""), "{text}");
    assert!(text.starts_with(&format!("{{\"seq\":{broken},\"stream\":")), "{text}");
    outbox.handle.close().unwrap();
    let again = Outbox::open(queue.config()).unwrap();
    assert!(again.state.gaps.contains(&Range::new(broken, broken)), "the gap outlives a restart");
    assert_eq!(again.state.usage.damaged, 1);
}

#[test]
fn a_page_that_breaks_while_the_agent_runs_does_not_stop_the_backlog() {
    let queue = Queue::new();
    let made = queue.make(13);
    let mut outbox = Outbox::open(queue.config()).unwrap();
    queue.append(&mut outbox, 42, &[row_of(1)]);
    let page = queue.page_with(&made.rows[&(made.gone + 60)]);
    queue.overwrite(page.first, &[0xA5; 2_048]);
    let rows = load_all(&mut outbox);
    assert_eq!(rows.get(&made.next), Some(&row_of(1)), "what was in the log is there");
    let state = inspect(&queue.path).unwrap().state;
    let lost = made.rows.len() as u64 + 1 - rows.len() as u64;
    assert!((1..=14).contains(&lost), "{lost} readings of one page");
    assert_eq!(state.usage.damaged, lost);
    let gaps = RangeSet::from_iter(state.gaps.iter().copied());
    assert!(made.rows.keys().all(|seq| rows.contains_key(seq) || gaps.contains(*seq)));
    queue.append(&mut outbox, 42, &[row_of(2)]);
    assert_eq!(load_all(&mut outbox).get(&(made.next + 1)), Some(&row_of(2)), "the same numbers go on");
    outbox.handle.close().unwrap();
}
