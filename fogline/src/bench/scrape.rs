//! Asking the ingester for its metrics.

use anyhow::Context;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The ingester may be busy, but not for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Some kilobytes are usual.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Readings that the ingester has written to its store since its start.
///
/// # Errors
/// When it does not answer, or says nothing about it.
pub(crate) async fn stored(http: SocketAddr) -> anyhow::Result<u64> {
    let page = tokio::task::spawn_blocking(move || page(http)).await?;
    let page = page.with_context(|| format!("no metrics from the ingester on {http}"))?;
    value(&page, "fogline_ingest_stored_total").context("the ingester does not say how much it has stored")
}

/// One request needs no HTTP client.
fn page(http: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&http, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn value(page: &str, name: &str) -> Option<u64> {
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_by_its_whole_name() {
        let page = "HTTP/1.1 200 OK\r\n\r\n# HELP a_total x\na_total_more 1\na_total 42\r\n";
        assert_eq!(value(page, "a_total"), Some(42));
        assert_eq!(value(page, "b_total"), None);
    }
}
