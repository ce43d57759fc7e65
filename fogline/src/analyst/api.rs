//! Asking the API.

use fogline_door::http::{Ask, AskError, Method, ask, server_time};
use reqwest::Url;
use serde_json::Value;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::SystemTime;

/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 4;
/// So much is shown of an answer that is none of the API's.
const SHOWN_MAX_CHARS: usize = 200;
/// What an ingester answers that does not lead (421, Misdirected Request).
const STANDS_BY: u16 = 421;

/// Where the API is, and how to ask it.
pub(crate) struct Api {
    host: String,
    port: u16,
    token: Option<PathBuf>,
    ca: Option<PathBuf>,
}

/// What the API answers.
pub(crate) enum Answer {
    /// JSON.
    Found(Value),
    /// There is nothing yet.
    Nothing,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnalystError {
    /// The name leads nowhere.
    #[error("{host} is not known: {detail}; give --api the address of the ingester")]
    Host {
        /// The name.
        host: String,
        /// What the system says.
        detail: String,
    },
    /// Nobody answers, or a file is wrong.
    #[error("{0}; is the ingester running there, and does it speak HTTPS? Give --api, and --ca with https")]
    Ask(#[from] AskError),
    /// The API says what to do.
    #[error("{0}")]
    Problem(String),
    /// A token is needed.
    #[error("{0}; give --token-file")]
    Token(String),
    /// Not what the API would say.
    #[error("this is not the answer of an ingester of this version: {0}")]
    Unexpected(String),
}

impl Api {
    /// The API at `url`, or what is wrong with it. The address is checked here and not by the parser of the command line, which
    /// would show it: there may be a password in it.
    pub(crate) fn new(url: &str, token: Option<PathBuf>, ca: Option<PathBuf>) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| format!("this is no URL ({error}): give http://HOST:PORT"))?;
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address with a user or a password is not used: give --token-file".to_owned());
        }
        match (url.scheme(), &ca) {
            ("http", None) | ("https", Some(_)) => {}
            ("https", None) => return Err("https needs --ca: the CA that signed the ingester's certificate".to_owned()),
            ("http", Some(_)) => return Err("with --ca the address begins with https".to_owned()),
            _ => return Err("the address begins with neither http nor https".to_owned()),
        }
        match (url.host_str(), url.port_or_known_default()) {
            (Some(host), Some(port)) if is_bare => {
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                Ok(Self { host, port, token, ca })
            }
            _ => Err("give http://HOST:PORT, and nothing more".to_owned()),
        }
    }

    /// Asks for a path.
    pub(crate) fn get(&self, path: &str) -> Result<Answer, AnalystError> {
        self.send(Method::Get, path, None)
    }

    /// Asks for a change.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Answer, AnalystError> {
        self.send(Method::Post, path, Some(body.to_string()))
    }

    /// Asks for something to be put in the place of what is there.
    pub(crate) fn put(&self, path: &str, body: &Value) -> Result<Answer, AnalystError> {
        self.send(Method::Put, path, Some(body.to_string()))
    }

    /// Asks for something to be removed.
    pub(crate) fn delete(&self, path: &str) -> Result<Answer, AnalystError> {
        self.send(Method::Delete, path, None)
    }

    /// The server's time, to the second, if it says one. Needs no token.
    pub(crate) fn time(&self) -> Result<Option<SystemTime>, AnalystError> {
        let mut last = None;
        for address in self.addresses()? {
            let name = self.ca.as_ref().map(|_| self.host.clone());
            match server_time(&Ask { ca: self.ca.clone(), name, ..Ask::new(address, "/healthz") }) {
                Ok(time) => return Ok(time),
                Err(error @ AskError::NoAnswer { .. }) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| self.unknown("it has no address".to_owned()), AnalystError::Ask))
    }

    fn send(&self, method: Method, path: &str, body: Option<String>) -> Result<Answer, AnalystError> {
        let (mut last, mut stands_by) = (None, None);
        for address in self.addresses()? {
            let name = self.ca.as_ref().map(|_| self.host.clone());
            let (token, ca, body) = (self.token.clone(), self.ca.clone(), body.clone());
            let question = Ask { method, body, token, ca, name, ..Ask::new(address, path) };
            match ask(&question) {
                // A name that several ingesters share has the leader's address too.
                Ok((STANDS_BY, body)) => stands_by = Some(body),
                Ok((status, body)) => return understand(status, &body),
                // A name may have addresses at which nobody listens.
                Err(error @ AskError::NoAnswer { .. }) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(body) = stands_by {
            return understand(STANDS_BY, &body);
        }
        Err(last.map_or_else(|| self.unknown("it has no address".to_owned()), AnalystError::Ask))
    }

    fn addresses(&self) -> Result<Vec<SocketAddr>, AnalystError> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        Ok(found.map_err(|error| self.unknown(error.to_string()))?.take(ADDRESSES_MAX).collect())
    }

    fn unknown(&self, detail: String) -> AnalystError {
        AnalystError::Host { host: self.host.clone(), detail }
    }
}

fn understand(status: u16, body: &str) -> Result<Answer, AnalystError> {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let detail = json.as_ref().and_then(|problem| problem.get("detail")?.as_str().map(str::to_owned));
    match (status, json, detail) {
        (200, Some(value), _) => Ok(Answer::Found(value)),
        (204, ..) => Ok(Answer::Nothing),
        (401, _, Some(detail)) => Err(AnalystError::Token(detail)),
        (400.., _, Some(detail)) => Err(AnalystError::Problem(detail)),
        _ => {
            let shown: String = body.chars().take(SHOWN_MAX_CHARS).collect();
            Err(AnalystError::Unexpected(format!("{status} {}", shown.trim())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_never_shown() {
        let ca = || Some(PathBuf::from("ca.pem"));
        for (url, ca) in [
            ("http://127.0.0.1:8080", None),
            ("http://localhost:8080/", None),
            ("http://[::1]:8080", None),
            ("https://gate.example", ca()),
        ] {
            assert!(Api::new(url, None, ca).is_ok(), "{url}");
        }
        assert_eq!(Api::new("http://[::1]:8080", None, None).unwrap().host, "::1");
        for (url, ca, words) in [
            ("127.0.0.1:8080", None, "http"),
            ("gate", None, "no URL"),
            ("ftp://gate.example", None, "neither"),
            ("https://gate.example", None, "--ca"),
            ("http://gate.example", ca(), "https"),
            ("http://gate.example/api", None, "nothing more"),
            ("http://anna:s3cret@gate.example", None, "--token-file"),
        ] {
            let problem = Api::new(url, None, ca).err().unwrap();
            assert!(problem.contains(words) && !problem.contains("s3cret"), "{url}: {problem}");
        }
    }

    #[test]
    fn answers_are_understood() {
        assert!(matches!(understand(200, "[]"), Ok(Answer::Found(Value::Array(_)))));
        assert!(matches!(understand(204, ""), Ok(Answer::Nothing)));
        let problem = r#"{"status":404,"detail":"start some"}"#;
        assert!(matches!(understand(404, problem), Err(AnalystError::Problem(text)) if text == "start some"));
        assert!(matches!(understand(401, problem), Err(AnalystError::Token(_))));
        for (status, body) in [(200, "<html>"), (404, "nothing here"), (302, ""), (500, "{}")] {
            assert!(matches!(understand(status, body), Err(AnalystError::Unexpected(_))), "{status} {body}");
        }
    }
}
