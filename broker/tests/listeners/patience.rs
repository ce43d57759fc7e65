//! Peers that say nothing, and the others beside them.

use std::{net::SocketAddr, time::Duration};

use fogline_door::tls::ClientCertificates;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

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

async fn given_up(silent: Vec<TcpStream>) {
    for mut peer in silent {
        let ended = timeout(PATIENCE, peer.read_u8()).await.expect("given up in time");
        assert!(ended.is_err(), "nothing is said to who says nothing");
    }
}
