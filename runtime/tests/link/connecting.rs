//! Connecting, subscribing, and doing it again.

use std::time::Duration;

use fogline_runtime::link::{Link, LinkError, PublishError};
use rumqttc::{ConnAck, ConnectReturnCode, Packet, QoS, SubscribeReasonCode};

use crate::fake_broker::{FakeBroker, connack};
use crate::owner::{FILTER, Owner, config, connected, message};

#[tokio::test]
async fn connected_is_reported_only_after_the_suback() {
    let broker = FakeBroker::start().await;
    let mut owner = Owner::start(config(vec![broker.address()]));
    let (mut peer, _) = broker.accept_connected().await;
    assert_eq!(owner.events.try_recv(), None);
    assert_eq!(owner.handle.publish(message("up", 1)), Err(PublishError::Offline));
    peer.answer_subscribe(SubscribeReasonCode::Success(QoS::AtLeastOnce)).await;
    assert_eq!(owner.next().await, connected(0, 1));
    assert_eq!(owner.handle.publish(message("up", 2)), Ok(()));
    assert_eq!(peer.read_publish().await.payload, "2");
}

#[tokio::test]
async fn without_subscriptions_connack_is_enough() {
    let broker = FakeBroker::start().await;
    let mut config = config(vec![broker.address()]);
    config.subscriptions.clear();
    let mut owner = Owner::start(config);
    let (mut peer, _) = broker.accept_connected().await;
    assert_eq!(owner.next().await, connected(0, 1));
    owner.publish_all(1..=1);
    assert_eq!(peer.read_publish().await.payload, "1");
}

#[tokio::test]
async fn every_connection_is_clean_with_a_new_will_and_all_subscriptions() {
    let broker = FakeBroker::start().await;
    let mut config = config(vec![broker.address()]);
    config.subscriptions.push("fogline/v1/here/peers/#".to_owned());
    let filters = config.subscriptions.clone();
    let mut owner = Owner::start(config);
    for connection in 1..=4_u64 {
        let (mut peer, connect) = broker.accept_connected().await;
        assert!(connect.clean_session);
        assert_eq!((connect.client_id.as_str(), connect.keep_alive), ("one", 30));
        let will = connect.last_will.unwrap();
        assert_eq!((will.topic.as_str(), will.message), ("will", connection.to_string().into()));
        assert_eq!(peer.answer_subscribe(SubscribeReasonCode::Success(QoS::AtLeastOnce)).await, filters);
        assert_eq!(owner.next().await, connected(0, connection));
        drop(peer);
        owner.next_disconnect().await;
    }
    let metrics = owner.handle.metrics();
    assert_eq!((metrics.connects, metrics.failures, metrics.connected), (4, 4, false));
}

#[tokio::test]
async fn a_refused_subscription_fails_the_connection() {
    for code in [SubscribeReasonCode::Failure, SubscribeReasonCode::Success(QoS::AtMostOnce)] {
        let broker = FakeBroker::start().await;
        let mut owner = Owner::start(config(vec![broker.address()]));
        let (mut peer, _) = broker.accept_connected().await;
        peer.answer_subscribe(code).await;
        if code == SubscribeReasonCode::Failure {
            peer.answer_subscribe_at(QoS::AtMostOnce, code).await;
        }
        assert!(!peer.read_to_end().await);
        let (_peer, filters) = broker.accept_subscribed().await;
        assert_eq!(filters, [FILTER]);
        assert_eq!(owner.next().await, connected(0, 2));
    }
}

#[tokio::test]
async fn what_is_refused_at_qos_1_is_had_at_qos_0() {
    let broker = FakeBroker::start().await;
    let mut owner = Owner::start(config(vec![broker.address()]));
    let (mut peer, _) = broker.accept_connected().await;
    assert_eq!(peer.answer_subscribe(SubscribeReasonCode::Failure).await, [FILTER]);
    let granted = SubscribeReasonCode::Success(QoS::AtMostOnce);
    assert_eq!(peer.answer_subscribe_at(QoS::AtMostOnce, granted).await, [FILTER]);
    assert_eq!(owner.next().await, connected(0, 1));
}

