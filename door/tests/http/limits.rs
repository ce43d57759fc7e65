//! What a client can take from the others. In paused time, which jumps on whenever everything waits.

use crate::server::{Answer, PATIENCE, Server, bearer, hear, talk};
use fogline_door::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// A change with a body that is announced in `header`.
async fn send(server: &Server, header: &str, body: &str) -> Answer {
    let head = format!("POST /length HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\n\r\n");
    talk(server.connect().await, &(head + body)).await
}

#[tokio::test]
async fn bodies_have_an_end() {
    let server = Server::open().await;
    let most = "x".repeat(64 * 1024);
    assert_eq!(send(&server, "Content-Length: 65536", &most).await.body, "65536");
    send(&server, "Content-Length: 65537", "").await.assert_problem(413);
    let chunk = format!("10000\r\n{most}\r\n");
    assert_eq!(send(&server, "Transfer-Encoding: chunked", &format!("{chunk}0\r\n\r\n")).await.body, "65536");
    send(&server, "Transfer-Encoding: chunked", &format!("{chunk}1\r\nx\r\n")).await.assert_problem(413);
}

#[tokio::test]
async fn a_body_is_not_read_of_whom_may_not_send_it() {
    let server = Server::with_tokens().await;
    send(&server, "Content-Length: 1000000", "").await.assert_problem(401);
    send(&server, &format!("Content-Length: 1000000\r\n{}", bearer(&server.viewer)), "").await.assert_problem(403);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let server = Server::open().await;
    send(&server, "Content-Length: 10", "half").await.assert_problem(408);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_ends_early_is_refused() {
    let server = Server::open().await;
    send(&server, "Transfer-Encoding: chunked", "nonsense\r\n").await.assert_problem(400);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_is_not_waited_for() {
    let server = Server::open().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n").await.unwrap();
    assert!(!hear(&mut stream).await.contains("200"));
    assert_eq!(hear(&mut server.connect().await).await, "", "nor is one that does not begin");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_is_not_waited_for() {
    let server = Server::open().await;
    let (mut reading, mut writing) = server.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Limits::default().head_time / 2).await;
            writing.write_all(b"X").await.unwrap();
        }
    });
    hear(&mut reading).await;
    dripping.abort();
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_has_begun_may_go_on_for_longer_than_a_handler() {
    let server = Server::open().await;
    let answer = server.ask("GET", "/drips", &[]).await;
    assert_eq!((answer.status, answer.body.matches("drop").count()), (200, 8));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_used_is_closed() {
    let server = Server::open().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(hear(&mut stream).await.contains("200 OK"));
}

#[tokio::test]
async fn heads_have_an_end() {
    let server = Server::open().await;
    let many: Vec<String> = (0..65).map(|n| format!("X-{n}: x")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(server.ask("GET", "/healthz", &many).await.status, 431);
    let long = format!("X: {}", "x".repeat(17 * 1024));
    assert_eq!(server.ask("GET", "/healthz", &[&long]).await.status, 431);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers_is_ended() {
    Server::open().await.ask("GET", "/never", &[]).await.assert_problem(503);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_given_up() {
    let server = Server::open().await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    tokio::time::sleep(Limits::default().write_time * 2).await;
    let mut taken = Vec::new();
    // A reset or an end: either way less than all of it.
    drop(timeout(PATIENCE, stream.read_to_end(&mut taken)).await.expect("the connection ends"));
    assert!(taken.len() < 64 << 20, "{}", taken.len());
}

#[tokio::test]
async fn connections_are_limited_and_make_room() {
    let server = Server::open_with(Limits { connections: 2, ..Limits::default() }).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        stream.read_u8().await.unwrap();
        held.push(stream);
    }
    let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let knock = async || {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.ok();
        hear(&mut stream).await
    };
    assert_eq!(knock().await, "");
    held.pop();
    let served = timeout(PATIENCE, async { while !knock().await.contains("200 OK") {} }).await;
    assert!(served.is_ok());
}
