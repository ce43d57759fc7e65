//! What pages of other sites can do: nothing.

use crate::server::{Answer, Server, bearer};

const ALWAYS: [(&str, &str); 7] = [
    ("content-security-policy", "default-src 'self'"),
    ("content-security-policy", "frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "deny"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

fn assert_protected(answer: &Answer) {
    for (name, value) in ALWAYS {
        assert!(answer.header(name).is_some_and(|header| header.contains(value)), "{name}: {answer:?}");
    }
    assert!(!answer.head.contains("access-control-"), "{answer:?}");
    assert_eq!(answer.header("strict-transport-security"), None, "this is plain HTTP");
}

#[tokio::test]
async fn every_answer_protects_the_page() {
    let server = Server::with_tokens().await;
    for (token, method, path, status) in [
        (&server.viewer, "GET", "/metrics", 200),
        (&server.viewer, "GET", "/nothing", 404),
        (&server.viewer, "POST", "/who", 403),
        (&server.operator, "POST", "/metrics", 405),
        (&String::new(), "GET", "/metrics", 401),
    ] {
        let answer = server.ask_as(token, method, path).await;
        assert_eq!(answer.status, status);
        assert_protected(&answer);
    }
}

#[tokio::test]
async fn a_page_can_have_images_in_addresses_and_nothing_else() {
    let server = Server::open().await;
    let answer = server.ask("GET", "/page", &[]).await;
    assert_protected(&answer);
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.contains("img-src 'self' data:") && !policy.contains("unsafe"), "{policy}");
    let other = server.ask("GET", "/metrics", &[]).await;
    assert!(!other.header("content-security-policy").unwrap().contains("data:"), "{other:?}");
}

#[tokio::test]
async fn no_site_is_let_in_by_a_preflight() {
    let server = Server::open().await;
    let asks = ["Origin: http://evil.example", "Access-Control-Request-Method: POST"];
    let answer = server.ask("OPTIONS", "/who", &asks).await;
    assert_protected(&answer);
}

#[tokio::test]
async fn changes_from_other_sites_are_refused() {
    for server in [Server::open().await, Server::with_tokens().await] {
        let token = bearer(&server.operator);
        for says in
            ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"]
        {
            server.ask("POST", "/who", &[says, &token]).await.assert_problem(403);
            assert_eq!(server.ask("GET", "/who", &[says, &token]).await.status, 200, "looking changes nothing");
        }
        let own = format!("Origin: http://{}", server.door.address);
        for says in [own.as_str(), "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: none"] {
            assert_eq!(server.ask("POST", "/who", &[says, &token]).await.status, 200, "{says}");
        }
    }
}
