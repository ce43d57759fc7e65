//! A real site: broker, ingester, an agent that behaves, and ten thousand messages of others that do not.

use fogline_protocol::topic::Up;
use fogline_tests::hostile::{Attacker, Counts, Expected, Kind as Attack, topic};
use fogline_tests::real::{Agent, Ingester, Kind, Publisher, Site, get, peak_bytes, until};

const MESSAGES: u64 = 10_000;
/// Some 30 MiB, and what the bounds of memory and of the link's inbox allow beside.
const INGESTER_BYTES: u64 = 100 << 20;
/// A debug build on a machine that does other things too.
const P99_US: u64 = 1_000_000;
/// What the agent that behaves says meanwhile: more than it can.
const OTHERS: [(&str, u64); 4] = [("hello", 20), ("readings", 10_000), ("status", 100), ("ack", 100)];

#[test]
fn ten_thousand_hostile_messages_are_counted_and_harm_nobody() {
    // A broker ends a connection on which more comes than it takes: the test after this.
    hostile_messages(Kind::Embedded, &[Attack::TooLong]);
}

#[test]
fn ten_thousand_hostile_messages_through_mosquitto_are_counted_and_harm_nobody() {
    hostile_messages(Kind::Mosquitto, &[Attack::TooLong]);
}

fn hostile_messages(kind: Kind, skips: &[Attack]) {
    let Some(site) = Site::start(kind) else { return };
    let mut agent = site.agent("good").watches_a_road("50").start();
    let database = site.ingester.database();
    let victim = until("the good agent's readings are stored", || database.stream_of("good"));

    let (mut attacker, mut expected) = (Attacker::new(4, victim), Expected::default());
    let mut publisher = Publisher::connect(&site.broker, "evil");
    for _ in 0..MESSAGES {
        let message = attacker.next(skips);
        expected.sent(message.fate);
        publisher.publish(&message.topic, message.payload).unwrap();
    }
    publisher.flush().unwrap();
    OTHERS.iter().for_each(|(channel, more)| expected.allow(channel, *more));

    let ingester = &site.ingester;
    until("all messages are counted", || (counts(ingester).values().sum::<u64>() >= expected.sent).then_some(()));
    until("nothing is held", || (ingester.metric("fogline_ingest_held_bytes") == 0).then_some(()));
    let problems = expected.problems(&counts(ingester));
    assert!(problems.is_empty(), "{problems:#?}");
    assert_eq!(ingester.metric("fogline_ingest_broker_shed_total"), 0);
    let peak = peak_bytes(ingester.program.id());
    assert!((1..INGESTER_BYTES).contains(&peak), "the ingester took {peak} bytes");
    println!("the ingester took {} MiB at most", peak >> 20);

    all_is_well(&site, &mut agent);
}

/// Taken and refused messages together.
fn counts(ingester: &Ingester) -> Counts {
    let mut all = ingester.metrics_by_label("fogline_ingest_messages_taken_total");
    all.extend(ingester.metrics_by_label("fogline_ingest_messages_refused_total"));
    all
}

fn all_is_well(site: &Site, agent: &mut Agent) {
    assert!(agent.until_limited() > 0.0);
    let status = agent.status().unwrap();
    let p99_us = status.pointer("/live/latency/p99_us").and_then(serde_json::Value::as_u64).unwrap();
    println!("the good agent's p99: {p99_us} us");
    assert!(p99_us < P99_US, "{p99_us} us from sample to acknowledged");
    assert!(agent.program.terminate().success());
    let status = agent.status().unwrap();
    let number = |path: &str| status.pointer(path).and_then(serde_json::Value::as_i64).unwrap();
    let (acknowledged, queued) = (number("/acknowledged"), number("/queue/readings"));
    let account = site.ingester.database().account("good");
    assert_eq!(account.distinct, account.readings, "none is stored twice");
    assert!((acknowledged..=acknowledged + queued).contains(&account.readings), "{account:?}, {status}");
    assert_eq!(number("/queue/dropped"), 0);
    assert_eq!(get(site.ingester.http(), "/readyz").map(|(status, _)| status), Some(200));
}

#[test]
fn what_is_too_long_for_our_broker_ends_its_connection_and_no_other() {
    let Some(site) = Site::start(Kind::Embedded) else { return };
    let mut agent = site.agent("good").watches_a_road("50").start();
    let mut attacker = Attacker::new(4, 0);
    for n in 0..20 {
        let mut publisher = Publisher::connect(&site.broker, &format!("evil-{n}"));
        let message = attacker.message(Attack::TooLong);
        let sent = publisher.publish(&message.topic, message.payload).and_then(|()| publisher.flush());
        assert!(sent.is_err(), "the broker takes no such packet");
    }
    let mut publisher = Publisher::connect(&site.broker, "evil");
    publisher.publish(&topic("evil", Up::Hello), b"{".to_vec()).unwrap();
    publisher.flush().unwrap();
    until("the last message is counted", || {
        counts(&site.ingester).get("malformed").copied().filter(|count| *count == 1)
    });
    assert_eq!(counts(&site.ingester).get("too_long"), None, "none of them came through");
    all_is_well(&site, &mut agent);
}
