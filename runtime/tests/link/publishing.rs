//! Publishes: their window, their acknowledgements, their bounds, and that none is ever resent.

use std::time::Duration;

use fogline_runtime::link::{Publish, PublishError};
use rumqttc::Packet;

use crate::owner::{Owner, connected, message};

#[tokio::test]
async fn publishes_arrive_in_order_at_qos_1_and_are_counted() {
    let (owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    let retained = Publish { retain: true, ..message("up/status", 0) };
    owner.handle.publish(retained).unwrap();
    owner.publish_all(1..=99);
    for number in 0..=99_u64 {
        let publish = peer.read_publish().await;
        assert_eq!((publish.payload.clone(), publish.retain), (number.to_string().into(), number == 0));
        assert!(!publish.dup);
        peer.acknowledge(publish.pkid).await;
    }
    owner.until(|metrics| metrics.acknowledged == 100).await;
    let metrics = owner.handle.metrics();
    assert_eq!((metrics.published, metrics.dropped, metrics.outgoing_bytes), (100, 0, 0));
    assert_eq!(metrics.published_bytes, 10 + 90 * 2);
}

#[tokio::test]
async fn no_more_than_the_window_is_unacknowledged() {
    let (owner, _broker, mut peer) = Owner::connected(|config| {
        config.inflight = 4;
        config.keep_alive = Duration::from_secs(1);
    })
    .await;
    owner.publish_all(1..=8);
    let first = peer.read_publish().await;
    for _ in 0..3 {
        peer.read_publish().await;
    }
    assert_eq!(peer.read().await, Packet::PingReq, "a fifth publish would have come first");
    peer.write(Packet::PingResp).await;
    peer.acknowledge(first.pkid).await;
    assert_eq!(peer.read_publish().await.payload, "5");
}

/// rumqttc gives packet ids in a circle. Acknowledged out of order, the next publish finds its id still taken.
#[tokio::test]
async fn acknowledgements_out_of_order_lose_and_repeat_nothing() {
    let (owner, _broker, mut peer) = Owner::connected(|config| config.inflight = 3).await;
    owner.publish_all(1..=9);
    let mut received = Vec::new();
    let mut held = Vec::new();
    while received.len() < 9 || !held.is_empty() {
        while received.len() < 9 && held.len() < 3 {
            let publish = peer.read_publish().await;
            received.push(publish.payload);
            held.push(publish.pkid);
        }
        // The newest first: while the oldest is out, nothing else can be sent under its id.
        for pkid in held.drain(..).rev() {
            peer.acknowledge(pkid).await;
        }
    }
    let sent: Vec<String> = (1..=9).map(|number| number.to_string()).collect();
    assert_eq!(received, sent);
    owner.until(|metrics| metrics.acknowledged == 9 && metrics.outgoing_bytes == 0).await;
}

/// Here the collision happens for certain: the second is acknowledged, and nothing more, until the fourth waits for id 1.
#[tokio::test]
async fn a_packet_id_collision_is_resolved_by_its_acknowledgement() {
    let (owner, _broker, mut peer) = Owner::connected(|config| {
        config.inflight = 2;
        config.keep_alive = Duration::from_secs(1);
        config.subscriptions.clear();
        config.subscriptions.push("a".to_owned());
    })
    .await;
    owner.publish_all(1..=3);
    let (first, second) = (peer.read_publish().await, peer.read_publish().await);
    peer.acknowledge(second.pkid).await;
    assert_eq!(peer.read().await, Packet::PingReq, "the third waits for the id of the first");
    peer.write(Packet::PingResp).await;
    peer.acknowledge(first.pkid).await;
    let third = peer.read_publish().await;
    assert_eq!((third.pkid, third.payload), (first.pkid, "3".into()));
    peer.acknowledge(third.pkid).await;
    owner.until(|metrics| metrics.acknowledged == 3).await;
}

#[tokio::test]
async fn nothing_is_resent_after_a_reconnect() {
    let (mut owner, broker, mut peer) = Owner::connected(|config| config.inflight = 2).await;
    owner.publish_all(1..=5);
    let first = peer.read_publish().await;
    peer.read_publish().await;
    peer.acknowledge(first.pkid).await;
    owner.until(|metrics| metrics.acknowledged == 1).await;
    drop(peer);
    owner.next_disconnect().await;
    assert_eq!(owner.handle.publish(message("up", 6)), Err(PublishError::Offline));

    let (mut peer, _) = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
    owner.publish_all(7..=7);
    let publish = peer.read_publish().await;
    assert_eq!((publish.payload, publish.dup), ("7".into(), false));
    peer.acknowledge(publish.pkid).await;
    owner.until(|metrics| metrics.acknowledged == 2).await;
    let metrics = owner.handle.metrics();
    assert_eq!((metrics.dropped, metrics.refused, metrics.outgoing_bytes), (4, 1, 0));
}

/// A collision survives in rumqttc's state; a client that goes on with it waits for ever after the reconnect.
#[tokio::test]
async fn a_connection_cut_during_a_collision_wedges_nothing() {
    let (mut owner, broker, mut peer) = Owner::connected(|config| config.inflight = 2).await;
    owner.publish_all(1..=4);
    peer.read_publish().await;
    let second = peer.read_publish().await;
    peer.acknowledge(second.pkid).await;
    owner.until(|metrics| metrics.acknowledged == 1 && metrics.published == 3).await;
    drop(peer);
    owner.next_disconnect().await;
    let (mut peer, _) = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
    for number in 10..=20 {
        owner.publish_all(number..=number);
        let publish = peer.read_publish().await;
        assert_eq!(publish.payload, number.to_string());
        peer.acknowledge(publish.pkid).await;
    }
    owner.until(|metrics| metrics.acknowledged == 12 && metrics.dropped == 3).await;
}

#[tokio::test]
async fn a_publish_never_acknowledged_ends_the_connection() {
    let (mut owner, broker, mut peer) =
        Owner::connected(|config| config.ack_timeout = Duration::from_millis(200)).await;
    owner.publish_all(1..=2);
    let publish = peer.read_publish().await;
    peer.acknowledge(publish.pkid).await;
    peer.read_publish().await;
    assert!(!peer.read_to_end().await);
    assert!(owner.next_disconnect().await.contains("no PUBACK"));
    let _subscribed = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
}

#[tokio::test]
async fn an_oversize_publish_is_refused_and_the_connection_lives() {
    let (owner, _broker, mut peer) = Owner::connected(|config| config.max_packet_bytes = 2048).await;
    let oversize = Publish { payload: vec![0; 2048].into(), ..message("up", 0) };
    let refused = owner.handle.publish(oversize);
    assert_eq!(refused, Err(PublishError::Oversize { bytes: 2057, limit: 2048 }));
    let largest = Publish { payload: vec![0; 2039].into(), ..message("up", 0) };
    owner.handle.publish(largest).unwrap();
    assert_eq!(peer.read_publish().await.payload.len(), 2039);
    assert_eq!(owner.handle.metrics().refused, 1);
}

#[tokio::test]
async fn a_topic_that_is_none_is_refused_and_the_connection_lives() {
    let (owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    assert!(matches!(owner.handle.publish(message("up/#", 0)), Err(PublishError::Topic(_))));
    owner.publish_all(1..=1);
    assert_eq!(peer.read_publish().await.payload, "1");
}

#[tokio::test]
async fn what_waits_is_bounded_in_bytes_and_acknowledgements_make_room() {
    let bound = 10 * 1024;
    let (owner, _broker, mut peer) = Owner::connected(|config| {
        config.max_packet_bytes = 2048;
        config.outgoing_bytes = bound;
        config.inflight = 2;
    })
    .await;
    let kilobyte = || Publish { payload: vec![0; 1000].into(), ..message("up", 0) };
    let accepted = (0..100).take_while(|_| owner.handle.publish(kilobyte()).is_ok()).count();
    assert!((8..=10).contains(&accepted), "{accepted}");
    assert_eq!(owner.handle.publish(kilobyte()), Err(PublishError::Full));
    assert!(owner.handle.metrics().outgoing_bytes <= bound);
    let pkid = peer.read_publish().await.pkid;
    peer.acknowledge(pkid).await;
    owner.until(|metrics| metrics.acknowledged == 1).await;
    assert_eq!(owner.handle.publish(kilobyte()), Ok(()));
    for _ in 0..accepted {
        let pkid = peer.read_publish().await.pkid;
        peer.acknowledge(pkid).await;
    }
    owner.until(|metrics| metrics.outgoing_bytes == 0).await;
}
