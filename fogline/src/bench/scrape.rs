//! Asking broker and ingester for their metrics.

use anyhow::Context;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// They may be busy, but not for so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Some kilobytes are usual.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a program said at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Page(String);

impl Page {
    /// Asks whoever serves metrics on `http`.
    ///
    /// # Errors
    /// When nobody answers.
    pub(crate) async fn get(http: SocketAddr) -> anyhow::Result<Self> {
        let page = tokio::task::spawn_blocking(move || page(http)).await?;
        page.map(Self).with_context(|| format!("no metrics on {http}"))
    }

    /// The value of a metric without labels.
    ///
    /// # Errors
    /// When it is not on the page.
    pub(crate) fn value(&self, name: &str) -> anyhow::Result<u64> {
        value(&self.0, name).with_context(|| format!("the metrics do not tell of {name}"))
    }
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
