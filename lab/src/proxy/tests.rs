use super::*;
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// How long something may take that should happen at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must happen.
const QUIET: Duration = Duration::from_millis(300);

/// A server that sends everything back, and its port.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
            });
        }
    });
    port
}

async fn site() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).unwrap();
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    (proxy, client)
}

async fn answer(client: &mut TcpStream) -> std::io::Result<u8> {
    tokio::time::timeout(PATIENCE, client.read_u8()).await.expect("something happens")
}

async fn is_quiet(client: &mut TcpStream) -> bool {
    tokio::time::timeout(QUIET, client.read_u8()).await.is_err()
}

#[tokio::test]
async fn an_open_network_carries_both_ways_and_passes_the_end_on() {
    let (_proxy, mut client) = site().await;
    client.write_u8(7).await.unwrap();
    assert_eq!(answer(&mut client).await.unwrap(), 7);
    client.shutdown().await.unwrap();
    let end = answer(&mut client).await.unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_cut_network_resets_and_a_mended_one_connects_again() {
    let (proxy, mut client) = site().await;
    client.write_u8(1).await.unwrap();
    answer(&mut client).await.unwrap();
    proxy.set(Condition::Cut);
    assert_eq!(answer(&mut client).await.unwrap_err().kind(), std::io::ErrorKind::ConnectionReset);
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    assert!(answer(&mut refused).await.is_err());
    proxy.set(Condition::Open);
    let mut again = TcpStream::connect(proxy.address()).await.unwrap();
    again.write_u8(2).await.unwrap();
    assert_eq!(answer(&mut again).await.unwrap(), 2);
}

#[tokio::test]
async fn a_slow_network_takes_its_time_in_both_directions() {
    let (proxy, mut client) = site().await;
    proxy.set(Condition::Slow);
    let begin = Instant::now();
    client.write_u8(1).await.unwrap();
    answer(&mut client).await.unwrap();
    assert!(begin.elapsed() >= 2 * pump::SLOWED_BY);
}

#[tokio::test]
async fn a_stalled_network_loses_nothing() {
    let (proxy, mut client) = site().await;
    client.write_u8(1).await.unwrap();
    answer(&mut client).await.unwrap();
    proxy.set(Condition::Stalled);
    client.write_u8(2).await.unwrap();
    assert!(is_quiet(&mut client).await);
    proxy.set(Condition::Open);
    assert_eq!(answer(&mut client).await.unwrap(), 2);
}

#[tokio::test]
async fn a_half_open_connection_swallows_and_is_reset_when_it_is_over() {
    let (proxy, mut client) = site().await;
    client.write_u8(1).await.unwrap();
    answer(&mut client).await.unwrap();
    proxy.set(Condition::HalfOpen);
    client.write_u8(2).await.unwrap();
    assert!(is_quiet(&mut client).await);
    let mut other = TcpStream::connect(proxy.address()).await.unwrap();
    other.write_u8(3).await.unwrap();
    assert!(is_quiet(&mut other).await);
    proxy.set(Condition::Open);
    assert!(answer(&mut client).await.is_err() && answer(&mut other).await.is_err());
}
