//! The node alone: hundreds of thousands of messages, and what it keeps is counted.

use fogline_protocol::delivery::STREAMS_MAX;
use fogline_protocol::ids::{Name, StreamId, Term};
use fogline_protocol::topic::{Topic, Up};
use fogline_protocol::wire::{BatchHeader, Hello, Message as _, OpenStream};
use fogline_tests::hostile::{Attacker, Desk, Expected, Fate, Good, Mood, id, topic};
use fogline_tests::real::resident_bytes;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The tests take turns: some of them watch the memory of the process.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const MEMORY: u64 = 8 << 20;
const MIB: u64 = 1 << 20;
/// A stream of an agent that means harm.
const EVIL: StreamId = StreamId::from_bits(9);
/// One word of the good agent for so many of the others.
const GOOD_EVERY: u64 = 50;
/// What may be asked of the store for one agent, a commit beside.
const RECALLS_MAX: usize = 2 * STREAMS_MAX;

/// Nothing that the node keeps is beyond its bound.
fn check_bounds(desk: &Desk) {
    let snapshot = desk.node.snapshot();
    assert!(snapshot.held_bytes <= MEMORY, "{} bytes are held", snapshot.held_bytes);
    assert!(snapshot.agents < 40, "{} agents", snapshot.agents);
    for (agent, streams) in desk.node.agents() {
        assert!(streams <= 2 * STREAMS_MAX, "{agent}: {streams} streams");
    }
    let most = snapshot.agents * RECALLS_MAX + 1;
    assert!(desk.asked() <= most, "{} things asked of the store, for {} agents", desk.asked(), snapshot.agents);
}

fn flood(desk: &mut Desk, good: &mut Good, attacker: &mut Attacker, expected: &mut Expected, messages: u64) {
    for sent in 0..messages {
        let message = attacker.next(&[]);
        expected.sent(message.fate);
        desk.hear(message.topic, message.payload);
        if sent % GOOD_EVERY == 0 {
            good.speak(desk);
            expected.sent(Fate::Taken("readings"));
        }
        if sent % 1000 == 0 {
            check_bounds(desk);
        }
    }
}

#[test]
fn each_message_is_counted_with_its_reason_and_harms_nobody() {
    let _turn = turn();
    for seed in 1..=4 {
        let (mut desk, mut good) = (Desk::new(MEMORY), Good::new("good"));
        let mut expected = Expected::default();
        flood(&mut desk, &mut good, &mut Attacker::new(seed, 0xfeed), &mut expected, 50_000);
        desk.settle();
        let problems = expected.problems(&desk.counts());
        assert!(problems.is_empty(), "seed {seed}: {problems:#?}");
        assert_eq!(good.acknowledged(&desk), good.said, "each of its batches was new, and is stored");
        let counters = desk.node.snapshot().counters;
        assert_eq!(counters.messages, expected.sent);
        assert!(counters.terms_ignored > 0 && counters.answers_ignored > 0, "{counters:?}");
        assert_eq!(desk.node.term().counter, 1, "no term was believed");
        assert!(counters.last_refusal.is_some_and(|text| text.len() < 1000));
    }
}

/// What the store does not answer must not pile up, in whatever form.
fn nothing_grows(mood: Mood) {
    let (mut desk, mut good) = (Desk::new(MEMORY), Good::new("good"));
    let (mut attacker, mut expected) = (Attacker::new(7, 0xfeed), Expected::default());
    desk.hear(topic("evil-gaps", Up::Readings), batch(EVIL, 1, 1));
    flood(&mut desk, &mut good, &mut attacker, &mut expected, 5_000);
    desk.mood = mood;
    flood(&mut desk, &mut good, &mut attacker, &mut expected, 100_000);
    let before = resident_bytes(std::process::id());
    flood(&mut desk, &mut good, &mut attacker, &mut expected, 200_000);
    gaps_without_end(&mut desk, 100_000);
    let grown = resident_bytes(std::process::id()).saturating_sub(before);
    assert!(grown < 24 * MIB, "{} MiB more", grown / MIB);
    check_bounds(&desk);

    desk.mood = Mood::Works;
    desk.settle();
    let before = good.acknowledged(&desk);
    good.speak(&mut desk);
    desk.settle();
    assert_eq!(good.acknowledged(&desk), before + 1, "life goes on");
}

