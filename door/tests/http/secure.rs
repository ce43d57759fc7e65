//! HTTPS, and the question of a health check.

use crate::authority::{Authority, put};
use crate::server::{Answer, PATIENCE, any_port, hear, routes, talk};
use fogline_door::http::{Ask, Door, HttpConfig, Role, TlsFiles, add, ask, serve};
use rustls::ClientConfig;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

struct Secure {
    folder: TempDir,
    authority: Authority,
    door: Door,
    token: String,
}

impl Secure {
    async fn start() -> Self {
        let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new("test CA"));
        let own = authority.issue("gate", 1);
        let certificate = put(folder.path(), "server.pem", &own.certificate.pem());
        let key = put(folder.path(), "server.key", &own.key.serialize_pem());
        put(folder.path(), "ca.pem", &authority.pem());
        let tokens = folder.path().join("tokens");
        let token = add(&tokens, "grafana", Role::Viewer).unwrap().reveal().to_owned();
        let tls = Some(TlsFiles { certificate, key });
        let config = HttpConfig { tokens: Some(tokens), tls, ..HttpConfig::new(any_port()) };
        let door = serve(config, routes()).await.unwrap();
        Self { folder, authority, door, token }
    }

    async fn get(&self, host: &str) -> Answer {
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.authority.roots())
            .with_no_client_auth();
        let stream = TcpStream::connect(self.door.address).await.unwrap();
        let name = "127.0.0.1".try_into().unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        talk(stream, &format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[tokio::test]
async fn pages_come_over_tls_and_browsers_are_told_to_stay_there() {
    let server = Secure::start().await;
    assert!(server.door.url().starts_with("https://127.0.0.1:"));
    let answer = server.get("gate.example").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "ok\n"));
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000"));
    let local = server.get("localhost:8080").await;
    assert_eq!(local.header("strict-transport-security"), None, "other programs of this machine have no TLS");
}

#[tokio::test]
async fn plain_http_is_not_answered() {
    let server = Secure::start().await;
    let mut stream = TcpStream::connect(server.door.address).await.unwrap();
    let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request).await.unwrap();
    assert!(!hear(&mut stream).await.contains("HTTP/1.1"));
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_begin_is_not_waited_for() {
    let server = Secure::start().await;
    let mut stream = TcpStream::connect(server.door.address).await.unwrap();
    assert!(timeout(PATIENCE, hear(&mut stream)).await.is_ok());
}

/// As `ask` blocks, the server has a thread of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_check_shows_its_token_and_trusts_the_ca() {
    let server = Secure::start().await;
    let token = put(server.folder.path(), "token", &format!("{}\n", server.token));
    let plain = Ask { token: Some(token), ..Ask::new(server.door.address, "/readyz") };
    let (ca, other) = (server.path("ca.pem"), server.path("server.pem"));
    let asked = tokio::task::spawn_blocking(move || {
        assert!(ask(&plain).is_err(), "it speaks TLS only");
        assert!(ask(&Ask { ca: Some(other), ..plain.clone() }).is_err(), "another CA");
        let trusting = Ask { ca: Some(ca), ..plain };
        assert_eq!(ask(&Ask { token: None, ..trusting.clone() }).unwrap().0, 401);
        assert!(ask(&Ask { name: Some("gate.example".to_owned()), ..trusting.clone() }).is_err(), "another name");
        ask(&trusting).unwrap()
    });
    assert_eq!(asked.await.unwrap(), (200, "ok\n".to_owned()));
}
