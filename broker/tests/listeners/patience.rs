//! Peers that say nothing, and the others beside them.

use std::{net::SocketAddr, time::Duration};

use fogline_door::tls::ClientCertificates;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use tokio_rustls::TlsConnector;
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};

use crate::site::{PATIENCE, Site, connected};

/// As many as would fill a thread pool.
const SILENT: usize = 64;
/// The broker gives up silent peers after 5 s, so that who comes in before was not kept waiting by them.
const BEFORE_THEY_ARE_GIVEN_UP: Duration = Duration::from_secs(4);

async fn silent_peers(address: SocketAddr) -> Vec<TcpStream> {
    let mut peers = Vec::new();
    for _ in 0..SILENT {
        peers.push(TcpStream::connect(address).await.unwrap());
    }
    peers
}

#[tokio::test]
async fn silent_peers_keep_nobody_out_and_are_given_up_over_tls() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    let address = broker.tls_addr().unwrap();
    let silent = silent_peers(address).await;
    let (_client, mut events) = site.client("lane-1", address, None);
    timeout(BEFORE_THEY_ARE_GIVEN_UP, connected(&mut events)).await.expect("not kept out");
    given_up(silent).await;
}

#[tokio::test]
async fn silent_peers_keep_nobody_out_and_are_given_up_over_websockets() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    let address = broker.ws_addr().unwrap();
    let silent = silent_peers(address).await;
    timeout(BEFORE_THEY_ARE_GIVEN_UP, websocket(address)).await.expect("not kept out");
    given_up(silent).await;
}

/// Slowly enough that the library does not see an attack in it.
#[tokio::test]
async fn a_peer_that_sends_a_line_now_and_then_is_given_up() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    let (mut reader, mut writer) = TcpStream::connect(broker.ws_addr().unwrap()).await.unwrap().into_split();
    let slow = async {
        writer.write_all(b"GET /mqtt HTTP/1.1\r\n").await.unwrap();
        while writer.write_all(b"X-Slow: yes\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let ended = async { reader.read_u8().await.is_err() };
    tokio::select! {
        ended = timeout(PATIENCE, ended) => assert!(ended.expect("given up in time")),
        () = slow => {}
    }
}

/// Each layer is done in time, and the next one begins: the time is that of all together.
#[tokio::test]
async fn a_peer_that_is_silent_after_tls_is_given_up() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    let silent = async |address: Option<SocketAddr>| {
        let stream = TcpStream::connect(address.unwrap()).await.unwrap();
        let connector = TlsConnector::from(site.trust(None));
        let mut stream = connector.connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
        let ended = timeout(PATIENCE, stream.read_u8()).await.expect("given up in time");
        assert!(ended.is_err(), "nothing is said to who says nothing");
    };
    tokio::join!(silent(broker.tls_addr()), silent(broker.wss_addr()));
}

async fn websocket(address: SocketAddr) {
    let mut request = format!("ws://{address}/").into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "mqtt".parse().unwrap());
    client_async(request, TcpStream::connect(address).await.unwrap()).await.unwrap();
}

async fn given_up(silent: Vec<TcpStream>) {
    for mut peer in silent {
        let ended = timeout(PATIENCE, peer.read_u8()).await.expect("given up in time");
        assert!(ended.is_err(), "nothing is said to who says nothing");
    }
}
