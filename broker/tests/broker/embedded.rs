//! The broker inside another program.

use std::net::{SocketAddr, TcpListener};

use fogline_broker::{Broker, BrokerConfig, BrokerError, run};
use fogline_door::http::HttpConfig;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    time::timeout,
};

use crate::support::{PATIENCE, client, publish};

fn on_a_free_port() -> BrokerConfig {
    BrokerConfig { listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))), ..BrokerConfig::default() }
}

#[tokio::test]
async fn it_serves_until_it_is_told_to_stop() {
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, is_ready) = oneshot::channel();
    let running = tokio::spawn(run(on_a_free_port(), async move { stopped.await.unwrap() }, |broker| {
        ready.send(broker.local_addr()).unwrap()
    }));
    let address = timeout(PATIENCE, is_ready).await.unwrap().unwrap();
    let (client, mut events) = client("car-1", address);
    publish(&client, &mut events, "fogline/v1/north/car-1/up/hello", b"{}").await;
    stop.send(()).unwrap();
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    assert!(events.poll().await.is_err() || events.poll().await.is_err(), "the connection is closed");
}

#[tokio::test]
async fn its_port_is_free_again_after_a_stop() {
    let first = Broker::start(on_a_free_port()).await.unwrap();
    let listen = first.local_addr();
    first.stop().await;
    let second = Broker::start(BrokerConfig { listen: Some(listen), ..BrokerConfig::default() }).await.unwrap();
    assert_eq!(second.local_addr(), listen);
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let error = Broker::start(BrokerConfig { listen: Some(listen), ..BrokerConfig::default() }).await.unwrap_err();
    assert!(matches!(error, BrokerError::Listen { address, .. } if address == listen), "{error}");
}

#[tokio::test]
async fn bad_settings_are_an_error() {
    let error = Broker::start(BrokerConfig { segment_count: 0, ..on_a_free_port() }).await.unwrap_err();
    assert!(matches!(error, BrokerError::Settings(_)), "{error}");
}

#[tokio::test]
async fn it_listens_on_ipv6_too() {
    let listen = Some("[::1]:0".parse().unwrap());
    if TcpListener::bind("[::1]:0").is_ok() {
        Broker::start(BrokerConfig { listen, ..BrokerConfig::default() }).await.unwrap();
    }
}

#[tokio::test]
async fn it_serves_health_and_metrics_where_it_is_asked_to() {
    let http = HttpConfig::new("127.0.0.1:0".parse().unwrap());
    let broker = Broker::start(BrokerConfig { http: Some(http), ..on_a_free_port() }).await.unwrap();
    let (client, mut events) = client("car-1", broker.local_addr());
    publish(&client, &mut events, "fogline/v1/north/car-1/up/hello", b"{}").await;
    let url = broker.http_url().unwrap();
    let address = url.strip_prefix("http://").unwrap();
    assert!(get(address, "/healthz").await.ends_with("ok\n"));
    let page = get(address, "/metrics").await;
    for line in ["fogline_broker_clients{state=\"connected\"} 1", "fogline_broker_messages_in_total 1"] {
        assert!(page.lines().any(|found| found == line), "{line} is not in: {page}");
    }
}

async fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}
