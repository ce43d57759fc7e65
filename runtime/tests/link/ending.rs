//! How a link ends.

use std::time::Duration;

use fogline_runtime::link::{LinkEvent, PublishError};
use rumqttc::Packet;

use crate::fake_broker::{FakeBroker, within};
use crate::owner::{Owner, config, message};

#[tokio::test]
async fn close_sends_what_is_queued_and_disconnects_after_the_last_puback() {
    let (mut owner, _broker, mut peer) = Owner::connected(|config| config.inflight = 2).await;
    owner.publish_all(1..=10);
    let closing = tokio::spawn(owner.handle.clone().close(Duration::from_secs(20)));
    for number in 1..=10_u64 {
        let publish = peer.read_publish().await;
        assert_eq!(publish.payload, number.to_string());
        peer.acknowledge(publish.pkid).await;
    }
    assert_eq!(peer.read().await, Packet::Disconnect);
    drop(peer);
    assert!(within(closing).await.unwrap());
    assert_eq!(owner.next_disconnect().await, "closed");
    assert_eq!(within(owner.events.recv()).await, None);
    assert_eq!(owner.handle.publish(message("up", 11)), Err(PublishError::Closed));
    let metrics = owner.handle.metrics();
    assert_eq!((metrics.acknowledged, metrics.dropped, metrics.connected), (10, 0, false));
}

#[tokio::test]
async fn close_does_not_wait_for_ever_for_a_broker_that_keeps_the_connection() {
    let (owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    let closing = tokio::spawn(owner.handle.close(Duration::from_secs(20)));
    assert_eq!(peer.read().await, Packet::Disconnect);
    assert!(within(closing).await.unwrap());
    assert!(!peer.read_to_end().await);
}

#[tokio::test]
async fn close_ends_at_its_deadline_without_a_disconnect() {
    let (mut owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    owner.publish_all(1..=1);
    assert!(!within(owner.handle.close(Duration::from_millis(100))).await);
    peer.read_publish().await;
    assert!(!peer.read_to_end().await, "the last will must be published");
    assert_eq!(within(owner.events.recv()).await, None);
}

#[tokio::test]
async fn close_without_a_connection_ends_the_link() {
    let broker = FakeBroker::start().await;
    let address = broker.address();
    drop(broker);
    let mut owner = Owner::start(config(vec![address]));
    owner.until(|metrics| metrics.failures >= 1).await;
    assert!(!within(owner.handle.close(Duration::from_secs(20))).await);
    assert_eq!(within(owner.events.recv()).await, None);
}

#[tokio::test]
async fn close_while_connecting_ends_the_link() {
    let broker = FakeBroker::start().await;
    let mut owner = Owner::start(config(vec![broker.address()]));
    let mut peer = broker.accept().await;
    peer.read_connect().await;
    assert!(!within(owner.handle.close(Duration::from_secs(20))).await);
    assert_eq!(within(owner.events.recv()).await, None);
    assert!(!peer.read_to_end().await);
}

#[tokio::test]
async fn a_connection_lost_while_closing_is_not_made_again() {
    let (mut owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    owner.publish_all(1..=1);
    let closing = tokio::spawn(owner.handle.clone().close(Duration::from_secs(20)));
    peer.read_publish().await;
    drop(peer);
    assert!(!within(closing).await.unwrap());
    assert!(matches!(owner.next().await, LinkEvent::Disconnected { .. }));
    assert_eq!(within(owner.events.recv()).await, None);
    assert_eq!(owner.handle.metrics().dropped, 1);
}

#[tokio::test]
async fn dropping_the_last_handle_ends_the_link_without_a_disconnect() {
    let (owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    let Owner { handle, mut events } = owner;
    drop(handle);
    assert!(!peer.read_to_end().await);
    assert!(matches!(within(events.recv()).await, Some(LinkEvent::Disconnected { .. })));
    assert_eq!(within(events.recv()).await, None);
}

#[tokio::test]
async fn dropping_the_events_ends_the_link() {
    let (owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    drop(owner.events);
    assert!(!peer.read_to_end().await);
    let closed = async {
        while owner.handle.publish(message("up", 1)) != Err(PublishError::Closed) {
            tokio::task::yield_now().await;
        }
    };
    within(closed).await;
}
