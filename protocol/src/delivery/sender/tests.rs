use super::*;
use crate::clock::{BootId, Stamps, TimeFlag, UnsetClock};
use crate::delivery::lanes::Order;
use crate::queue::{QueueUsage, Segment};
use crate::time::Wall;
use crate::wire::StreamAck;
use std::time::Duration;

const S: StreamId = StreamId::from_bits(1);

fn at(ms: u64) -> Monotonic {
    Monotonic::from_us(ms * 1000)
}

fn queue(rows: u64) -> QueueState {
    QueueState {
        opening: 1,
        segments: vec![Segment { first: 1, stream: S, clock: 0, stamps: Stamps::Given }],
        next: rows + 1,
        oldest: (rows > 0).then_some(1),
        gaps: Vec::new(),
        usage: QueueUsage::default(),
        decisions: Vec::new(),
        positions: Vec::new(),
    }
}

/// Answers a load as a queue with all its rows would: 10 bytes each.
fn run(load: Load) -> Option<Run> {
    let rows = (load.until - load.from + 1).min((load.max_bytes as u64 / 10).max(1)).min(load.max_rows as u64);
    let count = usize::try_from(rows).unwrap();
    Some(Run { first: load.from, json: vec![b'x'; count * 10], times: vec![Wall::from_us(5); count] })
}

fn ack(through: Seq, ranges: &[(Seq, Seq)], credit: u64) -> Ack {
    let ranges = ranges.iter().map(|(a, b)| Range::new(*a, *b)).collect();
    Ack { hello: None, credit, state: State::Ok, streams: vec![StreamAck { stream: S, through, ranges }], reply: None }
}

fn opened(rows: u64, credit: u64) -> Sender {
    let mut sender = Sender::new(&queue(rows), 1, Order::FreshFirst);
    sender.acknowledge(&ack(0, &[], credit), true, at(0));
    sender
}

fn send_all(sender: &mut Sender, now: Monotonic) -> Vec<OutgoingBatch> {
    let mut sent = Vec::new();
    while let Some(load) = sender.poll_load(now) {
        sent.extend(sender.loaded(run(load), now));
        assert!(sent.len() < 10_000);
    }
    sent
}

#[test]
fn nothing_is_sent_before_the_hello_is_answered() {
    let mut sender = Sender::new(&queue(5), 1, Order::FreshFirst);
    assert_eq!(sender.poll_load(at(0)), None);
    sender.acknowledge(&ack(0, &[], 1000), false, at(0));
    assert_eq!(sender.poll_load(at(0)), None);
    sender.acknowledge(&ack(2, &[], 1000), true, at(0));
    let sent = send_all(&mut sender, at(0));
    assert_eq!((sent[0].header.first, sent[0].header.floor), (3, 3), "what was acknowledged is not sent");
}

#[test]
fn no_more_than_the_credit_is_in_flight() {
    let mut sender = opened(100_000, 100_000);
    send_all(&mut sender, at(0));
    assert!(sender.in_flight().1 <= 100_000);
    assert!(sender.in_flight().1 > 40_000);
}

#[test]
fn only_an_acknowledged_prefix_is_freed() {
    let mut sender = opened(100, 200);
    send_all(&mut sender, at(0));
    assert_eq!(sender.poll_free(), None);
    sender.acknowledge(&ack(0, &[(5, 10)], 200), false, at(1));
    assert_eq!(sender.poll_free(), None, "4 is still missing");
    sender.acknowledge(&ack(4, &[], 200), false, at(1));
    let free = sender.poll_free().unwrap();
    assert_eq!(free, Free { through: 10, gaps: vec![] });
    sender.acknowledge(&ack(20, &[], 200), false, at(1));
    assert_eq!(sender.poll_free(), None, "one at a time");
    assert_eq!(sender.last_free(), Some(Free { through: 20, gaps: vec![] }), "but whoever closes the queue frees all");
    sender.freed(&free);
    assert_eq!(sender.poll_free(), Some(Free { through: 20, gaps: vec![] }));
    assert_eq!(sender.acknowledge(&ack(10, &[], 200), false, at(2)).readings, 0, "an old acknowledgement is harmless");
}

#[test]
fn what_is_not_acknowledged_is_sent_again_one_batch_at_a_time() {
    let mut sender = opened(20_000, 100_000);
    let first = send_all(&mut sender, at(0));
    assert!(first.len() > 1);
    let deadline = sender.poll_timeout().unwrap();
    assert!(deadline.since(at(0)) >= Duration::from_secs(2));
    sender.handle_timeout(deadline);
    let again = send_all(&mut sender, deadline);
    assert_eq!(again.len(), 1, "a probe");
    assert_eq!(again[0].header.first, 1);
    sender.acknowledge(&ack(again[0].header.first + 4, &[], 100_000), false, deadline);
    assert!(send_all(&mut sender, deadline).len() > 1, "somebody is there again");
    assert!(sender.resent() > 0);
}

