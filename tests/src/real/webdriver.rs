//! What is said to a browser's driver: the W3C's WebDriver protocol, JSON over HTTP.

use super::wait::PATIENCE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Says one command, and gives its value.
///
/// # Errors
/// What the driver said, when the command could not be done; nothing in particular when it does not answer.
pub(super) fn command(driver: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
    let answer = exchange(driver, method, path, &body.map(Value::to_string).unwrap_or_default())
        .map_err(|error| format!("the driver does not answer: {error}"))?;
    let (status, body) = answer;
    let mut body: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let value = body["value"].take();
    if status == "200" { Ok(value) } else { Err(format!("{method} {path}: {value}")) }
}

/// The driver keeps its connections, so that its answer is over when it is as long as it says. Status and body.
fn exchange(driver: SocketAddr, method: &str, path: &str, body: &str) -> std::io::Result<(String, Vec<u8>)> {
    let mut stream = TcpStream::connect(driver)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (kind, length) = ("Content-Type: application/json; charset=utf-8", body.len());
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {driver}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}")?;
    let mut stream = BufReader::new(stream);
    let (mut status, mut length) = (String::new(), 0);
    stream.read_line(&mut status)?;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status.split(' ').nth(1).unwrap_or_default().to_owned(), body))
}
