//! Kill 8: rumqttd takes the end of an old connection for the end of the one that has replaced it.

use std::{net::SocketAddr, time::Duration};

use tokio::time::timeout;

use crate::{
    gate::Gate,
    wire::{Client, Connect, PINGRESP, Version, packet},
};

/// More than the buffers of a narrow socket and its peer hold.
const FLOOD_BYTES: usize = 8 * 1024 * 1024;
const MESSAGE: [u8; 8192] = [0; 8192];

/// The old connection reads nothing until the broker cannot write to it, is replaced, and breaks. Gives the new one.
async fn replace_a_stuck_connection(address: SocketAddr) -> Client {
    let connect = Connect::new("twin");
    let mut old = Client::open_narrow(address).await.unwrap();
    old.greet(&connect).await;
    old.subscribe(Version::V311, "flood", 0).await;
    flood(address).await;
    let mut new = Client::connect(address, &connect).await;
    // It is served.
    new.send(&packet::ping()).await;
    new.reader.until(PINGRESP).await;
    old.reset();
    new
}

async fn flood(address: SocketAddr) {
    let mut publisher = Client::connect(address, &Connect::new("publisher")).await;
    for _ in 0..FLOOD_BYTES / MESSAGE.len() {
        publisher.send(&packet::publish(Version::V311, "flood", 0, 0, &MESSAGE)).await;
    }
    publisher.send(&packet::ping()).await;
    publisher.reader.until(PINGRESP).await;
}

/// Whether a connection stays open for a while, and answers then.
async fn stays(client: &mut Client) -> bool {
    let ended = timeout(Duration::from_secs(1), async { while client.reader.next().await.is_ok() {} });
    ended.await.is_err()
}

#[tokio::test]
async fn the_end_of_an_old_connection_is_not_the_end_of_the_new_one() {
    let gate = Gate::start().await;
    let mut new = replace_a_stuck_connection(gate.address()).await;
    assert!(stays(&mut new).await);
    new.send(&packet::ping()).await;
    new.reader.until(PINGRESP).await;
    gate.is_well().await;
}

#[cfg(feature = "stock-listener")]
#[tokio::test]
async fn on_stock_the_end_of_an_old_connection_ends_the_new_one() {
    let stock = crate::stock::Stock::start().await;
    let mut new = replace_a_stuck_connection(stock.v4).await;
    assert!(!stays(&mut new).await);
}