#[test]
fn a_slow_store_is_not_taken_for_a_loss() {
    let mut sender = opened(10, 1000);
    send_all(&mut sender, at(0));
    for (state, word_at) in [(State::StoreDown, 1900), (State::Busy, 3800), (State::Ok, 5700)] {
        let word = Ack { state, ..ack(0, &[], 1000) };
        sender.acknowledge(&word, false, at(word_at));
        assert!(sender.poll_timeout().unwrap() >= at(word_at + 2000), "a word that nothing is written yet: {state:?}");
    }
    assert_eq!(sender.resent(), 0);
}

#[test]
fn a_batch_is_not_put_off_for_ever() {
    let mut sender = opened(10, 1000);
    send_all(&mut sender, at(0));
    let mut word_at = 0;
    while sender.poll_timeout().is_some_and(|deadline| deadline > at(word_at)) {
        word_at += 1500;
        sender.acknowledge(&ack(0, &[], 1000), false, at(word_at));
    }
    assert!((20_000..30_000).contains(&word_at), "put off for {word_at} ms");
    let greeted = Ack { hello: Some(1), ..ack(0, &[], 1000) };
    let mut sender = opened(10, 1000);
    send_all(&mut sender, at(0));
    let deadline = sender.poll_timeout();
    sender.acknowledge(&greeted, true, at(1900));
    assert_eq!(sender.poll_timeout(), deadline, "an answer to a hello says nothing of batches");
}

#[test]
fn a_long_reading_waits_for_credit_unless_it_is_alone() {
    // Room for one of three readings of 400 bytes and a piece of the next.
    let mut sender = opened(3, 700);
    let load = sender.poll_load(at(0)).unwrap();
    let long = |first| Some(Run { first, json: vec![b'x'; 400], times: vec![Wall::from_us(1)] });
    assert!(sender.loaded(long(load.from), at(0)).is_some());
    if let Some(load) = sender.poll_load(at(0)) {
        assert!(sender.loaded(long(load.from), at(0)).is_none(), "800 bytes would be more than is granted");
    }
    assert_eq!(sender.poll_load(at(0)), None, "nothing to ask for before something lands");
    sender.acknowledge(&ack(1, &[], 100), false, at(1));
    let load = sender.poll_load(at(1)).unwrap();
    assert!(sender.loaded(long(load.from), at(1)).is_some(), "alone it goes, however small the credit is");
}

#[test]
fn a_lost_connection_loses_nothing() {
    let mut sender = opened(10, 1000);
    send_all(&mut sender, at(0));
    sender.close();
    assert_eq!((sender.in_flight().0, sender.unsent()), (0, 10));
    assert_eq!(sender.poll_load(at(1)), None);
}

#[test]
fn dropped_readings_become_gaps_until_acknowledged() {
    let mut sender = opened(10, 1000);
    sender.extend(None, 5);
    let appended =
        Appended { range: Range::new(11, 15), dropped: vec![Range::new(1, 3)], usage: QueueUsage::default() };
    sender.settle_append(&appended, at(0));
    let sent = send_all(&mut sender, at(0));
    assert_eq!((sent[0].header.first, sent[0].header.floor), (4, 1));
    assert_eq!(sent[0].header.gaps, vec![Range::new(1, 3)]);
    let outcome = sender.acknowledge(&ack(4, &[], 1000), false, at(1));
    assert_eq!(outcome.readings, 1);
    assert_eq!(sender.poll_free(), Some(Free { through: 4, gaps: vec![Range::new(1, 3)] }));
    assert!(sender.gaps().is_empty());
}

#[test]
fn an_acknowledgement_beyond_what_was_appended_is_cut() {
    let mut sender = opened(10, 1000);
    assert_eq!(sender.acknowledge(&ack(u64::from(u32::MAX), &[], 1000), false, at(0)).readings, 10);
    sender.extend(None, 1);
    assert_eq!(sender.unsent(), 1);
}

#[test]
fn a_batch_never_spans_two_streams() {
    let mut sender = opened(10, 10_000);
    let head = SegmentHead { stream: StreamId::from_bits(2), clock: 1, stamps: Stamps::Given };
    sender.extend(Some(head), 10);
    let headers: Vec<_> = send_all(&mut sender, at(0)).into_iter().map(|b| (b.header.stream, b.header.first)).collect();
    assert_eq!(headers, vec![(S, 1), (StreamId::from_bits(2), 11)]);
    assert_eq!(sender.open_streams().len(), 2);
}

