//! Messages from the broker.

use std::time::Duration;

use fogline_runtime::link::LinkEvent;
use rumqttc::{Packet, QoS, SubAck, SubscribeReasonCode, UnsubAck};

use crate::fake_broker::{FakeBroker, Peer};
use crate::owner::{Owner, config, connected};

/// Reads until `count` PUBACKs have come, and answers pings.
async fn read_pubacks(peer: &mut Peer, count: u16) -> Vec<u16> {
    let mut pkids = Vec::new();
    while pkids.len() < usize::from(count) {
        match peer.read().await {
            Packet::PubAck(ack) => pkids.push(ack.pkid),
            Packet::PingReq => peer.write(Packet::PingResp).await,
            other => panic!("not a PUBACK: {other:?}"),
        }
    }
    pkids
}

#[tokio::test]
async fn messages_are_acknowledged_at_once_and_delivered_in_order() {
    let (mut owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    for pkid in 1..=50 {
        peer.publish("down/ack", pkid, pkid.to_string().as_bytes()).await;
    }
    assert_eq!(read_pubacks(&mut peer, 50).await, (1..=50).collect::<Vec<u16>>());
    for number in 1..=50 {
        assert_eq!(owner.next_message().await, number.to_string());
    }
    let metrics = owner.handle.metrics();
    assert_eq!((metrics.received, metrics.shed, metrics.incoming_bytes), (50, 0, 0));
    assert_eq!(metrics.received_bytes, 9 + 41 * 2);
}

#[tokio::test]
async fn messages_before_the_suback_are_delivered_after_connected() {
    let broker = FakeBroker::start().await;
    let mut owner = Owner::start(config(vec![broker.address()]));
    let (mut peer, _) = broker.accept_connected().await;
    peer.publish("down/limit", 1, b"early").await;
    peer.answer_subscribe(SubscribeReasonCode::Success(QoS::AtLeastOnce)).await;
    assert_eq!(owner.next().await, connected(0, 1));
    assert_eq!(owner.next_message().await, "early");
}

#[tokio::test]
async fn what_came_just_before_a_cut_is_delivered_before_the_cut_is_told() {
    let (mut owner, _broker, mut peer) = Owner::connected(|_| {}).await;
    for pkid in 1..=15 {
        peer.publish("down/ack", pkid, pkid.to_string().as_bytes()).await;
    }
    peer.finish().await;
    for number in 1..=15 {
        assert_eq!(owner.next_message().await, number.to_string());
    }
    owner.next_disconnect().await;
}

#[tokio::test]
async fn an_owner_that_does_not_read_stops_neither_pings_nor_acknowledgements() {
    let (mut owner, _broker, mut peer) = Owner::connected(|config| {
        config.keep_alive = Duration::from_secs(1);
        config.max_packet_bytes = 1024;
        config.incoming_bytes = 4096;
    })
    .await;
    for pkid in 1..=100 {
        peer.publish("down/ack", pkid, &[b'x'; 500]).await;
    }
    read_pubacks(&mut peer, 100).await;
    for _ in 0..2 {
        assert_eq!(peer.read().await, Packet::PingReq);
        peer.write(Packet::PingResp).await;
    }
    owner.publish_all(1..=1);
    let publish = peer.read_publish().await;
    peer.acknowledge(publish.pkid).await;
    owner.until(|metrics| metrics.acknowledged == 1).await;

    let metrics = owner.handle.metrics();
    assert!(metrics.incoming_bytes <= 4096, "{metrics:?}");
    let kept = metrics.received - metrics.shed;
    assert!((5..=8).contains(&kept), "{metrics:?}");
    for _ in 0..kept {
        assert_eq!(owner.next_message().await.len(), 500);
    }
    peer.publish("down/ack", 1, b"room again").await;
    assert_eq!(owner.next_message().await, "room again");
}

#[tokio::test]
async fn a_link_whose_owner_reads_nothing_does_not_pile_up_reconnects() {
    let (mut owner, broker, mut peer) = Owner::connected(|config| {
        config.max_packet_bytes = 1024;
        config.incoming_bytes = 2048;
    })
    .await;
    for pkid in 1..=10 {
        peer.publish("down/ack", pkid, &[b'x'; 900]).await;
    }
    read_pubacks(&mut peer, 10).await;
    for pkid in 11..=20 {
        peer.publish("down/ack", pkid, b"").await;
    }
    read_pubacks(&mut peer, 10).await;
    drop(peer);
    owner.until(|metrics| metrics.failures == 1).await;
    assert!(owner.handle.metrics().incoming_bytes >= 2048);
    // The first wait before a reconnect is at most 250 ms.
    let attempt = tokio::time::timeout(Duration::from_millis(600), broker.accept()).await;
    assert!(attempt.is_err(), "connected again while the owner had room for nothing");
    while !matches!(owner.next().await, LinkEvent::Disconnected { .. }) {}
    let _subscribed = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
}

#[tokio::test]
async fn an_oversize_message_ends_the_connection_with_a_reason() {
    let (mut owner, broker, mut peer) = Owner::connected(|config| config.max_packet_bytes = 1024).await;
    peer.publish("down/ack", 1, &[b'x'; 2000]).await;
    assert!(owner.next_disconnect().await.contains("size limit"));
    let _subscribed = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
}

#[tokio::test]
async fn filters_come_and_go_on_a_connection_and_come_back_on_the_next() {
    let filters = |filters: &[&str]| filters.iter().map(ToString::to_string).collect::<Vec<_>>();
    let (mut owner, broker, mut peer) = Owner::connected(|_| {}).await;
    owner.handle.listen(filters(&["agents/#", "b/#"]));
    assert_eq!(asked(&mut peer).await, ["agents/#", "b/#"]);
    // Taken in their order, however soon they come. What stays is not asked for again.
    owner.handle.listen(filters(&["b/#"]));
    owner.handle.listen(filters(&["b/#", "others/#", "c/#"]));
    assert_eq!(asked(&mut peer).await, ["-agents/#"]);
    assert_eq!(asked(&mut peer).await, ["others/#", "c/#"]);
    drop(peer);
    owner.next_disconnect().await;
    let (mut peer, _) = broker.accept_connected().await;
    let again = asked(&mut peer).await;
    let all = ["b/#", "others/#", "c/#"].iter().all(|filter| again.contains(&(*filter).to_owned()));
    assert!(all, "a new connection is subscribed as the old one was: {again:?}");
    assert_eq!(owner.next().await, connected(0, 2));
}

/// The filters of the next SUBSCRIBE, granted; or of an UNSUBSCRIBE, with a minus.
async fn asked(peer: &mut Peer) -> Vec<String> {
    match peer.read().await {
        Packet::Subscribe(subscribe) => {
            let granted = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce); subscribe.filters.len()];
            peer.write(Packet::SubAck(SubAck::new(subscribe.pkid, granted))).await;
            subscribe.filters.into_iter().map(|filter| filter.path).collect()
        }
        Packet::Unsubscribe(unsubscribe) => {
            peer.write(Packet::UnsubAck(UnsubAck::new(unsubscribe.pkid))).await;
            unsubscribe.topics.into_iter().map(|topic| format!("-{topic}")).collect()
        }
        other => panic!("neither SUBSCRIBE nor UNSUBSCRIBE: {other:?}"),
    }
}
