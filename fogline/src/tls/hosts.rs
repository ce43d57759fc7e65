//! The hosts that a broker's certificate is for.

use rcgen::SanType;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Longest host name in bytes, and longest part of it between dots (RFC 1035, 2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// A host name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse() {
            return Ok(Self::Address(address));
        }
        let name = text.to_ascii_lowercase();
        let label = |label: &str| {
            (1..=MAX_LABEL_BYTES).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if name.len() <= MAX_NAME_BYTES && name.split('.').all(label) {
            Ok(Self::Name(name))
        } else {
            Err("neither a host name nor an address; give it without port and scheme".to_owned())
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl Host {
    /// As certificates have it.
    pub(super) fn alternative_name(&self) -> Result<SanType, rcgen::Error> {
        Ok(match self {
            Self::Name(name) => SanType::DnsName(name.as_str().try_into()?),
            Self::Address(address) => SanType::IpAddress(*address),
        })
    }

    /// As a broker's address has it.
    pub(super) fn in_address(&self) -> String {
        match self {
            Self::Address(IpAddr::V6(address)) => format!("[{address}]"),
            other => other.to_string(),
        }
    }
}

/// How this machine is reached from itself, and by its name if it has a usable one.
pub(super) fn of_this_machine() -> impl Iterator<Item = Host> {
    let own = rustix::system::uname().nodename().to_str().ok().and_then(|name| name.parse().ok());
    let local = [
        Host::Name("localhost".to_owned()),
        Host::Address(Ipv4Addr::LOCALHOST.into()),
        Host::Address(Ipv6Addr::LOCALHOST.into()),
    ];
    local.into_iter().chain(own)
}

/// Each once, in the order of their first appearance.
pub(super) fn distinct(hosts: impl IntoIterator<Item = Host>) -> Vec<Host> {
    let mut known = Vec::new();
    for host in hosts {
        if !known.contains(&host) {
            known.push(host);
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        for (text, expected) in [
            ("Broker.Example", Host::Name("broker.example".to_owned())),
            ("my_host-1", Host::Name("my_host-1".to_owned())),
            ("10.0.0.7", Host::Address(IpAddr::from([10, 0, 0, 7]))),
            ("[::1]", Host::Address(Ipv6Addr::LOCALHOST.into())),
        ] {
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
        for text in ["", "a:1", "mqtts://a", "a..b", "-a", "a b", "*.example", &"x".repeat(64)] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_in_a_broker_s_address_has_brackets_where_they_belong() {
        let shown: Vec<String> = of_this_machine().take(3).map(|host| host.in_address()).collect();
        assert_eq!(shown, ["localhost", "127.0.0.1", "[::1]"]);
    }
}
