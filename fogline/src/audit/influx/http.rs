//! Requests, and answers that never take more memory than they may.

use super::InfluxServer;
use crate::audit::error::AuditError;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};
use std::fmt::Display;
use std::time::Duration;

/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// How long an answer, and each piece of it, may be waited for: a page of a large database is found within some seconds.
const PIECE_WITHIN: Duration = Duration::from_secs(60);
/// The longest answer, and the longest line of an export: several times what the largest page takes.
const ANSWER_MAX_BYTES: usize = 32 << 20;
/// What an answer that refuses may say.
const REASON_MAX_CHARS: usize = 300;

/// A server.
pub(super) struct Http {
    client: Client,
    base: Url,
    pub(super) server: InfluxServer,
}

/// Checks an address: what is sent to it is a token.
pub(super) fn base(url: &str) -> Result<Url, String> {
    let wrong = || "this is not the address of a database: use http://HOST:8086, and nothing more".to_owned();
    let parsed = Url::parse(url).map_err(|_| wrong())?;
    let bare = parsed.path() == "/" && parsed.query().is_none() && parsed.fragment().is_none();
    let anonymous = parsed.username().is_empty() && parsed.password().is_none();
    match parsed.scheme() {
        "http" if bare && anonymous && parsed.has_host() => Ok(parsed),
        "https" => Err(wrong() + "; for TLS put a proxy beside this program"),
        _ => Err(wrong()),
    }
}

/// The database did not do what it was asked for.
pub(super) fn failed(server: &InfluxServer, what: &str, why: impl Display) -> AuditError {
    AuditError::Database { url: server.url.clone(), detail: format!("{what}: {why}") }
}

impl Http {
    pub(super) fn new(server: &InfluxServer) -> Result<Self, AuditError> {
        let base = base(&server.url).map_err(|error| failed(server, "its address", error))?;
        let mut headers = HeaderMap::new();
        if !server.token.is_empty() {
            let token = HeaderValue::from_str(&format!("Token {}", server.token));
            let mut token =
                token.map_err(|_| failed(server, "its token", "there are line breaks in it: copy it again"))?;
            token.set_sensitive(true);
            headers.insert(AUTHORIZATION, token);
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_WITHIN)
            .default_headers(headers)
            // A proxy meant for the web has no business with the database, and a redirection would show the token to others.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        let client = client.map_err(|error| failed(server, "no client", error))?;
        Ok(Self { client, base, server: server.clone() })
    }

    /// The whole answer; none when it is not a success.
    pub(super) async fn try_get(&self, path: &str, query: &[(&str, &str)]) -> Result<Option<Vec<u8>>, AuditError> {
        let response = self.ask(path, query).await?;
        if !response.status().is_success() {
            return Ok(None);
        }
        self.whole(path, response).await.map(Some)
    }

    /// The whole answer.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, AuditError> {
        let response = self.success(path, query).await?;
        self.whole(path, response).await
    }

    /// The answer line by line.
    pub(super) async fn lines(&self, path: &str, query: &[(&str, &str)]) -> Result<Lines<'_>, AuditError> {
        let response = self.success(path, query).await?;
        Ok(Lines { http: self, path: path.to_owned(), response, buffer: Vec::new(), done: false })
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, AuditError> {
        let mut url = self.base.clone();
        url.set_path(path);
        url.query_pairs_mut().extend_pairs(query);
        let answer = tokio::time::timeout(PIECE_WITHIN, self.client.get(url).send()).await;
        // Without its URL, which has the whole query in it.
        let answer = answer.map_err(|_| failed(&self.server, path, "no answer in time"))?;
        answer.map_err(|error| failed(&self.server, path, reason(error)))
    }

    async fn success(&self, path: &str, query: &[(&str, &str)]) -> Result<Response, AuditError> {
        let response = self.ask(path, query).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = self.whole(path, response).await.unwrap_or_default();
        let text: String = String::from_utf8_lossy(&text).trim().chars().take(REASON_MAX_CHARS).collect();
        let hint = match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ": give a token that may read",
            _ => "",
        };
        Err(failed(&self.server, path, format!("{status}{hint} ({text})")))
    }

    async fn whole(&self, path: &str, mut response: Response) -> Result<Vec<u8>, AuditError> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece(path, &mut response).await? {
            self.bounded(path, whole.len() + piece.len())?;
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    async fn piece(&self, path: &str, response: &mut Response) -> Result<Option<Bytes>, AuditError> {
        let piece = tokio::time::timeout(PIECE_WITHIN, response.chunk()).await;
        let piece = piece.map_err(|_| failed(&self.server, path, "the answer stopped on its way"))?;
        piece.map_err(|error| failed(&self.server, path, reason(error)))
    }

    fn bounded(&self, path: &str, bytes: usize) -> Result<(), AuditError> {
        if bytes <= ANSWER_MAX_BYTES { Ok(()) } else { Err(failed(&self.server, path, "the answer is too long")) }
    }
}

/// What went wrong, with what was behind it: "error sending request" alone helps nobody.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// An answer of many lines.
pub(super) struct Lines<'a> {
    http: &'a Http,
    path: String,
    response: Response,
    buffer: Vec<u8>,
    done: bool,
}

impl Lines<'_> {
    /// The next line that is not empty.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, AuditError> {
        // What was searched before is not searched again.
        let mut searched = 0;
        loop {
            let rest = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = rest.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=searched + at).collect();
                line.pop();
                searched = 0;
                if !line.is_empty() {
                    return Ok(Some(line));
                }
                continue;
            }
            searched = self.buffer.len();
            if self.done {
                let last = std::mem::take(&mut self.buffer);
                return Ok(Some(last).filter(|line| !line.is_empty()));
            }
            match self.http.piece(&self.path, &mut self.response).await? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => self.done = true,
            }
            self.http.bounded(&self.path, self.buffer.len())?;
        }
    }
}
