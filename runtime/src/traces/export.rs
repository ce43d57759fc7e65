//! The way to a collector: a thread, a bounded queue before it, and plain HTTP.

use super::otlp::{Span, body};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Spans that wait: some hundred KiB.
const WAITING_MAX: usize = 2_048;
/// Spans of one request.
const REQUEST_MAX: usize = 512;
/// How long spans gather.
const GATHER: Duration = Duration::from_secs(1);
/// For each step of a request. A collector that is slower loses spans.
const PATIENCE: Duration = Duration::from_secs(3);
/// So much of an answer is read: its status is what counts.
const ANSWER_BYTES_MAX: u64 = 4_096;
/// The port of OTLP over HTTP.
const PORT: u16 = 4318;

/// A collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    authority: String,
    address: String,
    path: String,
}

impl Endpoint {
    /// From `http://HOST[:PORT][/PATH]`; `v1/traces` is added.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or("it does not begin with http://")?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains(['@', ' ']) || path.contains(['?', '#', ' ']) {
            return Err("it is no bare address".to_owned());
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port { authority.to_owned() } else { format!("{authority}:{PORT}") };
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/v1/traces".to_owned() } else { format!("/{path}/v1/traces") };
        Ok(Self { authority: authority.to_owned(), address, path })
    }

    fn post(&self, body: &str) -> io::Result<()> {
        let addresses = self.address.to_socket_addrs()?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return self.exchange(stream, body),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn exchange(&self, mut stream: TcpStream, body: &str) -> io::Result<()> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let (path, host, length) = (&self.path, &self.authority, body.len());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body.as_bytes())?;
        stream.flush()?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let status = text.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') { Ok(()) } else { Err(io::Error::other(format!("it answers {status}"))) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.address, self.path)
    }
}

/// Takes spans and sends them.
#[derive(Debug)]
pub(super) struct Exporter {
    spans: SyncSender<Span>,
    dropped: Arc<AtomicU64>,
}

impl Exporter {
    pub(super) fn start(endpoint: Endpoint, service: &str, instance: &str) -> Self {
        let (spans, waiting) = sync_channel(WAITING_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let (counted, service, instance) = (Arc::clone(&dropped), service.to_owned(), instance.to_owned());
        let work = move || {
            while let Some(spans) = gather(&waiting) {
                if let Err(error) = endpoint.post(&body(&service, &instance, &spans)) {
                    counted.fetch_add(spans.len() as u64, Ordering::Relaxed);
                    tracing::warn!(%error, %endpoint, "the collector takes no traces; readings are not touched by that");
                }
            }
        };
        // Without the thread all spans are dropped.
        std::thread::Builder::new().name("traces".to_owned()).spawn(work).ok();
        Self { spans, dropped }
    }

    pub(super) fn take(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The first span, and those that come soon after it; none when nobody has any more.
fn gather(waiting: &Receiver<Span>) -> Option<Vec<Span>> {
    let mut spans = vec![waiting.recv().ok()?];
    let until = Instant::now() + GATHER;
    while spans.len() < REQUEST_MAX {
        match waiting.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(span) => spans.push(span),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(spans)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::{BatchId, span};
    use fogline_protocol::ids::StreamId;
    use fogline_protocol::time::Wall;
    use std::net::TcpListener;

    #[test]
    fn addresses_are_bare_and_plain() {
        let endpoint = |text: &str| Endpoint::parse(text).map(|endpoint| endpoint.to_string());
        assert_eq!(endpoint("http://collector").unwrap(), "http://collector:4318/v1/traces");
        assert_eq!(endpoint("http://[::1]:9/otlp/").unwrap(), "http://[::1]:9/otlp/v1/traces");
        for text in ["https://collector", "collector:4318", "http://", "http://me:secret@collector", "http://a/?b"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_collector_that_takes_nothing_holds_nothing_up() {
        // It accepts connections, and never reads.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let exporter = Exporter::start(endpoint, "test", "test");
        let batch = BatchId { stream: StreamId::from_bits(1), first: 1 };
        let start = Instant::now();
        for _ in 0..10_000 {
            exporter.take(span(batch, "store", None, Wall::from_us(1), Wall::from_us(2)));
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
        assert!(exporter.dropped() >= 10_000 - (WAITING_MAX + REQUEST_MAX) as u64);
    }
}