#[test]
fn a_batch_that_is_freed_in_part_stays_done_in_that_part() {
    let mut sender = opened(10, 1000);
    assert_eq!(send_all(&mut sender, at(0)).len(), 1);
    sender.acknowledge(&ack(4, &[], 1000), false, at(1));
    let free = sender.poll_free().unwrap();
    sender.freed(&free);
    let deadline = sender.poll_timeout().unwrap();
    sender.handle_timeout(deadline);
    let again = send_all(&mut sender, deadline);
    assert_eq!(
        (again[0].header.first, again[0].header.floor),
        (5, 5),
        "1 to 4 left the queue and are not asked for again"
    );
    sender.acknowledge(&ack(7, &[], 1000), false, deadline);
    let free = sender.poll_free().unwrap();
    sender.freed(&free);
    sender.acknowledge(&ack(10, &[], 1000), false, deadline);
    assert_eq!((sender.in_flight(), sender.unsent()), ((0, 0), 0), "the rest of a freed batch lands");
}

#[test]
fn an_age_that_comes_while_nothing_can_be_sent_rings_once() {
    let mut sender = opened(0, 50);
    sender.extend(None, 20);
    let appended = Appended { range: Range::new(1, 20), dropped: vec![], usage: QueueUsage::default() };
    sender.settle_append(&appended, at(0));
    send_all(&mut sender, at(0));
    assert!(sender.unsent() > 0, "the credit is used up");
    let mut busy = ack(0, &[], 50);
    busy.state = State::Busy;
    sender.acknowledge(&busy, false, at(1900));
    sender.handle_timeout(at(2000));
    assert!(sender.poll_timeout().is_none_or(|next| next > at(2000)), "a timer in the past would make the agent spin");
}

#[test]
fn rows_that_damage_took_become_gaps() {
    let mut sender = opened(10, 1000);
    let load = sender.poll_load(at(0)).unwrap();
    let rest = run(Load { from: 4, ..load });
    let batch = sender.loaded(rest, at(0)).unwrap();
    assert_eq!((batch.header.first, batch.header.floor, batch.header.gaps), (4, 1, vec![Range::new(1, 3)]));
    assert_eq!(sender.gaps().iter().collect::<Vec<_>>(), [Range::new(1, 3)]);
}

#[test]
fn gaps_of_readings_that_were_acknowledged_while_damage_took_them_are_freed() {
    let mut sender = opened(10, 1000);
    let load = sender.poll_load(at(0)).unwrap();
    // Sent before, by an earlier life of the connection: the answer comes while they are being read again.
    sender.acknowledge(&ack(0, &[(2, 3)], 1000), false, at(0));
    sender.loaded(run(Load { from: 4, ..load }), at(0)).unwrap();
    assert_eq!(sender.gaps().iter().collect::<Vec<_>>(), [Range::new(1, 1)]);
    assert_eq!(sender.poll_free().unwrap().gaps, [Range::new(2, 3)], "the queue has made gaps of them");
}

#[test]
fn readings_that_wait_for_the_clock_are_not_sent_before_it_is_settled() {
    let clock = UnsetClock { boot: BootId::from_bits(1), began_us: 0 };
    let mut state = queue(20);
    let given = state.segments[0];
    state.segments[0].stamps = Stamps::Open(clock);
    state.segments.push(Segment { first: 11, clock: 1, ..given });
    let mut sender = Sender::new(&state, 1, Order::FreshFirst);
    sender.acknowledge(&ack(0, &[], 1 << 20), true, at(0));
    let send = |sender: &mut Sender| {
        let load = sender.poll_load(at(1))?;
        sender.loaded(run(load), at(1)).map(|batch| (batch.header.first, batch.header.time))
    };
    assert_eq!(send(&mut sender), Some((11, None)));
    assert_eq!((send(&mut sender), sender.held_readings()), (None, 10));
    sender.settled(&[Settle { first: 1, clock, stamps: Stamps::Unset }]);
    assert_eq!((send(&mut sender), sender.held_readings()), (Some((1, Some(TimeFlag::Unset))), 0));
}

#[test]
fn every_number_says_how_far_it_has_come() {
    let mut sender = opened(30, 100);
    let progress = |sender: &Sender, seqs: [Seq; 4]| seqs.map(|seq| sender.progress(seq));
    use Progress::{Done, Gap, InFlight, Unsent};
    assert_eq!(progress(&sender, [1, 10, 11, 30]), [Unsent; 4]);
    send_all(&mut sender, at(0));
    assert_eq!(progress(&sender, [1, 10, 11, 30]), [InFlight, InFlight, Unsent, Unsent]);
    sender.acknowledge(&ack(4, &[(6, 7)], 100), false, at(1));
    assert_eq!(progress(&sender, [4, 5, 6, 8]), [Done, InFlight, Done, InFlight]);
    let free = sender.poll_free().unwrap();
    sender.freed(&free);
    assert_eq!(progress(&sender, [1, 4, 5, 7]), [Done, Done, InFlight, Done], "freed is done");
    let dropped = vec![Range::new(20, 21)];
    let range = Range::new(31, 30);
    sender.settle_append(&Appended { range, dropped, usage: QueueUsage::default() }, at(2));
    sender.close();
    assert_eq!(
        progress(&sender, [5, 7, 20, 22]),
        [Unsent, Done, Gap, Unsent],
        "what was in flight is to be sent again"
    );
}
