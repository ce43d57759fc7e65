//! A server with a page of each kind, and a client that says what it is told to say.

use axum::Extension;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use fogline_door::http::{Caller, DataImages, Door, HttpConfig, Limits, Role, Routine, add, serve};
use futures_util::stream::{Stream, unfold};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than every limit. Most tests run in paused time, where it costs nothing.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// A server, and the tokens that it knows.
pub(crate) struct Server {
    pub(crate) door: Door,
    pub(crate) folder: TempDir,
    pub(crate) viewer: String,
    pub(crate) operator: String,
}

impl Server {
    /// Without tokens.
    pub(crate) async fn open() -> Self {
        Self::open_with(Limits::default()).await
    }

    pub(crate) async fn open_with(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = HttpConfig { limits, open_paths: vec!["/page".to_owned()], ..HttpConfig::new(any_port()) };
        let door = serve(config, routes()).await.unwrap();
        Self { door, folder, viewer: String::new(), operator: String::new() }
    }

    /// With a token for each role.
    pub(crate) async fn with_tokens() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        let viewer = add(&file, "grafana", Role::Viewer).unwrap().reveal().to_owned();
        let operator = add(&file, "anna", Role::Operator).unwrap().reveal().to_owned();
        let config =
            HttpConfig { tokens: Some(file), open_paths: vec!["/page".to_owned()], ..HttpConfig::new(any_port()) };
        let door = serve(config, routes()).await.unwrap();
        Self { door, folder, viewer, operator }
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens")
    }

    /// One request on a connection of its own; `headers` are lines without their ends.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        let host = format!("Host: {}", self.door.address);
        self.ask_bare(&format!("{method} {path} HTTP/1.1"), &[&[host.as_str()], headers].concat()).await
    }

    /// The same with a token.
    pub(crate) async fn ask_as(&self, token: &str, method: &str, path: &str) -> Answer {
        self.ask(method, path, &[&bearer(token)]).await
    }

    /// The same with nothing that is not said, but that the connection is to end.
    pub(crate) async fn ask_bare(&self, line: &str, headers: &[&str]) -> Answer {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let request = format!("{line}\r\n{headers}Connection: close\r\n\r\n");
        talk(self.connect().await, &request).await
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.door.address).await.unwrap()
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

pub(crate) fn any_port() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

pub(crate) fn routes() -> Router {
    let who = |caller: Option<Extension<Caller>>| async move {
        caller.map(|Extension(caller)| format!("{} {}", caller.name, caller.role)).unwrap_or_default()
    };
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }).post(|| async { "changed" }))
        .route("/readyz", get(|| async { "ok\n" }))
        .route("/page", get(|| async { (Extension(DataImages), "page") }).post(|| async { "changed" }))
        .route("/metrics", get(|| async { "metrics 1\n" }))
        .route("/who", get(who).post(who))
        .route("/length", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/drips", get(async || Body::from_stream(drips())))
        .route("/pushed", post(|| async { (Extension(Routine), "kept") }))
        .route("/never", get(std::future::pending::<String>))
        .route("/big", get(|| async { Body::from(vec![0; 64 << 20]).into_response() }))
}

/// Says something every 25 s, eight times.
fn drips() -> impl Stream<Item = Result<&'static str, Infallible>> {
    unfold(0, async |said| {
        tokio::time::sleep(Duration::from_secs(25)).await;
        (said < 8).then_some((Ok("drop"), said + 1))
    })
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// That it is the problem of this status, as JSON.
    pub(crate) fn assert_problem(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(body["type"], "about:blank");
        assert_eq!(body["status"], status);
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
    }
}

/// Says something, and hears all of the answer.
pub(crate) async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, text: &str) -> Answer {
    // What is refused early is not read to its end.
    stream.write_all(text.as_bytes()).await.ok();
    Answer::parse(&hear(&mut stream).await)
}

/// What comes until the other side ends the connection, in whatever way.
pub(crate) async fn hear(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut bytes = Vec::new();
    let heard = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    assert!(heard.is_ok(), "the connection stays: {:?}", String::from_utf8_lossy(&bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}
