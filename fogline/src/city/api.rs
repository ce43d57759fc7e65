//! The city's API, as nodes and sensors ask it.

use fogline_door::http::{Ask, AskError, Bearer, Method, ask};
use fogline_protocol::city::sensors::Nearest;
use fogline_protocol::city::{EdgeNode, Place};
use reqwest::Url;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::sync::Arc;

/// So much is shown of an answer that refuses.
const REASON_MAX_CHARS: usize = 200;

/// Where the API is.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// `http://HOST:PORT`, or `https://` with [`Self::ca`].
    pub url: String,
    /// A token of an operator, where the API asks for one.
    pub bearer: Option<Bearer>,
    /// PEM file of the CA that signed the API's certificate.
    pub ca: Option<PathBuf>,
}

/// What went wrong at the API.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The address cannot be one.
    #[error("--api: {0}")]
    Address(String),
    /// Nobody answers, or a file is wrong.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The name of its host leads nowhere.
    #[error("{host}: {reason}; give --api the address of the ingester")]
    Host {
        /// The name.
        host: String,
        /// What the system says.
        reason: String,
    },
    /// It refused.
    #[error("{path} answered {status}: {reason}")]
    Refused {
        /// What was asked for.
        path: String,
        /// The status.
        status: u16,
        /// What it says.
        reason: String,
    },
    /// The question could not be asked.
    #[error("the question was not asked: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// What became of a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Registration {
    /// The node is registered.
    Done,
    /// It stands too close to another one, or nowhere: another place may do.
    Place(String),
    /// Another node has its id, or it is registered already.
    Taken,
}

/// What an ingester answers that does not lead (421, Misdirected Request).
const STANDS_BY: u16 = 421;

/// The API. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Api(Arc<Target>);

#[derive(Debug)]
struct Target {
    host: String,
    port: u16,
    bearer: Option<Bearer>,
    ca: Option<PathBuf>,
}

impl Api {
    /// Checks the address; it is never shown, because somebody may have put a password into it.
    pub(super) fn new(config: ApiConfig) -> Result<Self, ApiError> {
        let wrong = |text: &str| ApiError::Address(text.to_owned());
        let url = Url::parse(&config.url).map_err(|_| wrong("this is no URL: give http://HOST:PORT"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("credentials are refused here: give --token-file"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("give http://HOST:PORT, and nothing more"));
        }
        match (url.scheme(), config.ca.is_some()) {
            ("http", false) | ("https", true) => {}
            ("https", false) => return Err(wrong("https needs --ca: the CA that signed the ingester's certificate")),
            ("http", true) => return Err(wrong("with --ca the address begins with https")),
            _ => return Err(wrong("the address begins with neither http nor https")),
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(wrong("it has no host: give http://HOST:PORT"));
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self(Arc::new(Target { host, port, bearer: config.bearer, ca: config.ca })))
    }

    /// The token that nodes and sensors show to each other.
    pub(super) async fn token(&self) -> Result<String, ApiError> {
        match self.ask(Method::Get, "/api/init", None).await? {
            (200, token) => Ok(token.trim().to_owned()),
            (status, body) => Err(refused("/api/init", status, &body)),
        }
    }

    /// The nodes; none are an empty list.
    pub(super) async fn nodes(&self) -> Result<Vec<EdgeNode>, ApiError> {
        match self.ask(Method::Get, "/api/nodes", None).await? {
            (200, body) => serde_json::from_str(&body).map_err(|error| refused("/api/nodes", 200, &error.to_string())),
            (404, _) => Ok(Vec::new()),
            (status, body) => Err(refused("/api/nodes", status, &body)),
        }
    }

    pub(super) async fn register(&self, node: &EdgeNode) -> Result<Registration, ApiError> {
        match self.ask(Method::Post, "/api/nodes", Some(node)).await? {
            (200, _) => Ok(Registration::Done),
            (403, body) => Ok(Registration::Place(reason(&body))),
            (409, _) => Ok(Registration::Taken),
            (status, body) => Err(refused("/api/nodes", status, &body)),
        }
    }

    /// Removes a node. One that is not there is removed already.
    pub(super) async fn remove(&self, node: &EdgeNode) -> Result<(), ApiError> {
        match self.ask(Method::Delete, "/api/nodes", Some(node)).await? {
            (200..=299 | 404, _) => Ok(()),
            (status, body) => Err(refused("/api/nodes", status, &body)),
        }
    }

    pub(super) async fn nearest(&self, place: Place) -> Nearest {
        let path = format!("/api/node/nearest?u={}&v={}", place.u, place.v);
        match self.ask(Method::Get, &path, None).await {
            Ok((200, body)) => serde_json::from_str(&body).map_or(Nearest::Failed, Nearest::Node),
            Ok((404, _)) => Nearest::NoNode,
            Ok(_) | Err(_) => Nearest::Failed,
        }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&EdgeNode>) -> Result<(u16, String), ApiError> {
        // A node is texts and numbers: there is nothing in it that JSON cannot say.
        let body = body.map(|node| serde_json::to_string(node).unwrap_or_default());
        let (target, path) = (Arc::clone(&self.0), path.to_owned());
        tokio::task::spawn_blocking(move || target.ask(method, &path, body)).await?
    }
}

impl Target {
    fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<(u16, String), ApiError> {
        let unknown = |reason: String| ApiError::Host { host: self.host.clone(), reason };
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let mut last = Err(unknown("it has no address".to_owned()));
        for address in addresses.map_err(|error| unknown(error.to_string()))? {
            let question = Ask {
                method,
                body: body.clone(),
                bearer: self.bearer.clone(),
                ca: self.ca.clone(),
                name: Some(self.host.clone()),
                ..Ask::new(address, path)
            };
            match ask(&question) {
                // This ingester stands by: a name that several share has the leader's address too.
                Ok(answer @ (STANDS_BY, _)) => last = Ok(answer),
                Ok(answer) => return Ok(answer),
                // A name may have addresses at which nobody listens.
                Err(error) if last.is_err() => last = Err(error.into()),
                Err(_) => {}
            }
        }
        last
    }
}

fn refused(path: &str, status: u16, body: &str) -> ApiError {
    ApiError::Refused { path: path.to_owned(), status, reason: reason(body) }
}

/// What a person is to know of a refusal: the detail of a problem document, or what is there.
fn reason(body: &str) -> String {
    let problem = serde_json::from_str::<serde_json::Value>(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem.get("detail")?.as_str());
    detail.unwrap_or(body).trim().chars().take(REASON_MAX_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked_and_never_shown() {
        let api = |url: &str, ca: Option<&str>| {
            Api::new(ApiConfig { url: url.to_owned(), bearer: None, ca: ca.map(PathBuf::from) })
        };
        assert_eq!(api("http://[::1]:8080", None).unwrap().0.host, "::1");
        assert!(api("https://gate.example", Some("ca.pem")).is_ok());
        for (url, ca) in [
            ("gate", None),
            ("ftp://gate", None),
            ("https://gate", None),
            ("http://gate", Some("ca.pem")),
            ("http://gate/api", None),
            ("http://anna:s3cret@gate", None),
        ] {
            let error = api(url, ca).unwrap_err().to_string();
            assert!(error.starts_with("--api") && !error.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn refusals_are_shown_in_a_persons_words() {
        assert_eq!(reason(r#"{"status":403,"detail":"too close"}"#), "too close");
        assert_eq!(reason("plain\n"), "plain");
    }
}
