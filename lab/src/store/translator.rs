//! Lets an ingester, which writes as InfluxDB 2 and 3 take it, write into InfluxDB 1: the path of each request is another one, and
//! nothing else. Answers pass as they are, and a connection that ends on one side ends on the other, so that faults on either
//! side of it look as they would without it.

use crate::LabError;
use crate::ports::free_port;
use std::net::{Ipv4Addr, TcpListener as StdListener};
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Connections at the same time: more than ingesters have to their database.
const CONNECTIONS_MAX: usize = 64;
/// The longest line of a head, and the most lines.
const LINE_BYTES_MAX: u64 = 8 * 1024;
const LINES_MAX: usize = 100;

/// A running translator. It ends when it is dropped.
#[derive(Debug)]
pub(super) struct Translator {
    port: u16,
    task: JoinHandle<()>,
}

impl Translator {
    /// One before the server on this port of loopback. Must be called on a Tokio runtime.
    pub(super) fn start(to: u16) -> Result<Self, LabError> {
        let failed = |error: std::io::Error| LabError::machine("a port for the translator", &error);
        let port = free_port()?;
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        Ok(Self { port, task: tokio::spawn(accept(listener, to)) })
    }

    /// Where ingesters reach it on loopback.
    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Translator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, to: u16) {
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
        let Ok((near, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(async move {
            // A connection that fails is closed, and its client sees that.
            carry(near, to).await.ok();
            drop(permit);
        });
    }
}

async fn carry(near: TcpStream, to: u16) -> std::io::Result<()> {
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (near_reads, mut near_writes) = near.into_split();
    let (mut far_reads, far_writes) = far.into_split();
    tokio::select! {
        asked = requests(near_reads, far_writes) => asked,
        answered = copy(&mut far_reads, &mut near_writes) => answered.map(drop),
    }
}

/// Requests one after the other, each with its own path.
async fn requests(from: OwnedReadHalf, mut to: OwnedWriteHalf) -> std::io::Result<()> {
    let mut from = BufReader::new(from);
    loop {
        let Some(first) = line(&mut from).await? else { return Ok(()) };
        let (mut head, mut body_bytes) = (translated(&first).into_bytes(), 0);
        for _ in 0..LINES_MAX {
            let Some(header) = line(&mut from).await? else { return Ok(()) };
            head.extend_from_slice(header.as_bytes());
            let (name, value) = header.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = value.trim().parse().unwrap_or(0);
            }
            if header.trim().is_empty() {
                break;
            }
        }
        to.write_all(&head).await?;
        copy(&mut (&mut from).take(body_bytes), &mut to).await?;
    }
}

/// A line with its end; none when there is no more.
async fn line(from: &mut BufReader<OwnedReadHalf>) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    (&mut *from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()))
}

/// The request line as InfluxDB 1 takes it.
fn translated(line: &str) -> String {
    let Some((method, rest)) = line.split_once(' ') else { return line.to_owned() };
    let Some((target, version)) = rest.rsplit_once(' ') else { return line.to_owned() };
    let Some(query) = target.strip_prefix("/api/v2/write?") else { return line.to_owned() };
    let pairs: Vec<String> = query
        .split('&')
        .filter_map(|pair| match pair.split_once('=')? {
            ("bucket", bucket) => Some(format!("db={bucket}")),
            ("precision", precision) => Some(format!("precision={precision}")),
            _ => None,
        })
        .collect();
    format!("{method} /write?{} {version}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_get_another_path_and_nothing_else_does() {
        assert_eq!(
            translated("POST /api/v2/write?bucket=fogline&org=o&precision=ns HTTP/1.1\r\n"),
            "POST /write?db=fogline&precision=ns HTTP/1.1\r\n"
        );
        assert_eq!(translated("GET /ping HTTP/1.1\r\n"), "GET /ping HTTP/1.1\r\n");
        assert_eq!(translated("nonsense\r\n"), "nonsense\r\n");
    }

    #[tokio::test]
    async fn requests_on_one_connection_are_translated_one_by_one() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let translator = Translator::start(server.local_addr().unwrap().port()).unwrap();
        let mut client = TcpStream::connect(("127.0.0.1", translator.port())).await.unwrap();
        let (mut far, _) = server.accept().await.unwrap();
        let request = "POST /api/v2/write?bucket=b&precision=ns HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc";
        client.write_all(request.repeat(2).as_bytes()).await.unwrap();
        let expected = "POST /write?db=b&precision=ns HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc".repeat(2);
        let mut heard = vec![0; expected.len()];
        far.read_exact(&mut heard).await.unwrap();
        assert_eq!(String::from_utf8(heard).unwrap(), expected);
        far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        drop(far);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HTTP/1.1 204 No Content\r\n\r\n");
    }
}
