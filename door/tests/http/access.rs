//! Who may what.

use crate::server::{Server, any_port, bearer, routes};
use fogline_door::http::{DoorError, HttpConfig, Role, add, remove, serve};
use std::time::Duration;

#[tokio::test]
async fn health_needs_no_token() {
    let server = Server::with_tokens().await;
    assert_eq!(server.ask("GET", "/healthz", &[]).await.status, 200);
    assert_eq!(server.ask("HEAD", "/healthz", &[]).await.status, 200);
    server.ask("POST", "/healthz", &[]).await.assert_problem(401);
}

#[tokio::test]
async fn a_path_that_is_named_open_needs_no_token() {
    let server = Server::with_tokens().await;
    assert_eq!(server.ask("GET", "/page", &[]).await.body, "page");
    server.ask("POST", "/page", &[]).await.assert_problem(401);
    for near in ["/page/", "/pages", "//page", "/%70age", "/who/../page"] {
        server.ask("GET", near, &[]).await.assert_problem(401);
    }
    let open = Server::open().await;
    let elsewhere = "Host: evil.example";
    assert_eq!(open.ask_bare("GET /page HTTP/1.1", &[elsewhere]).await.body, "page", "the same for everybody");
    open.ask_bare("GET /metrics HTTP/1.1", &[elsewhere]).await.assert_problem(403);
}

#[tokio::test]
async fn all_else_needs_one() {
    let server = Server::with_tokens().await;
    for path in
        ["/readyz", "/metrics", "/who", "/nothing", "/healthz/", "//healthz", "/healthz/../metrics", "/%68ealthz"]
    {
        let answer = server.ask("GET", path, &[]).await;
        answer.assert_problem(401);
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("bearer")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let server = Server::with_tokens().await;
    assert_eq!(server.ask_as(&server.viewer, "GET", "/metrics").await.body, "metrics 1\n");
    assert_eq!(server.ask_as(&server.viewer, "GET", "/who").await.body, "grafana viewer");
    assert_eq!(server.ask_as(&server.viewer, "GET", "/nothing").await.status, 404);
    for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE"] {
        server.ask_as(&server.viewer, method, "/who").await.assert_problem(403);
    }
    server.ask_as(&server.viewer, "POST", "/healthz").await.assert_problem(403);
}

#[tokio::test]
async fn an_operator_looks_and_changes() {
    let server = Server::with_tokens().await;
    assert_eq!(server.ask_as(&server.operator, "GET", "/who").await.body, "anna operator");
    assert_eq!(server.ask_as(&server.operator, "POST", "/who").await.body, "anna operator");
}

#[tokio::test]
async fn what_is_no_token_is_none() {
    let server = Server::with_tokens().await;
    let right = &server.viewer;
    let short = &right[..right.len() - 1];
    for wrong in [short, &format!("{right}0"), &right.to_ascii_uppercase(), "", &"x".repeat(4000)] {
        server.ask_as(wrong, "GET", "/metrics").await.assert_problem(401);
    }
    let (basic, twice) = (format!("Authorization: Basic {right}"), bearer(right));
    server.ask("GET", "/metrics", &[&basic]).await.assert_problem(401);
    server.ask("GET", "/metrics", &[&twice, &twice]).await.assert_problem(401);
    server.ask("GET", &format!("/metrics?access_token={right}"), &[]).await.assert_problem(401);
    server.ask("GET", "/metrics", &[&format!("Cookie: token={right}")]).await.assert_problem(401);
    let lower = format!("authorization: bearer {right}");
    assert_eq!(server.ask("GET", "/metrics", &[&lower]).await.status, 200);
}

#[tokio::test]
async fn wrong_tokens_are_limited_and_right_ones_are_not() {
    let server = Server::with_tokens().await;
    for _ in 0..10 {
        server.ask_as("wrong", "GET", "/metrics").await.assert_problem(401);
    }
    let answer = server.ask_as("wrong", "GET", "/metrics").await;
    answer.assert_problem(429);
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=61).contains(&wait), "{wait}");
    assert_eq!(server.ask_as(&server.viewer, "GET", "/metrics").await.status, 200);
    server.ask("GET", "/metrics", &[]).await.assert_problem(401);
}

