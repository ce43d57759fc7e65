//! Lets an ingester write into InfluxDB 1.x, which knows no `/api/v2/write`: that becomes `/write`, and what the database answers
//! is passed back as it is. A database that does not answer is 503.
//!
//! It uses nothing but the standard library. A connection has one request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};

/// The longest body: several times what an ingester writes at once.
const BODY_MAX_BYTES: u64 = 64 << 20;
/// The longest head.
const HEAD_MAX_BYTES: u64 = 64 << 10;

/// The address that stands for the database. It translates until the process ends.
#[derive(Debug, Clone, Copy)]
pub struct Translator {
    port: u16,
}

impl Translator {
    /// Stands before the InfluxDB 1.x on this port of 127.0.0.1.
    #[must_use]
    pub fn start(database: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // Whoever went away has its answer in that.
                std::thread::spawn(move || translate(&stream, database).ok());
            }
        });
        Self { port }
    }

    /// The value for `--influxdb-url`.
    #[must_use]
    pub fn url(self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

fn translate(mut client: &TcpStream, database: u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(client);
    let (target, length) = head(&mut reader)?;
    let mut body = Vec::new();
    reader.take(length.min(BODY_MAX_BYTES)).read_to_end(&mut body)?;
    let (status, text) = match write_target(&target) {
        Some(target) => {
            ask(database, &target, &body).unwrap_or_else(|error| ("503 Down".to_owned(), error.to_string()))
        }
        None => ("404 Not Found".to_owned(), "only writes are translated".to_owned()),
    };
    // With 204 no length is allowed (RFC 9110, 8.6).
    let length = if text.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", text.len()) };
    write!(client, "HTTP/1.1 {status}\r\n{length}Connection: close\r\n\r\n{text}")?;
    client.shutdown(Shutdown::Write)
}

/// The target of a request, and the length of its body.
fn head(reader: &mut impl BufRead) -> std::io::Result<(String, u64)> {
    let mut lines = reader.take(HEAD_MAX_BYTES);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    let target = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 || line == "\r\n" {
            return Ok((target, length));
        }
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().map_err(|_| std::io::ErrorKind::InvalidData)?;
            }
            _ => {}
        }
    }
}

/// `/api/v2/write?org=o&bucket=b&precision=ns` as `/write?db=b&precision=ns`. A bucket's name is passed on as it was encoded.
fn write_target(target: &str) -> Option<String> {
    let query = target.strip_prefix("/api/v2/write?")?;
    let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    Some(format!("/write?db={}&precision={}", value("bucket")?, value("precision").unwrap_or("ns")))
}

/// Status and text of the answer. HTTP/1.0, so that it ends with the connection.
fn ask(database: u16, target: &str, body: &[u8]) -> std::io::Result<(String, String)> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, database))?;
    write!(stream, "POST {target} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n", body.len())?;
    stream.write_all(body)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, text) = answer.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let status = head.lines().next().and_then(|line| line.split_once(' ')).ok_or(std::io::ErrorKind::InvalidData)?.1;
    Ok((status.to_owned(), text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_translated_and_nothing_else() {
        let target = write_target("/api/v2/write?org=fogline&bucket=a%20b&precision=ms");
        assert_eq!(target.as_deref(), Some("/write?db=a%20b&precision=ms"));
        assert_eq!(write_target("/api/v2/write?org=o&bucket=b").as_deref(), Some("/write?db=b&precision=ns"));
        for other in ["/write?db=b", "/api/v2/query?bucket=b", "/api/v2/write?org=o"] {
            assert_eq!(write_target(other), None, "{other}");
        }
    }

    #[test]
    fn a_database_that_is_down_is_503() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let translator = Translator::start(closed);
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, translator.port)).unwrap();
        stream.write_all(b"POST /api/v2/write?org=o&bucket=b HTTP/1.1\r\nContent-Length: 1\r\n\r\nx").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