#[tokio::test]
async fn at_most_once_is_asked_for_at_once() {
    let broker = FakeBroker::start().await;
    let mut config = config(vec![broker.address()]);
    config.at_most_once = true;
    let mut owner = Owner::start(config);
    let (mut peer, _) = broker.accept_connected().await;
    let granted = SubscribeReasonCode::Success(QoS::AtMostOnce);
    assert_eq!(peer.answer_subscribe_at(QoS::AtMostOnce, granted).await, [FILTER]);
    assert_eq!(owner.next().await, connected(0, 1));
}

#[tokio::test]
async fn a_subscription_never_answered_fails_the_connection() {
    let broker = FakeBroker::start().await;
    let mut config = config(vec![broker.address()]);
    config.ack_timeout = Duration::from_millis(200);
    let mut owner = Owner::start(config);
    let (mut mute, _) = broker.accept_connected().await;
    mute.read_to_end().await;
    let _subscribed = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
}

#[tokio::test]
async fn a_refused_connect_is_tried_again() {
    let broker = FakeBroker::start().await;
    let mut owner = Owner::start(config(vec![broker.address()]));
    let mut peer = broker.accept().await;
    peer.read_connect().await;
    peer.write(Packet::ConnAck(ConnAck::new(ConnectReturnCode::ServiceUnavailable, false))).await;
    let _subscribed = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
}

/// A client that polls under a timeout shorter than this never connects.
#[tokio::test]
async fn a_slow_connack_is_awaited_on_the_same_connection() {
    let broker = FakeBroker::start().await;
    let mut owner = Owner::start(config(vec![broker.address()]));
    let mut peer = broker.accept().await;
    peer.read_connect().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    peer.write(connack()).await;
    peer.answer_subscribe(SubscribeReasonCode::Success(QoS::AtLeastOnce)).await;
    assert_eq!(owner.next().await, connected(0, 1));
}

#[tokio::test]
async fn the_next_broker_of_the_list_is_tried_and_then_the_first_again() {
    let (first, second) = (FakeBroker::start().await, FakeBroker::start().await);
    let (first_address, port) = (first.address(), first.address().port);
    drop(first);
    let mut owner = Owner::start(config(vec![first_address, second.address()]));
    let (peer, _) = second.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(1, 2));
    let first = FakeBroker::start_on(port).await;
    drop(peer);
    owner.next_disconnect().await;
    let _subscribed = first.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 3));
}

#[tokio::test]
async fn a_broker_restarted_on_the_same_port_is_found_again() {
    let (mut owner, broker, peer) = Owner::connected(|_| {}).await;
    let port = broker.address().port;
    drop((broker, peer));
    owner.next_disconnect().await;
    owner.until(|metrics| metrics.failures >= 3).await;
    let broker = FakeBroker::start_on(port).await;
    let (mut peer, filters) = broker.accept_subscribed().await;
    assert_eq!(filters, [FILTER]);
    assert!(matches!(owner.next().await, fogline_runtime::link::LinkEvent::Connected { broker: 0, .. }));
    owner.publish_all(1..=1);
    assert_eq!(peer.read_publish().await.payload, "1");
}

#[tokio::test]
async fn a_broker_that_answers_no_ping_is_left() {
    let (mut owner, _broker, mut peer) = Owner::connected(|config| config.keep_alive = Duration::from_secs(1)).await;
    assert_eq!(peer.read().await, Packet::PingReq);
    assert!(!peer.read_to_end().await);
    owner.next_disconnect().await;
}

#[tokio::test]
async fn a_will_that_does_not_fit_fails_its_attempt_only() {
    let broker = FakeBroker::start().await;
    let will = |connection| {
        let mut will = message("will", connection);
        if connection == 1 {
            will.payload = vec![0; 65 * 1024].into();
        }
        Some(will)
    };
    let (handle, events) = Link::start(config(vec![broker.address()]), will).unwrap();
    let mut owner = Owner { handle, events };
    let _subscribed = broker.accept_subscribed().await;
    assert_eq!(owner.next().await, connected(0, 2));
}

#[tokio::test]
async fn a_link_may_have_no_will() {
    let broker = FakeBroker::start().await;
    let _link = Link::start(config(vec![broker.address()]), |_| None).unwrap();
    assert_eq!(broker.accept_connected().await.1.last_will, None);
}

#[test]
fn outside_a_runtime_a_link_does_not_start() {
    let config = config(vec!["localhost".parse().unwrap()]);
    assert_eq!(Link::start(config, |_| None).unwrap_err(), LinkError::NoRuntime);
}
