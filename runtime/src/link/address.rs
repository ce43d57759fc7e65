//! Where a broker is found.

use std::fmt;
use std::str::FromStr;

/// The port of MQTT without TLS, used when an address names none.
const DEFAULT_PORT: u16 = 1883;

/// The address of one MQTT broker, reached over plain TCP.
///
/// Parsed from `host`, `host:port` or `mqtt://host:port`; an IPv6 address is written in brackets, `[::1]:1883`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrokerAddress {
    /// Host name, IPv4 address, or IPv6 address in brackets.
    pub host: String,
    /// TCP port, 1 to 65,535.
    pub port: u16,
}

/// Why a text is not a broker address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The scheme asks for TLS, which the link does not speak.
    #[error("{0}: TLS is not supported yet, use mqtt://host:port on a trusted network")]
    Tls(String),
    /// The scheme is not `mqtt`.
    #[error("{0}: unknown scheme, use mqtt://host:port")]
    Scheme(String),
    /// User names and passwords do not belong in an address: addresses are logged.
    #[error("credentials in a broker address are refused, because addresses are logged")]
    Credentials,
    /// There is no host, or it holds what no host name holds.
    #[error("{0:?}: not a host name; write host:port, with an IPv6 address in brackets")]
    Host(String),
    /// The port is not a number from 1 to 65,535.
    #[error("{0:?}: not a port, which is a number from 1 to 65535")]
    Port(String),
}

impl FromStr for BrokerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let authority = strip_scheme(text.trim())?;
        if authority.contains('@') {
            return Err(AddressError::Credentials);
        }
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority);
        if !is_host(host) {
            return Err(AddressError::Host(host.to_owned()));
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => parse_port(port)?,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn strip_scheme(text: &str) -> Result<&str, AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok(text);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "mqtt" | "tcp" => Ok(rest),
        "mqtts" | "ssl" | "tls" => Err(AddressError::Tls(format!("{scheme}://"))),
        _ => Err(AddressError::Scheme(format!("{scheme}://"))),
    }
}

/// Splits at the last colon that is not inside the brackets of an IPv6 address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').unwrap_or_default();
        return inner.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    !host.is_empty() && host.chars().all(allowed)
}

fn parse_port(port: &str) -> Result<u16, AddressError> {
    match port.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(AddressError::Port(port.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BrokerAddress, AddressError> {
        text.parse()
    }

    fn address(host: &str, port: u16) -> BrokerAddress {
        BrokerAddress { host: host.to_owned(), port }
    }

    #[test]
    fn accepts_hosts_with_and_without_scheme_and_port() {
        for (text, host, port) in [
            ("localhost", "localhost", 1883),
            ("broker.example:1884", "broker.example", 1884),
            ("mqtt://10.0.0.1:2000", "10.0.0.1", 2000),
            ("MQTT://broker/", "broker", 1883),
            ("[::1]:1999", "[::1]", 1999),
            ("mqtt://[fe80::1]", "[fe80::1]", 1883),
        ] {
            assert_eq!(parse(text), Ok(address(host, port)), "{text}");
        }
    }

    #[test]
    fn what_it_prints_it_reads_again() {
        for text in ["localhost:1883", "[::1]:1999"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn refuses_tls_with_the_reason() {
        for text in ["mqtts://broker:8883", "ssl://broker", "tls://broker"] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, AddressError::Tls(_)), "{text}: {error}");
            assert!(error.to_string().contains("TLS is not supported yet"));
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        assert!(matches!(parse("ws://broker"), Err(AddressError::Scheme(_))));
        assert_eq!(parse("mqtt://me:secret@broker"), Err(AddressError::Credentials));
        for text in ["", ":1883", "mqtt://", "a b:1", "::1", "[::1:1883", "broker/path:1883", "[nonsense]:1"] {
            assert!(matches!(parse(text), Err(AddressError::Host(_))), "{text}");
        }
        for text in ["broker:", "broker:0", "broker:65536", "broker:mqtt", "broker:-1"] {
            assert!(matches!(parse(text), Err(AddressError::Port(_))), "{text}");
        }
    }
}
