//! Clients that try to keep others from publishing.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use fogline_broker::BrokerConfig;
use tokio::{io::AsyncWriteExt, task::JoinSet, time::timeout};

use crate::{
    site::{Site, scale},
    wire::{Client, Connect, PINGRESP, PUBACK, SUBACK, Version, packet},
};

/// A publisher is never kept from going on for so long.
const BLOCKED: Duration = Duration::from_secs(10);

/// Publishes at QoS 1 and waits for the PUBACK.
async fn publishes(address: SocketAddr, topic: &str, payload: &[u8]) -> bool {
    let mut publisher = Client::connect(address, &Connect::new("well-behaved")).await;
    publisher.send(&packet::publish(Version::V311, topic, 1, 1, payload)).await;
    timeout(BLOCKED, publisher.reader.until(PUBACK)).await.is_ok()
}

/// A member of many groups gets a message many times, which takes more room than its inbox has.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_many_groups_blocks_no_publisher() {
    let site = Site::start().await;
    let mut member = Client::connect(site.address(), &Connect::new("member")).await;
    let filters: Vec<_> = (0..900).map(|group| format!("$share/g{group}/t")).collect();
    let filters: Vec<_> = filters.iter().map(|filter| (&**filter, 0)).collect();
    member.send(&packet::subscribe(Version::V311, 1, &filters)).await;
    member.reader.until(SUBACK).await;
    for number in 0..3 {
        assert!(publishes(site.address(), "t", &[number; 200]).await);
    }
    for number in 0..3 * 900 {
        let expected = u8::try_from(number / 900).unwrap();
        assert_eq!(member.reader.message().await.rest(), [expected; 200], "each group has its message");
    }
    drop(member);
    site.is_empty().await;
}

/// The same without malice: a group and a plain subscription, and messages of more than half the room.
#[tokio::test(flavor = "multi_thread")]
async fn two_copies_of_a_large_message_pass() {
    let site = Site::start().await;
    let mut member = Client::connect(site.address(), &Connect::new("member")).await;
    member.subscribe(Version::V311, "t", 1).await;
    member.subscribe(Version::V311, "$share/g/t", 1).await;
    assert!(publishes(site.address(), "t", &[0; 48 * 1024]).await);
    for _ in 0..2 {
        assert_eq!(member.reader.message().await.rest().len(), 48 * 1024);
    }
}

/// Whoever has a will for a topic of its own inbox must not wait for itself, and nobody for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_will_to_oneself_blocks_nobody() {
    // Nobody is disconnected for being behind, unless the machine stands still.
    let config = BrokerConfig { max_queue_bytes: 1 << 30, max_all_queue_bytes: 1 << 30, ..BrokerConfig::default() };
    let site = Site::with(config).await;
    let mut flood = JoinSet::new();
    for number in 0..3 {
        let mut flooder = Client::connect(site.address(), &Connect::new(&format!("flooder-{number}"))).await;
        let chunk = packet::publish(Version::V311, "own", 0, 0, &[0; 500]).repeat(50);
        flood.spawn(async move { while flooder.writer.write_all(&chunk).await.is_ok() {} });
    }
    for clean in [true, false] {
        for life in 0..scale(20, 200) {
            let connect = Connect { clean, will: Some(("own", &[0; 500])), ..Connect::new("mortal") };
            let mut mortal = Client::connect(site.address(), &connect).await;
            mortal.subscribe(Version::V311, "own", 0).await;
            mortal.reader.message().await;
            if life % 2 == 0 {
                mortal.reset();
            }
        }
    }
    assert!(publishes(site.address(), "own", b"still served").await);
    flood.abort_all();
    site.is_well().await;
}

/// A subscriber that takes nothing is given up, and nobody waits for that.
#[tokio::test(flavor = "multi_thread")]
async fn publishers_do_not_wait_for_subscribers_that_do_not_read() {
    let site = Site::start().await;
    let mut deaf = Vec::new();
    for number in 0..50 {
        let mut client = Client::open_narrow(site.address()).await.unwrap();
        client.greet(&Connect::new(&format!("deaf-{number}"))).await;
        client.subscribe(Version::V311, "news/#", 1).await;
        deaf.push(client);
    }
    let mut publisher = Client::connect(site.address(), &Connect::new("publisher")).await;
    let publishing = async {
        for _ in 0..scale(100, 1_000) {
            publisher.send(&packet::publish(Version::V311, "news/today", 0, 0, &[0; 20_000])).await;
        }
        publisher.send(&packet::ping()).await;
        publisher.reader.until(PINGRESP).await;
    };
    assert!(timeout(BLOCKED, publishing).await.is_ok());
    drop((deaf, publisher));
    site.is_empty().await;
}

/// Whoever publishes more than its rate is read more slowly. Its silence meanwhile is the gate's, and no reason to disconnect it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_slowed_down_is_not_taken_for_silent() {
    let config = BrokerConfig { max_messages_per_second: 100, ..BrokerConfig::default() };
    let site = Site::with(config).await;
    let mut eager = Client::connect(site.address(), &Connect { keep_alive: 1, ..Connect::new("eager") }).await;
    // Two seconds more than the first second's worth, and longer than the gate takes silence.
    let burst = packet::publish(Version::V311, "t", 0, 0, b"").repeat(300);
    for _ in 0..2 {
        eager.send(&[&burst[..], &packet::ping()].concat()).await;
        eager.reader.until(PINGRESP).await;
    }
    eager.send(&packet::ping()).await;
    eager.reader.until(PINGRESP).await;
    let silence = Instant::now();
    eager.reader.closed().await;
    assert!(silence.elapsed() > Duration::from_millis(1_400), "its own silence counts: {:?}", silence.elapsed());
    site.is_empty().await;
}
