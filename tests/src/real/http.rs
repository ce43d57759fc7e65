//! Asking an HTTP server.

use super::wait::PATIENCE;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Gets a page: status and body. None when nobody answers. HTTP/1.0, so that the body comes in one piece.
#[must_use]
pub fn get(server: SocketAddr, path: &str) -> Option<(u16, String)> {
    ask(server, &format!("GET {path} HTTP/1.0\r\nHost: {server}\r\n\r\n"))
}

/// The same with a form, or whatever else the page takes.
pub(super) fn post(server: SocketAddr, path: &str, body: &str) -> Option<(u16, String)> {
    let form = "Content-Type: application/x-www-form-urlencoded";
    let length = body.len();
    let head = format!("POST {path} HTTP/1.0\r\nHost: {server}\r\n{form}\r\nContent-Length: {length}\r\n\r\n");
    ask(server, &(head + body))
}

fn ask(server: SocketAddr, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(server).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}
