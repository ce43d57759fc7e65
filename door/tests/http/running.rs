//! Start and stop.

use crate::server::{Server, any_port, hear, routes};
use axum::Router;
use axum::routing::get;
use fogline_door::http::{DoorError, HttpConfig, serve};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

const REQUEST: &[u8] = b"GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let server = Server::open().await;
    let refused = serve(HttpConfig::new(server.door.address), routes()).await.unwrap_err();
    assert!(matches!(refused, DoorError::Listen { .. }));
    let text = refused.to_string();
    assert!(text.contains(&server.door.address.to_string()) && text.contains("--http"), "{text}");
}

#[tokio::test]
async fn a_stop_lets_answers_end_and_takes_no_more() {
    let (reached, proceed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reach, wait) = (Arc::clone(&reached), Arc::clone(&proceed));
    let page = get(|| async move {
        reach.notify_one();
        wait.notified().await;
        "done"
    });
    let door = serve(HttpConfig::new(any_port()), Router::new().route("/wait", page)).await.unwrap();
    let address = door.address;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    reached.notified().await;
    let stopping = tokio::spawn(door.stop());
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    proceed.notify_one();
    assert!(hear(&mut stream).await.ends_with("done"));
    stopping.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let reached = Arc::new(Notify::new());
    let reach = Arc::clone(&reached);
    let page = get(|| async move {
        reach.notify_one();
        std::future::pending::<&str>().await
    });
    let door = serve(HttpConfig::new(any_port()), Router::new().route("/wait", page)).await.unwrap();
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(REQUEST).await.unwrap();
    reached.notified().await;
    let began = tokio::time::Instant::now();
    door.stop().await;
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    assert_eq!(hear(&mut stream).await, "");
}

#[tokio::test]
async fn what_is_dropped_is_closed() {
    let server = Server::open().await;
    let (address, mut stream) = (server.door.address, server.connect().await);
    stream.write_all(b"GET /never HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    drop(server);
    hear(&mut stream).await;
    assert!(TcpStream::connect(address).await.is_err());
}
