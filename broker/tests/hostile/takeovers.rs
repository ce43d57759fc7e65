//! One client id for which many come: each life's will is published once, unless it said goodbye.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};

use crate::{
    site::{Site, scale},
    wire::{Client, Connect, PATIENCE, Version, packet},
};

/// Newcomers that fight for the client id at the same time.
const RIVALS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn each_life_has_its_will_once() {
    let site = Site::start().await;
    let mut watcher = Client::connect(site.address(), &Connect::new("watcher")).await;
    watcher.subscribe(Version::V311, "will", 1).await;
    let rounds = scale(150, 2_000);
    let started = Instant::now();
    let wanted = live_and_die(&site, rounds).await;
    let rate = f64::from(rounds) * (RIVALS + 2) as f64 / started.elapsed().as_secs_f64();
    let mut seen = BTreeMap::new();
    let all = async {
        while seen.len() < wanted.len() {
            let will = watcher.reader.message().await;
            watcher.send(&packet::ack(0x40, will.id().unwrap())).await;
            *seen.entry(String::from_utf8(will.rest().to_vec()).unwrap()).or_insert(0) += 1;
        }
    };
    let complete = timeout(PATIENCE, all).await.is_ok();
    println!("{rate:.0} lives a second, {} wills", seen.len());
    assert!(complete, "{} wills of {} came", seen.len(), wanted.len());
    assert_eq!(seen.keys().cloned().collect::<Vec<_>>(), wanted);
    assert!(seen.values().all(|count| *count == 1), "none comes twice: {seen:?}");
    assert_eq!(site.metric("wills_total"), wanted.len() as u64);
    drop(watcher);
    site.is_empty().await;
}

/// In each round some fight for the name and stay, one is reset, and one says goodbye. Gives the wills to come, sorted.
async fn live_and_die(site: &Site, rounds: i32) -> Vec<String> {
    let (mut wanted, mut stayed) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut rivals = JoinSet::new();
        for rival in 0..RIVALS {
            let (address, name) = (site.address(), format!("{round:05}-{rival}"));
            wanted.push(name.clone());
            rivals.spawn(async move { live(address, &name).await });
        }
        stayed.extend(rivals.join_all().await);
        let name = format!("{round:05}-reset");
        live(site.address(), &name).await.reset();
        wanted.push(name);
        let mut polite = live(site.address(), "polite").await;
        polite.send(&packet::disconnect()).await;
        polite.reader.closed().await;
        stayed.drain(..).for_each(drop);
    }
    wanted.sort_unstable();
    wanted
}

async fn live(address: std::net::SocketAddr, name: &str) -> Client {
    let connect = Connect { will: Some(("will", name.as_bytes())), ..Connect::new("the-one") };
    Client::connect(address, &connect).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_session_survives_a_fight_for_it() {
    let site = Site::start().await;
    let kept = Connect { clean: false, ..Connect::new("kept") };
    let mut first = Client::connect(site.address(), &kept).await;
    first.subscribe(Version::V311, "to/kept", 1).await;
    let mut publisher = Client::connect(site.address(), &Connect::new("publisher")).await;
    let count = scale(100, 1_000);
    for id in 1..=count {
        publisher.send(&packet::publish(Version::V311, "to/kept", 1, id, &id.to_be_bytes())).await;
        let rival = || Client::connect(site.address(), &kept);
        drop(tokio::join!(rival(), rival()));
        publisher.reader.until(crate::wire::PUBACK).await;
    }
    let mut last = Client::connect(site.address(), &kept).await;
    for id in 1..=count {
        let message = last.reader.message().await;
        assert_eq!(message.rest(), id.to_be_bytes(), "in order, none missing");
    }
    assert!(answers(&mut last).await);
    site.is_well().await;
}

/// It answers, so it is the owner.
async fn answers(client: &mut Client) -> bool {
    client.send(&packet::ping()).await;
    timeout(Duration::from_secs(5), client.reader.until(crate::wire::PINGRESP)).await.is_ok()
}
