//! Another broker, because the owner wants it.

use std::time::{Duration, Instant};

use rumqttc::{Packet, SubscribeReasonCode};

use crate::fake_broker::{FakeBroker, Peer};
use crate::owner::{Owner, config, connected};

/// A link that is connected to the first of two brokers.
async fn with_two() -> (Owner, FakeBroker, FakeBroker, Peer) {
    let (first, second) = (FakeBroker::start().await, FakeBroker::start().await);
    let mut owner = Owner::start(config(vec![first.address(), second.address()]));
    let (peer, _) = first.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 1));
    (owner, first, second, peer)
}

#[tokio::test]
async fn a_broker_is_left_without_a_disconnect_for_the_one_that_is_wanted() {
    let (mut owner, _first, second, mut peer) = with_two().await;
    owner.handle.use_broker(1);
    assert_eq!(owner.next_disconnect().await, "left for another broker");
    assert!(!peer.read_to_end().await, "the old broker must publish the last will");
    let (_peer, _) = second.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(1, 2));
    let metrics = owner.handle.metrics();
    assert_eq!((metrics.connects, metrics.failures, metrics.connected), (2, 0, true));
}

/// A network that swallows everything: no PUBACK, and in the end no room to write.
#[tokio::test]
async fn a_connection_that_takes_nothing_more_is_left_at_once() {
    let (mut owner, _first, second, _peer) = with_two().await;
    owner.publish_all(1..=500);
    owner.until(|metrics| metrics.published >= 16).await;
    let begun = Instant::now();
    owner.handle.use_broker(1);
    let (mut peer, _) = second.accept_subscribed().await;
    owner.next_disconnect().await;
    assert_eq!(owner.next().await, connected(1, 2));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}, a PUBACK is waited for 20 s", begun.elapsed());
    assert_eq!((owner.handle.metrics().dropped, owner.handle.metrics().outgoing_bytes), (500, 0));
    owner.publish_all(501..=501);
    assert_eq!(peer.read_publish().await.payload, "501", "nothing of before is sent there");
}

#[tokio::test]
async fn when_the_wanted_broker_is_away_the_next_is_tried() {
    let (mut owner, first, second, peer) = with_two().await;
    drop(second);
    owner.handle.use_broker(1);
    owner.next_disconnect().await;
    drop(peer);
    let (_peer, _) = first.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 3));
}

#[tokio::test]
async fn a_wish_for_no_broker_or_without_a_connection_changes_nothing() {
    let (mut owner, first, _second, mut peer) = with_two().await;
    owner.handle.use_broker(2);
    owner.publish_all(1..=1);
    assert_eq!(peer.read_publish().await.payload, "1");
    owner.handle.use_broker(0);
    owner.next_disconnect().await;
    let (mut late, _) = first.accept_connected().await;
    // Not connected yet: of which connection should it speak?
    owner.handle.use_broker(1);
    late.answer_subscribe(SubscribeReasonCode::Success(rumqttc::QoS::AtLeastOnce)).await;
    assert_eq!(owner.next().await, connected(0, 2));
    owner.publish_all(2..=2);
    assert!(matches!(late.read().await, Packet::Publish(_)));
}
