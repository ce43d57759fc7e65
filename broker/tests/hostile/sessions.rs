//! Sessions that nobody comes back to.

use std::sync::Arc;

use fogline_broker::BrokerConfig;
use tokio::{io::AsyncWriteExt, sync::Semaphore, task::JoinSet};

use crate::{
    site::{Site, resident_kib, scale},
    wire::{Client, Connect, Version, packet},
};

/// As many as are kept, in this test.
const KEPT: usize = 500;
/// The router's and the gate's part of a kept session that has subscribed.
const KIB_PER_SESSION: u64 = 80;

#[tokio::test(flavor = "multi_thread")]
async fn sessions_that_are_kept_are_bounded() {
    let config = BrokerConfig { max_connections: scale(KEPT, 20_000), ..BrokerConfig::default() };
    let kept = config.max_connections as u64;
    let site = Site::with(config).await;
    let before = resident_kib();
    let (room, mut clients) = (Arc::new(Semaphore::new(32)), JoinSet::new());
    for number in 0..kept * 3 / 2 {
        let (address, permit) = (site.address(), Arc::clone(&room).acquire_owned().await.unwrap());
        clients.spawn(async move {
            let id = format!("session-{number}");
            let connect = Connect { clean: false, ..Connect::new(&id) };
            let mut client = Client::connect(address, &connect).await;
            client.subscribe(Version::V311, "to/all", 1).await;
            client.send(&packet::disconnect()).await;
            client.reader.closed().await;
            drop(permit);
        });
        while clients.try_join_next().is_some() {}
    }
    clients.join_all().await;
    site.settles("clients{state=\"connected\"}", |count| count == 0).await;
    site.settles("client_ids", |count| count <= kept).await;
    let per_session = (resident_kib() - before) / kept;
    println!("{} sessions are kept, {per_session} KiB each", site.metric("clients{state=\"asleep\"}"));
    assert!(site.metric("subscriptions") <= kept);
    assert!(site.metric("sessions_overflowed_total") >= kept / 3, "the others were ended, and counted");
    assert!(per_session < KIB_PER_SESSION, "{per_session} KiB");
    site.is_well().await;
}

/// What waits for those who are away is bounded for each, and for all, and whoever is there pays for neither.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_absent_is_bounded() {
    let config = BrokerConfig { max_queue_bytes: 1 << 20, max_all_queue_bytes: 4 << 20, ..BrokerConfig::default() };
    let site = Site::with(config).await;
    for number in 0..10 {
        let id = format!("away-{number}");
        let connect = Connect { clean: false, ..Connect::new(&id) };
        let mut client = Client::connect(site.address(), &connect).await;
        client.subscribe(Version::V311, &format!("to/{number}"), 1).await;
        client.send(&packet::disconnect()).await;
        client.reader.closed().await;
    }
    let mut present = Client::connect(site.address(), &Connect::new("present")).await;
    present.subscribe(Version::V311, "to/present", 0).await;
    let mut publisher = Client::connect(site.address(), &Connect::new("publisher")).await;
    for round in 0..90 {
        for number in 0..10 {
            publisher.send(&packet::publish(Version::V311, &format!("to/{number}"), 0, 0, b"")).await;
            publisher.send(&packet::publish(Version::V311, &format!("to/{number}"), 1, 1, &[0; 10_000])).await;
            publisher.reader.until(crate::wire::PUBACK).await;
        }
        publisher.send(&packet::publish(Version::V311, "to/present", 0, 0, b"hello")).await;
        assert_eq!(present.reader.message().await.rest(), b"hello", "round {round}");
        assert!(site.metric("waiting_bytes") < 8 << 20, "twice the bound at most");
    }
    assert!(site.metric("sessions_overflowed_total") > 0);
    site.is_well().await;
}

/// When all that may wait does wait, those who are behind pay for it, and not whoever comes next.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_store_is_not_the_fault_of_who_reads() {
    let all = 1 << 20;
    let config = BrokerConfig { max_queue_bytes: all, max_all_queue_bytes: all, ..BrokerConfig::default() };
    let site = Site::with(config).await;
    let mut present = Client::connect(site.address(), &Connect::new("present")).await;
    present.subscribe(Version::V311, "to/present", 0).await;
    let mut away = Client::connect(site.address(), &Connect { clean: false, ..Connect::new("away") }).await;
    away.subscribe(Version::V311, "to/away", 1).await;
    drop(away);
    site.settles("clients{state=\"asleep\"}", |count| count == 1).await;
    let mut publisher = Client::connect(site.address(), &Connect::new("publisher")).await;
    while site.metric("waiting_bytes") < all as u64 - 2_000 {
        publisher.send(&packet::publish(Version::V311, "to/away", 1, 1, &[0; 500])).await;
        publisher.reader.until(crate::wire::PUBACK).await;
    }
    for _ in 0..10 {
        publisher.send(&packet::publish(Version::V311, "to/present", 0, 0, &[0; 10_000])).await;
        assert_eq!(present.reader.message().await.rest().len(), 10_000);
    }
    site.is_well().await;
}

/// The router's names for inboxes are used again: what is on its way to one who has gone is for nobody.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_what_was_meant_for_another() {
    let site = Site::start().await;
    for number in 0..3 {
        let mut flooder = Client::connect(site.address(), &Connect::new(&format!("flooder-{number}"))).await;
        let chunk = packet::publish(Version::V311, "secret", 0, 0, &[0; 500]).repeat(50);
        tokio::spawn(async move { while flooder.writer.write_all(&chunk).await.is_ok() {} });
    }
    for _ in 0..scale(200, 2_000) {
        let mut entitled = Client::connect(site.address(), &Connect::new("entitled")).await;
        entitled.subscribe(Version::V311, "secret", 0).await;
        entitled.reader.message().await;
        entitled.send(&packet::disconnect()).await;
        entitled.reader.closed().await;
        let mut other = Client::connect(site.address(), &Connect::new("other")).await;
        other.subscribe(Version::V311, "public", 0).await;
        other.send(&packet::publish(Version::V311, "public", 0, 0, b"")).await;
        assert_eq!(other.reader.message().await.topic(), "public");
    }
}
