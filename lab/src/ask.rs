//! Asking the programs of the run how they are: agents over their status socket, ingesters and databases over HTTP.

use serde::Deserialize;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// A program that is well answers in milliseconds; one that is held never does.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest status of an agent, page, and answer of a database.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// What the lab needs of an agent's status.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Status {
    /// How full its queue is.
    pub(crate) queue: QueueStatus,
    /// Readings acknowledged since its queue was made.
    pub(crate) acknowledged: u64,
    /// The decisions in force on it.
    #[serde(default)]
    pub(crate) in_force: Vec<InForce>,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct QueueStatus {
    /// Readings in it.
    pub(crate) readings: u64,
}

/// A decision in force on an agent.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct InForce {
    /// Which register.
    pub(crate) key: String,
    /// Its term.
    pub(crate) term: fogline_protocol::ids::Term,
    /// Its number in the term.
    pub(crate) seq: u64,
}

/// The status of the agent whose data is in `folder`, if it answers.
pub(crate) async fn agent(folder: &Path) -> Option<Status> {
    let exchange = async {
        let stream = UnixStream::connect(folder.join("agent.sock")).await?;
        exchange(stream, b"{\"request\":\"status\"}\n").await
    };
    let answer = within(PATIENCE, exchange).await.ok()?;
    serde_json::from_slice(&answer).ok()
}

/// Whether something accepts connections there.
pub(crate) async fn listens(port: u16) -> bool {
    within(PATIENCE, async { TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map(drop) }).await.is_ok()
}

/// A request to a server on loopback: status and body.
///
/// # Errors
/// The system's, and `InvalidData` when the answer is none of HTTP.
pub(crate) async fn http(port: u16, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
    http_within(PATIENCE, port, method, path, body).await
}

/// The same, for a server that may take longer.
///
/// # Errors
/// The same.
pub(crate) async fn http_within(
    patience: Duration,
    port: u16,
    method: &str,
    path: &str,
    body: &str,
) -> std::io::Result<(u16, String)> {
    let length = body.len();
    // HTTP/1.0, so that the answer ends with the connection and needs no decoding.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let answer = within(patience, async {
        let stream = TcpStream::connect(address).await?;
        exchange(stream, request.as_bytes()).await
    });
    let answer = String::from_utf8_lossy(&answer.await?).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::InvalidData)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(ErrorKind::InvalidData)?;
    Ok((status, body.to_owned()))
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    Ok(answer)
}

async fn within<T>(patience: Duration, work: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
    tokio::time::timeout(patience, work).await.unwrap_or_else(|_| Err(Error::from(ErrorKind::TimedOut)))
}