#[test]
fn a_store_that_hangs_makes_nothing_grow() {
    let _turn = turn();
    nothing_grows(Mood::Hangs);
}

#[test]
fn a_store_that_fails_makes_nothing_grow() {
    let _turn = turn();
    nothing_grows(Mood::Fails);
}

/// Thirty-two gaps in each hello, new ones each time, in one stream whose floor rises with them.
fn gaps_without_end(desk: &mut Desk, messages: u64) {
    for message in 0..messages {
        let floor = message * 100 + 1;
        let gaps = (0..32).map(|n| (floor + 2 * n + 2, floor + 2 * n + 2).into()).collect();
        let open = OpenStream { stream: EVIL, floor, next: floor + 99, gaps };
        let hello = Hello { hello: message, agent_version: "6".to_owned(), term: None, streams: vec![open] };
        desk.hear(topic("evil-gaps", Up::Hello), hello.encode());
    }
}

/// A batch of so many short readings.
fn batch(stream: StreamId, first: u64, readings: usize) -> Vec<u8> {
    let reading = r#"{"ts_us":1,"sensor":"a","kind":"power","fields":{"c":1}}"#;
    let header = BatchHeader { stream, floor: 1, first, gaps: vec![], clock: 0, time: None };
    header.encode(vec![reading; readings].join(",").as_bytes())
}

#[test]
fn one_that_ignores_its_credit_shuts_out_nobody() {
    let _turn = turn();
    let (mut desk, mut good) = (Desk::new(MEMORY), Good::new("good"));
    good.speak(&mut desk);
    desk.mood = Mood::Hangs;
    // Large ones until no more is taken, and then small ones into what is left.
    (0..1_000).for_each(|n| desk.hear(topic("evil-greedy", Up::Readings), batch(EVIL, 1 + n * 700, 700)));
    (0..1_000).for_each(|n| desk.hear(topic("evil-greedy", Up::Readings), batch(EVIL, 1_000_001 + n, 1)));
    let refused = |desk: &Desk| desk.node.snapshot().counters.refused.get("memory").copied().unwrap_or(0);
    let before = refused(&desk);
    assert!(before > 1_000, "{before} were turned away");
    good.speak(&mut desk);
    assert_eq!(refused(&desk), before, "there is room for one that keeps to its credit");
    desk.mood = Mood::Works;
    desk.settle();
    assert_eq!(good.acknowledged(&desk), 2);
}

#[test]
fn hellos_cannot_lift_the_term_to_the_end_of_the_numbers() {
    let _turn = turn();
    let mut desk = Desk::new(MEMORY);
    for n in 0..50_000 {
        let counter = desk.node.term().counter + (1 << 20) - 1;
        let term = Some(Term { counter, ingester: Name::new("ingest-1").unwrap() });
        let hello = Hello { hello: n, agent_version: "6".to_owned(), term, streams: Vec::new() };
        desk.hear(topic("evil-term", Up::Hello), hello.encode());
    }
    let counter = desk.node.term().counter;
    assert!(counter < 1 << 21, "{counter}");
}

#[test]
fn names_without_end_shut_out_no_agent_that_is_known() {
    let _turn = turn();
    let (mut desk, mut good) = (Desk::new(MEMORY), Good::new("good"));
    good.speak(&mut desk);
    for n in 0..30_000 {
        let agent = id(&format!("evil-{n}"));
        desk.hear(Topic::Up(agent, Up::Hello).to_string(), b"{\"v\":1".to_vec());
    }
    assert!(desk.node.snapshot().agents <= 20_000);
    assert!(desk.counts().get("too_many_agents").is_some_and(|count| *count >= 10_000));
    good.speak(&mut desk);
    desk.settle();
    assert_eq!(good.acknowledged(&desk), 2);
}
