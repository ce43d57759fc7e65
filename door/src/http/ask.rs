//! One question to a server of ours: what health checks ask, and clients of its API.

use crate::tls::TlsError;
use crate::tls::trust;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// For each step of an answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Health checks have a line; a thousand rows of an API have some hundred KiB.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// No token is that long.
const TOKEN_BYTES_MAX: u64 = 4096;

/// What is to be done at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Say what is there.
    #[default]
    Get,
    /// Add.
    Post,
    /// Put in the place of what is there.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// A token that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Bearer(String);

impl Bearer {
    /// A token; none when there is nothing in the text, or what no token has.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        good.then(|| Self(text.to_owned()))
    }
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Whom to ask, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The server.
    pub address: SocketAddr,
    /// The path, for example `/readyz`.
    pub path: String,
    /// What is to be done there. Default GET.
    pub method: Method,
    /// What is sent, as JSON.
    pub body: Option<String>,
    /// A token.
    pub bearer: Option<Bearer>,
    /// A file that holds a token and nothing else; without effect beside [`Self::bearer`].
    pub token: Option<PathBuf>,
    /// Ask over TLS, and trust certificates of the CAs in this PEM file.
    pub ca: Option<PathBuf>,
    /// The name in the server's certificate; none: its address.
    pub name: Option<String>,
}

impl Ask {
    /// Without token and TLS.
    #[must_use]
    pub fn new(address: SocketAddr, path: impl Into<String>) -> Self {
        let (method, path) = (Method::Get, path.into());
        Self { address, path, method, body: None, bearer: None, token: None, ca: None, name: None }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The file of the token cannot be read.
    #[error("the token's file {}: {source}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file of the CA cannot be used.
    #[error(transparent)]
    Ca(#[from] TlsError),
    /// The name cannot be in a certificate.
    #[error("{0:?} is no name of a server")]
    Name(String),
    /// Nobody answers there, or not in this way.
    #[error("no answer from {address}: {source}")]
    NoAnswer {
        /// The server.
        address: SocketAddr,
        /// What the operating system or TLS said.
        source: io::Error,
    },
}

/// Asks, and gives status and body. Blocks for some seconds at most when nobody answers.
///
/// # Errors
/// When there is no answer, or a file is wrong.
pub fn ask(ask: &Ask) -> Result<(u16, String), AskError> {
    parse(&answer(ask)?).ok_or_else(|| not_http(ask))
}

/// Asks, and gives the server's time to the second; none when it does not say. Blocks as [`ask`] does.
///
/// # Errors
/// As [`ask`].
pub fn server_time(ask: &Ask) -> Result<Option<SystemTime>, AskError> {
    let answer = answer(ask)?;
    parse(&answer).ok_or_else(|| not_http(ask))?;
    Ok(date(&answer))
}

fn not_http(ask: &Ask) -> AskError {
    let source = io::Error::new(io::ErrorKind::InvalidData, "it is not HTTP");
    AskError::NoAnswer { address: ask.address, source }
}

fn date(answer: &str) -> Option<SystemTime> {
    let (head, _) = answer.split_once("\r\n\r\n")?;
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    httpdate::parse_http_date(value.trim()).ok()
}

fn answer(ask: &Ask) -> Result<String, AskError> {
    let request = request(ask)?;
    let no_answer = |source| AskError::NoAnswer { address: ask.address, source };
    match &ask.ca {
        None => connect(ask.address).and_then(|stream| exchange(stream, &request)).map_err(no_answer),
        Some(ca) => {
            let name = server_name(ask)?;
            let session =
                ClientConnection::new(trust(ca)?, name).map_err(|error| no_answer(io::Error::other(error)))?;
            let stream = connect(ask.address).map_err(no_answer)?;
            exchange(StreamOwned::new(session, stream), &request).map_err(no_answer)
        }
    }
}

fn request(ask: &Ask) -> Result<String, AskError> {
    let authorization = match (&ask.bearer, &ask.token) {
        (Some(Bearer(token)), _) => format!("Authorization: Bearer {token}\r\n"),
        (None, None) => String::new(),
        (None, Some(path)) => {
            let mut token = String::new();
            std::fs::File::open(path)
                .and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut token))
                .map_err(|source| AskError::Token { path: path.clone(), source })?;
            format!("Authorization: Bearer {}\r\n", token.trim())
        }
    };
    // HTTP/1.0: the body comes in one piece and ends with the connection.
    let (method, body) = (ask.method.as_str(), ask.body.as_deref().unwrap_or_default());
    let content = match &ask.body {
        None => String::new(),
        Some(body) => format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    };
    Ok(format!("{method} {} HTTP/1.0\r\nHost: {}\r\n{authorization}{content}\r\n{body}", ask.path, ask.address))
}

fn server_name(ask: &Ask) -> Result<ServerName<'static>, AskError> {
    match &ask.name {
        None => Ok(ServerName::IpAddress(ask.address.ip().into())),
        Some(name) => ServerName::try_from(name.clone()).map_err(|_| AskError::Name(name.clone())),
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer)?;
    if u64::try_from(answer.len()).is_ok_and(|bytes| bytes > ANSWER_BYTES_MAX) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is larger than any that was asked for"));
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_read_from_the_head_alone() {
        let head = "HTTP/1.1 200 OK\r\nDATE: Thu, 01 Jan 1970 00:01:00 GMT\r\n\r\n";
        assert_eq!(date(head), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!(date("HTTP/1.1 200 OK\r\n\r\nDate: Thu, 01 Jan 1970 00:01:00 GMT\r\n\r\n"), None);
    }
}
