//! What closes one of rumqttd's listeners to everybody: kills 4 to 7.

use std::{net::SocketAddr, time::Duration};

use tokio::{io::AsyncWriteExt, time::timeout};

use crate::{
    gate::Gate,
    wire::{Client, Connect, Version, packet},
};

/// A silent connection is closed after this by the gate, which gives it 5 s.
const SILENCE_ALLOWED: Duration = Duration::from_secs(10);
const SILENT: usize = 50;

/// The upgrade that a browser asks for.
const UPGRADE: &str = "GET /mqtt HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n";

/// 4: a client id that is refused, used twice.
async fn insist_on_a_bad_client_id(address: SocketAddr) {
    for _ in 0..2 {
        let mut client = Client::open(address).await.unwrap();
        client.send(&Connect::new("a+b").packet()).await;
        // The stock listener closes, the gate may accept.
        drop(timeout(Duration::from_millis(500), client.reader.next()).await);
    }
}

/// 5: properties that a 3.1.1 subscriber cannot be sent. It comes back once.
async fn publish_properties_to_3_1_1(v4: SocketAddr, v5: SocketAddr) -> Client {
    let mut subscriber = Client::connect(v4, &Connect::new("old")).await;
    subscriber.subscribe(Version::V311, "t", 1).await;
    let mut publisher = Client::connect(v5, &Connect { version: Version::V5, ..Connect::new("new") }).await;
    // A user property, a content type, a message expiry.
    let properties = b"\x26\x00\x01k\x00\x01v\x03\x00\x01x\x02\x00\x00\x00\x3c";
    publisher.send(&packet::publish_with(Version::V5, 0x02, "t", 1, properties, b"payload")).await;
    subscriber
}

/// 6: packets that only a server sends. The client comes back once.
async fn answer_like_a_server(address: SocketAddr) {
    let connect = Connect { version: Version::V5, ..Connect::new("upside-down") };
    for packet in [&b"\x20\x03\x00\x00\x00"[..], b"\xb0\x04\x00\x01\x00\x00", b"\x90\x04\x00\x01\x00\x00", b"\xd0\x00"]
    {
        for _ in 0..2 {
            let mut client = Client::open(address).await.unwrap();
            client.send(&[&connect.packet(), packet].concat()).await;
            drop(timeout(Duration::from_millis(500), client.reader.next()).await);
        }
    }
}

#[tokio::test]
async fn a_client_id_of_any_characters_may_come_twice() {
    let gate = Gate::start().await;
    insist_on_a_bad_client_id(gate.address()).await;
    let too_long = "x".repeat(300);
    for _ in 0..2 {
        let mut client = Client::open(gate.address()).await.unwrap();
        client.send(&Connect::new(&too_long).packet()).await;
        assert_eq!(client.reader.next().await.unwrap().body[1], 2, "identifier rejected");
        client.reader.closed().await;
    }
    gate.is_well().await;
}

#[tokio::test]
async fn properties_are_left_out_for_a_3_1_1_subscriber() {
    let gate = Gate::start().await;
    let mut subscriber = publish_properties_to_3_1_1(gate.address(), gate.address()).await;
    let message = subscriber.reader.message().await;
    assert_eq!((message.topic(), message.rest()), ("t", &b"payload"[..]));
    gate.is_well().await;
}

#[tokio::test]
async fn a_client_that_sends_a_servers_packets_is_disconnected() {
    let gate = Gate::start().await;
    answer_like_a_server(gate.address()).await;
    for packet in [&b"\x20\x03\x00\x00\x00"[..], b"\xb0\x04\x00\x01\x00\x00", b"\x90\x04\x00\x01\x00\x00", b"\xd0\x00"]
    {
        let connect = Connect { version: Version::V5, ..Connect::new("upside-down") };
        let mut client = Client::connect(gate.address(), &connect).await;
        client.send(packet).await;
        let goodbye = client.reader.next().await.unwrap();
        assert_eq!((goodbye.first, goodbye.body), (0xe0, vec![0x81]), "DISCONNECT, malformed packet");
        client.reader.closed().await;
    }
    gate.is_well().await;
}

/// 7: connections on which nothing comes. So far the gate has one listener, for plain TCP.
#[tokio::test]
async fn silent_connections_block_nobody_and_are_closed() {
    let gate = Gate::start().await;
    let mut silent = Vec::new();
    for _ in 0..SILENT {
        silent.push(Client::open(gate.address()).await.unwrap());
    }
    gate.is_well().await;
    assert_eq!(gate.metric("clients{state=\"handshaking\"}"), SILENT as u64, "all of them are still there");
    for mut client in silent {
        timeout(SILENCE_ALLOWED, client.reader.closed()).await.expect("closed in time");
    }
    gate.is_well().await;
}

/// A listener for MQTT is not blocked by a client that speaks HTTP to it.
#[tokio::test]
async fn a_browser_at_the_wrong_port_is_closed() {
    let gate = Gate::start().await;
    let mut browser = Client::open(gate.address()).await.unwrap();
    browser.writer.write_all(UPGRADE.as_bytes()).await.unwrap();
    browser.reader.closed().await;
    gate.is_well().await;
}

#[cfg(feature = "stock-listener")]
mod on_stock {
    use super::*;
    use crate::{stock::Stock, wire::PATIENCE};

    #[tokio::test]
    async fn a_bad_client_id_used_twice_closes_the_listener() {
        let stock = Stock::start().await;
        insist_on_a_bad_client_id(stock.v4).await;
        assert!(stock.is_dead(Version::V311).await);
    }

    #[tokio::test]
    async fn a_property_for_a_3_1_1_subscriber_closes_its_listener() {
        let stock = Stock::start().await;
        let mut subscriber = publish_properties_to_3_1_1(stock.v4, stock.v5).await;
        assert!(stock.panicked("panicked", PATIENCE).await);
        subscriber.reader.closed().await;
        let mut again = Client::open(stock.v4).await.unwrap();
        again.send(&Connect::new("old").packet()).await;
        drop(timeout(Duration::from_millis(500), again.reader.next()).await);
        assert!(stock.is_dead(Version::V311).await);
    }

    #[tokio::test]
    async fn a_client_that_answers_like_a_server_closes_the_listener() {
        let stock = Stock::start().await;
        answer_like_a_server(stock.v5).await;
        assert!(stock.is_dead(Version::V5).await);
    }

    /// Shown on WebSocket. TLS shakes hands at the same place in rumqttd, `Server::start`; its feature would bring a second rustls.
    #[tokio::test]
    async fn one_silent_connection_blocks_a_websocket_listener() {
        let stock = Stock::start().await;
        let silent = Client::open(stock.websocket).await.unwrap();
        assert!(!upgrades(stock.websocket).await, "nobody is served while it is open");
        drop(silent);
        assert!(upgrades(stock.websocket).await, "and all are when it is gone");
    }

    async fn upgrades(address: SocketAddr) -> bool {
        use tokio::io::AsyncReadExt;
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(UPGRADE.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = timeout(Duration::from_secs(2), stream.read_exact(&mut answer)).await;
        matches!(read, Ok(Ok(_))) && answer == *b"HTTP/1.1 101"
    }
}
