//! What ends rumqttd's router, and with it the whole broker: kills 1 to 3.

use std::net::SocketAddr;

use crate::{
    gate::Gate,
    wire::{Client, Connect, PUBACK, Version, packet},
};

/// Messages that are sent at once.
const FLOOD: u16 = 500;
/// Kill 3 needs the DISCONNECT to come at a bad moment.
const ATTEMPTS: usize = 200;

/// 1: a topic that begins with a character of more than one byte.
async fn publish_beyond_ascii(address: SocketAddr) {
    let mut subscriber = Client::connect(address, &Connect::new("subscriber")).await;
    subscriber.subscribe(Version::V311, "x/#", 0).await;
    let mut publisher = Client::connect(address, &Connect::new("publisher")).await;
    publisher.send(&packet::publish(Version::V311, "über/x", 0, 0, b"!")).await;
}

/// The same as a will.
async fn leave_a_will_beyond_ascii(address: SocketAddr) {
    let mut subscriber = Client::connect(address, &Connect::new("subscriber")).await;
    subscriber.subscribe(Version::V311, "x/#", 0).await;
    let mortal = Connect { will: Some(("über/x", b"!")), ..Connect::new("mortal") };
    Client::connect(address, &mortal).await.reset();
}

/// 2: the last member of a group leaves without having acknowledged what it got, and its session is kept.
async fn leave_a_group_with_unacknowledged_messages(address: SocketAddr) {
    let kept = Connect { clean: false, ..Connect::new("member") };
    let mut member = Client::connect(address, &kept).await;
    member.subscribe(Version::V311, "$share/group/work", 1).await;
    let mut publisher = Client::connect(address, &Connect::new("publisher")).await;
    for id in 1..=10 {
        publisher.send(&packet::publish(Version::V311, "work", 1, id, b"!")).await;
        publisher.reader.until(PUBACK).await;
    }
    member.reader.message().await;
    member.reset();
}

/// 3: a subscriber at QoS 0 says goodbye while messages wait for it.
async fn disconnect_with_a_backlog(address: SocketAddr) {
    let mut subscriber = Client::connect(address, &Connect::new("subscriber")).await;
    subscriber.subscribe(Version::V311, "flood", 0).await;
    let mut publisher = Client::connect(address, &Connect::new("publisher")).await;
    let flood: Vec<u8> = (0..FLOOD).flat_map(|_| packet::publish(Version::V311, "flood", 0, 0, &[0; 200])).collect();
    publisher.send(&flood).await;
    subscriber.reader.message().await;
    subscriber.send(&packet::disconnect()).await;
    subscriber.reader.closed().await;
    publisher.send(&packet::disconnect()).await;
    publisher.reader.closed().await;
}

#[tokio::test]
async fn topics_beyond_ascii_are_topics_like_others() {
    let gate = Gate::start().await;
    publish_beyond_ascii(gate.address()).await;
    leave_a_will_beyond_ascii(gate.address()).await;
    let mut subscriber = Client::connect(gate.address(), &Connect::new("subscriber")).await;
    assert_eq!(subscriber.subscribe(Version::V311, "über/#", 0).await, 0);
    publish_beyond_ascii(gate.address()).await;
    gate.is_well().await;
}

#[tokio::test]
async fn a_message_beyond_ascii_reaches_its_subscriber() {
    let gate = Gate::start().await;
    let mut observer = Client::connect(gate.address(), &Connect::new("observer")).await;
    observer.subscribe(Version::V311, "über/#", 0).await;
    publish_beyond_ascii(gate.address()).await;
    assert_eq!(observer.reader.message().await.topic(), "über/x");
    leave_a_will_beyond_ascii(gate.address()).await;
    assert_eq!(observer.reader.message().await.topic(), "über/x");
}

#[tokio::test]
async fn the_last_member_of_a_group_may_leave_and_finds_its_messages_again() {
    let gate = Gate::start().await;
    leave_a_group_with_unacknowledged_messages(gate.address()).await;
    gate.is_well().await;
    let kept = Connect { clean: false, ..Connect::new("member") };
    let mut member = Client::connect(gate.address(), &kept).await;
    for _ in 0..10 {
        assert_eq!(member.reader.message().await.topic(), "work");
    }
}

#[tokio::test]
async fn a_subscriber_may_leave_a_flood() {
    let gate = Gate::start().await;
    for _ in 0..ATTEMPTS {
        disconnect_with_a_backlog(gate.address()).await;
    }
    gate.is_well().await;
    gate.settles("waiting_bytes", 0).await;
}

#[cfg(feature = "stock-listener")]
mod on_stock {
    use super::*;
    use crate::{stock::Stock, wire::PATIENCE};

    #[tokio::test]
    async fn a_topic_beyond_ascii_kills_the_router() {
        let stock = Stock::start().await;
        publish_beyond_ascii(stock.v4).await;
        assert!(stock.panicked("router-0", PATIENCE).await);
        assert!(stock.is_dead(Version::V311).await && stock.is_dead(Version::V5).await);
    }

    #[tokio::test]
    async fn a_will_beyond_ascii_kills_the_router() {
        let stock = Stock::start().await;
        leave_a_will_beyond_ascii(stock.v4).await;
        assert!(stock.panicked("router-0", PATIENCE).await);
        assert!(stock.is_dead(Version::V311).await);
    }

    #[tokio::test]
    async fn leaving_a_group_with_unacknowledged_messages_kills_the_router() {
        let stock = Stock::start().await;
        leave_a_group_with_unacknowledged_messages(stock.v4).await;
        assert!(stock.panicked("router-0", PATIENCE).await);
        assert!(stock.is_dead(Version::V311).await);
    }

    #[tokio::test]
    async fn leaving_a_flood_kills_the_router() {
        let stock = Stock::start().await;
        let address = stock.v4;
        // The attacker's own connections break when it succeeds, in a panic of its task.
        let attack = tokio::spawn(async move {
            for _ in 0..ATTEMPTS {
                disconnect_with_a_backlog(address).await;
            }
        });
        assert!(stock.panicked("router-0", PATIENCE).await);
        attack.abort();
        assert!(stock.is_dead(Version::V311).await);
    }
}