#[tokio::test]
async fn a_wrong_token_costs_the_connection() {
    let server = Server::with_tokens().await;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{}\r\n\r\n", bearer("wrong"));
    let answer = crate::server::talk(server.connect().await, &request).await;
    answer.assert_problem(401);
    assert_eq!(answer.header("connection"), Some("close"));
}

#[tokio::test]
async fn without_tokens_this_machine_may_everything() {
    let server = Server::open().await;
    assert_eq!(server.ask("GET", "/metrics", &[]).await.status, 200);
    assert_eq!(server.ask("POST", "/who", &[]).await.status, 200);
    let port = server.door.address.port();
    for host in [format!("Host: localhost:{port}"), format!("Host: [::1]:{port}")] {
        assert_eq!(server.ask_bare("GET /metrics HTTP/1.1", &[&host]).await.status, 200, "{host}");
    }
}

#[tokio::test]
async fn without_tokens_other_names_are_refused() {
    let server = Server::open().await;
    let evil = "Host: evil.example";
    server.ask_bare("GET /metrics HTTP/1.1", &[evil]).await.assert_problem(403);
    server.ask_bare("POST /who HTTP/1.1", &[evil]).await.assert_problem(403);
    server.ask_bare("GET /metrics HTTP/1.1", &[]).await.assert_problem(403);
    server.ask_bare("GET http://evil.example/metrics HTTP/1.1", &["Host: localhost"]).await.assert_problem(403);
    assert_eq!(server.ask_bare("GET /healthz HTTP/1.1", &[evil]).await.status, 200);
    let server = Server::with_tokens().await;
    let gate = server.ask_bare("GET /metrics HTTP/1.1", &["Host: gate.example", &bearer(&server.viewer)]).await;
    assert_eq!(gate.status, 200, "with tokens the name does not matter");
}

#[tokio::test]
async fn others_are_served_with_tokens_only() {
    let folder = tempfile::tempdir().unwrap();
    let open = HttpConfig::new("0.0.0.0:0".parse().unwrap());
    let refused = serve(open.clone(), routes()).await.unwrap_err();
    assert!(matches!(refused, DoorError::OpenToOthers(_)) && refused.to_string().contains("fogline token add"));
    let tokens = folder.path().join("tokens");
    add(&tokens, "anna", Role::Operator).unwrap();
    drop(serve(HttpConfig { tokens: Some(tokens), ..open }, routes()).await.unwrap());
}

#[tokio::test]
async fn tokens_that_cannot_be_read_are_no_start() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let config = HttpConfig { tokens: Some(tokens.clone()), ..HttpConfig::new(any_port()) };
    let refused = serve(config.clone(), routes()).await.unwrap_err().to_string();
    assert!(refused.contains("fogline token add"), "{refused}");
    std::fs::write(&tokens, "# remark\nanna operator secret-by-mistake\n").unwrap();
    let refused = serve(config, routes()).await.unwrap_err().to_string();
    assert!(refused.contains("line 2") && !refused.contains("secret-by-mistake"), "{refused}");
}

/// Paused time: it jumps on whenever everything waits.
#[tokio::test(start_paused = true)]
async fn tokens_come_and_go_without_a_restart() {
    let server = Server::with_tokens().await;
    let look = Duration::from_secs(5);
    let new = add(&server.tokens(), "new", Role::Viewer).unwrap();
    remove(&server.tokens(), "grafana").unwrap();
    tokio::time::sleep(look).await;
    assert_eq!(server.ask_as(new.reveal(), "GET", "/metrics").await.status, 200);
    server.ask_as(&server.viewer, "GET", "/metrics").await.assert_problem(401);
    std::fs::write(server.tokens(), "nonsense").unwrap();
    tokio::time::sleep(look).await;
    assert_eq!(server.ask_as(new.reveal(), "GET", "/metrics").await.status, 200, "a bad file changes nothing");
}

#[tokio::test(start_paused = true)]
async fn when_the_last_token_is_removed_nobody_is_let_in() {
    let server = Server::with_tokens().await;
    remove(&server.tokens(), "grafana").unwrap();
    remove(&server.tokens(), "anna").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    server.ask("GET", "/metrics", &[]).await.assert_problem(401);
    server.ask_as(&server.operator, "GET", "/metrics").await.assert_problem(401);
}
