//! Everybody subscribes to everything, and somebody who may publishes to every topic: what the model allows is delivered, and
//! nothing else is.

use std::{collections::BTreeSet, net::SocketAddr, time::Duration};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    client::{Answer, log_in},
    elsewhere::{Ground, Kind},
    matrix::{filters, on_all_brokers},
    model::{Who, everybody, topics},
    wire::{Client, Version, packet},
};

on_all_brokers!(what_is_delivered_is_what_may_be_read);

const PUBACK: u8 = 0x40;
/// Less than what a reader waits for by itself, so that what is missing can be said.
const SILENCE: Duration = Duration::from_secs(25);
/// What is published last to a topic that the subscriber may read.
const END: &[u8] = b"end";

/// Filters that ask for more than a topic: what NATS keeps for others, too, and how it names what is on its way to them.
const GREEDY: [&str; 13] = [
    "$MQTT/sub/#",
    "$MQTT/sub/+",
    "$MQTT/+/#",
    "$MQTT/+/+",
    "+/sub/#",
    "+/sub/+",
    "$MQTT/msgs/#",
    "$MQTT/msgs/fogline/#",
    "$MQTT/rmsgs",
    "$MQTT/#",
    "$JS/#",
    "$share/group/#",
    "+/#",
];

/// A connection that has asked for everything.
async fn greedy(address: SocketAddr, version: Version, who: &Who) -> Client {
    let mut client = log_in(address, version, &who.name).await;
    let filters: BTreeSet<_> = topics().iter().flat_map(|topic| filters(topic)).collect();
    let filters: Vec<_> = filters.iter().map(String::as_str).chain(GREEDY).collect();
    for some in filters.chunks(100) {
        assert_eq!(client.subscribe_all(version, some).await.len(), some.len());
    }
    client
}

/// The topics of what comes until the end and all that is `expected` have come: subscriptions do not wait for each other.
async fn received(mut client: Client, expected: BTreeSet<String>) -> BTreeSet<String> {
    let (mut topics, mut ended) = (BTreeSet::new(), false);
    while !ended || !topics.is_superset(&expected) {
        let missing = || expected.difference(&topics).collect::<Vec<_>>();
        let message = timeout(SILENCE, client.reader.message()).await;
        let message =
            message.unwrap_or_else(|_| panic!("nothing more comes; the end: {ended}, missing: {:?}", missing()));
        if let Some(id) = message.id() {
            client.send(&packet::ack(PUBACK, id)).await;
        }
        // Before it are properties, in 5.0.
        ended |= message.rest().ends_with(END);
        topics.insert(message.topic().to_owned());
    }
    topics
}

async fn what_is_delivered_is_what_may_be_read(kind: Kind) {
    for version in kind.versions().iter().copied() {
        let Some(ground) = Ground::start(kind).await else { return };
        let address = ground.address();
        let mut boss = log_in(address, version, "boss").await;
        for who in everybody().into_iter().filter(|who| who.name != "boss") {
            let readable = |topic: &String| !topic.starts_with('$') && who.may_read(topic);
            let expected: BTreeSet<_> = topics().into_iter().filter(readable).collect();
            let last = expected.last().expect("everybody may read something");
            let client = greedy(address, version, &who).await;
            let mut receiving = JoinSet::new();
            receiving.spawn(received(client, expected.clone()));
            for topic in topics().iter().filter(|topic| !topic.starts_with('$')) {
                assert_eq!(boss.publish(version, 2, topic, b"x").await, Answer::Taken, "{topic}");
            }
            assert_eq!(boss.publish(version, 2, last, END).await, Answer::Taken);
            let got = receiving.join_next().await.expect("one task").unwrap();
            let more: Vec<_> = got.difference(&expected).collect();
            assert!(more.is_empty(), "{who:?} {version:?} got {more:?}");
        }
    }
}
