//! Where HTTP is served, and to whom.

use super::limits::Limits;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The files of HTTPS, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, then the ones that lead to its CA.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The configuration of an HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// The file of tokens; none: whoever is on this machine may do everything.
    pub tokens: Option<PathBuf>,
    /// The files of HTTPS; none: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// What one client can take from the others.
    pub limits: Limits,
    /// Paths that everybody may look at, without a token and under whatever name, exactly as written here; `/healthz` is
    /// always one. For files that are the same for everybody, such as those of a web page that asks for a token itself.
    pub open_paths: Vec<String>,
}

impl HttpConfig {
    /// Plain HTTP without tokens: for a loopback address.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, tokens: None, tls: None, limits: Limits::default(), open_paths: Vec::new() }
    }

    /// Checks what was given as flags, in the environment or in a file: see [`http_settings!`](crate::http_settings).
    /// What is wrong is added to `problems`, under the name of its setting, with its remedy.
    #[must_use]
    pub fn checked(
        address: SocketAddr,
        tokens: Option<PathBuf>,
        certificate: Option<PathBuf>,
        key: Option<PathBuf>,
        problems: &mut Vec<String>,
    ) -> Self {
        let tls = match (certificate, key) {
            (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
            (None, None) => None,
            (Some(_), None) => {
                problems.push("http_cert: a certificate is of no use without its key: give --http-key too".to_owned());
                None
            }
            (None, Some(_)) => {
                problems.push("http_key: a key is of no use without its certificate: give --http-cert too".to_owned());
                None
            }
        };
        let config = Self { tokens, tls, ..Self::new(address) };
        if config.is_open_to_others() {
            problems.push(format!("http: {}", open_to_others(address)));
        }
        config
    }

    /// Whether others can reach it, and nothing asks who they are.
    pub(super) fn is_open_to_others(&self) -> bool {
        !self.address.ip().to_canonical().is_loopback() && self.tokens.is_none()
    }
}

/// What is wrong with such an address, and the remedy.
pub(super) fn open_to_others(address: SocketAddr) -> String {
    format!(
        "{address} is open to others, and nothing asks who they are: make a token with `fogline token add NAME --role \
         viewer --tokens FILE` and give --http-tokens FILE, or use 127.0.0.1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(address: &str, tokens: Option<&str>, certificate: Option<&str>, key: Option<&str>) -> Vec<String> {
        let mut problems = Vec::new();
        let path = |text: Option<&str>| text.map(PathBuf::from);
        let address = address.parse().unwrap();
        drop(HttpConfig::checked(address, path(tokens), path(certificate), path(key), &mut problems));
        problems
    }

    #[test]
    fn an_address_that_others_reach_needs_tokens() {
        for address in ["0.0.0.0:80", "[::]:80", "192.0.2.1:80", "[::ffff:192.0.2.1]:80"] {
            let problems = problems(address, None, None, None);
            assert!(problems[0].contains("fogline token add") && problems[0].contains("--http-tokens"), "{problems:?}");
        }
        assert!(problems("0.0.0.0:80", Some("tokens"), None, None).is_empty());
        for address in ["127.0.0.1:80", "127.9.9.9:80", "[::1]:80", "[::ffff:127.0.0.1]:80"] {
            assert!(problems(address, None, None, None).is_empty(), "{address}");
        }
    }

    #[test]
    fn certificate_and_key_come_together() {
        let address = "127.0.0.1:80";
        assert!(problems(address, None, Some("c"), None)[0].starts_with("http_cert"));
        assert!(problems(address, None, None, Some("k"))[0].starts_with("http_key"));
        assert!(problems(address, None, Some("c"), Some("k")).is_empty());
    }
}
