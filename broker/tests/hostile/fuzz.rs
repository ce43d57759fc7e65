//! Connections that send what no client should: noise, and packets with mistakes in them.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::AsyncWriteExt,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    site::{Site, scale},
    wire::{
        Client, mistakes,
        random::{Random, seed},
    },
};

/// At the same time.
const CONNECTIONS: usize = 32;
/// A broker that has something to say says it within this.
const LISTEN: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_others_are_served() {
    let (site, seed) = (Site::start().await, seed());
    let count = scale(3_000, 100_000);
    println!("FOGLINE_HOSTILE_SEED={seed}, {count} connections");
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut attacks = JoinSet::new();
    for number in 0..count {
        let permit = Arc::clone(&room).acquire_owned().await.unwrap();
        let (address, random) = (site.address(), Random::new(seed, number));
        attacks.spawn(async move {
            drop(attack(address, random).await);
            drop(permit);
        });
        if number % 500 == 0 {
            site.is_well().await;
        }
        while attacks.try_join_next().is_some() {}
    }
    attacks.join_all().await;
    site.is_well().await;
    for name in ["clients{state=\"handshaking\"}", "clients{state=\"connected\"}"] {
        site.settles(name, |count| count == 0).await;
    }
}

/// One connection, all of whose packets depend on `random` only.
async fn attack(address: std::net::SocketAddr, mut random: Random) -> std::io::Result<()> {
    let mut client = Client::open(address).await?;
    let bytes = mistakes::stream(&mut random);
    write(&mut client, &mut random, &bytes).await?;
    let end = random.below(3);
    let listening = async { while client.reader.next().await.is_ok() {} };
    drop(timeout(LISTEN, listening).await);
    match end {
        0 => client.reset(),
        1 => client.writer.shutdown().await?,
        _ => drop(client),
    }
    Ok(())
}

/// All at once, in pieces, or byte by byte.
async fn write(client: &mut Client, random: &mut Random, bytes: &[u8]) -> std::io::Result<()> {
    let piece = match random.below(4) {
        0 if bytes.len() < 2000 => 1,
        1 => 1 + random.below(50),
        _ => bytes.len().max(1),
    };
    for piece in bytes.chunks(piece) {
        client.writer.write_all(piece).await?;
        if random.once_in(200) {
            sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}
