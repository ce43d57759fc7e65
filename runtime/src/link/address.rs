//! Where a broker is found.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The port of MQTT without TLS, used when an address names none.
const DEFAULT_PORT: u16 = 1883;

/// The port of MQTT over TLS, used when an address names none.
const DEFAULT_TLS_PORT: u16 = 8883;

/// What carries MQTT to a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Transport {
    /// Plain TCP, `mqtt://`: whoever is on the way reads and changes what is said.
    #[default]
    Tcp,
    /// TLS over TCP, `mqtts://`.
    Tls,
}

/// The address of one MQTT broker.
///
/// Parsed from `host`, `host:port`, `mqtt://host:port` (plain TCP, port 1883 if none is given) or `mqtts://host:port` (TLS, 8883);
/// an IPv6 address is written in brackets, `[::1]:1883`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BrokerAddress {
    /// What carries MQTT there.
    pub transport: Transport,
    /// Host name, IPv4 address, or IPv6 address in brackets.
    pub host: String,
    /// TCP port, 1 to 65,535.
    pub port: u16,
}

/// Why a text is not a broker address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The scheme is neither `mqtt` nor `mqtts`.
    #[error("{0}: unknown scheme, use mqtts://host:port for TLS or mqtt://host:port for plain TCP")]
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
        let (transport, authority) = split_scheme(text.trim())?;
        if authority.contains('@') {
            return Err(AddressError::Credentials);
        }
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority);
        if !is_host(host) {
            return Err(AddressError::Host(host.to_owned()));
        }
        let port = match port {
            None => transport.default_port(),
            Some(port) => parse_port(port)?,
        };
        Ok(Self { transport, host: host.to_owned(), port })
    }
}

impl BrokerAddress {
    /// An address reached over plain TCP. `host` as in the field of that name.
    #[must_use]
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self { transport: Transport::Tcp, host: host.into(), port }
    }

    /// An address reached over TLS. `host` as in the field of that name; it is what the broker's certificate must be for.
    #[must_use]
    pub fn tls(host: impl Into<String>, port: u16) -> Self {
        Self { transport: Transport::Tls, host: host.into(), port }
    }

    /// Whether it is on this machine, so that nobody is on the way: `localhost` or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.bare_host();
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// The host without the brackets of an IPv6 address, as certificates know it.
    #[must_use]
    pub fn bare_host(&self) -> &str {
        let inner = self.host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        inner.unwrap_or(&self.host)
    }
}

impl Transport {
    const fn default_port(self) -> u16 {
        match self {
            Self::Tcp => DEFAULT_PORT,
            Self::Tls => DEFAULT_TLS_PORT,
        }
    }
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.transport {
            Transport::Tcp => "",
            Transport::Tls => "mqtts://",
        };
        write!(f, "{scheme}{}:{}", self.host, self.port)
    }
}

fn split_scheme(text: &str) -> Result<(Transport, &str), AddressError> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Ok((Transport::Tcp, text));
    };
    match scheme.to_ascii_lowercase().as_str() {
        "mqtt" | "tcp" => Ok((Transport::Tcp, rest)),
        "mqtts" | "ssl" | "tls" => Ok((Transport::Tls, rest)),
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
        BrokerAddress::tcp(host, port)
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
    fn accepts_tls_with_its_own_port() {
        for (text, host, port) in [
            ("mqtts://broker", "broker", 8883),
            ("MQTTS://broker:1883/", "broker", 1883),
            ("ssl://[::1]", "[::1]", 8883),
            ("tls://10.0.0.1:9", "10.0.0.1", 9),
        ] {
            assert_eq!(parse(text), Ok(BrokerAddress::tls(host, port)), "{text}");
        }
    }

    #[test]
    fn what_it_prints_it_reads_again() {
        for text in ["localhost:1883", "[::1]:1999", "mqtts://broker:8883", "mqtts://[::1]:1"] {
            assert_eq!(parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn knows_what_is_on_this_machine() {
        for (text, expected) in [
            ("localhost", true),
            ("LOCALHOST:1", true),
            ("127.9.9.9", true),
            ("mqtts://[::1]", true),
            ("localhost.example", false),
            ("10.0.0.1", false),
            ("[fe80::1]", false),
        ] {
            assert_eq!(parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        assert!(matches!(parse("ws://broker"), Err(AddressError::Scheme(_))));
        for text in ["mqtt://me:secret@broker", "mqtts://me@broker"] {
            assert_eq!(parse(text), Err(AddressError::Credentials));
        }
        for text in ["", ":1883", "mqtt://", "a b:1", "::1", "[::1:1883", "broker/path:1883", "[nonsense]:1"] {
            assert!(matches!(parse(text), Err(AddressError::Host(_))), "{text}");
        }
        for text in ["broker:", "broker:0", "broker:65536", "broker:mqtt", "broker:-1"] {
            assert!(matches!(parse(text), Err(AddressError::Port(_))), "{text}");
        }
    }
}
