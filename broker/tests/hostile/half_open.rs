//! Peers that connect and do not go on.

use std::time::Duration;

use tokio::{
    io::AsyncWriteExt,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use crate::{
    site::Site,
    wire::{Client, Connect, Version, serves},
};

const PEERS: usize = 1_000;
/// The gate gives them 5 s; the rest is for a loaded machine.
const SILENCE_ALLOWED: Duration = Duration::from_secs(15);
/// A newcomer is served in a fraction of this.
const AT_ONCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_do_not_go_on_are_closed_and_block_nobody() {
    let site = Site::start().await;
    let mut peers = JoinSet::new();
    let started = Instant::now();
    for number in 0..PEERS {
        let mut client = Client::open(site.address()).await.unwrap();
        peers.spawn(async move {
            stall(&mut client, number).await;
            client.reader.closed().await;
        });
    }
    site.settles("clients{state=\"handshaking\"}", |count| count > PEERS as u64 / 2).await;
    for _ in 0..10 {
        assert!(serves(site.address(), Version::V311, AT_ONCE).await, "while peers stall");
        assert!(site.metric("clients{state=\"handshaking\"}") > PEERS as u64 / 2, "they still do");
    }
    timeout(SILENCE_ALLOWED, async { while peers.join_next().await.is_some() {} }).await.expect("all are closed");
    println!("{PEERS} half-open peers were closed after {:?}", started.elapsed());
    site.is_empty().await;
}

/// Nothing at all, half a CONNECT, or a byte from time to time.
async fn stall(client: &mut Client, number: usize) {
    let connect = Connect::new("half-open").packet();
    match number % 3 {
        0 => {}
        1 => client.send(&connect[..connect.len() / 2]).await,
        _ => {
            for byte in &connect[..connect.len() - 1] {
                if client.writer.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
