//! What a broker needs of its machine.

use super::finding::Findings;
use super::{certificates, limits, served};
use fogline_broker::BrokerConfig;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Beside the connections: standard streams, listeners, the watchdog's.
const FILES_BESIDE: u64 = 64;
/// On this machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at all of it. Nobody is connected for longer than it takes to see that somebody listens.
pub(super) fn check(findings: &mut Findings, config: &BrokerConfig) {
    let connections = u64::try_from(config.max_connections).unwrap_or(u64::MAX);
    limits::open_files(findings, connections.saturating_add(FILES_BESIDE));
    if let Some(tls) = &config.tls {
        certificates::file(findings, "TLS certificate", &tls.certificate);
        certificates::secret(findings, "TLS key", &tls.key);
    }
    if let Some(users) = &config.users {
        certificates::secret(findings, "users", users);
    }
    for (what, address) in [
        ("MQTT", config.listen),
        ("MQTT over TLS", config.tls_listen),
        ("WebSockets", config.ws_listen),
        ("WebSockets over TLS", config.wss_listen),
    ] {
        if let Some(address) = address {
            port(findings, what, address);
        }
    }
    if let Some(http) = &config.http {
        served::check(findings, http);
    }
}

fn port(findings: &mut Findings, what: &str, address: SocketAddr) {
    let check = format!("{what}, port");
    if TcpStream::connect_timeout(&served::near(address), PATIENCE).is_ok() {
        return findings
            .ok(&check, format!("{address}: somebody listens; fogline doctor agent says whether it is this broker"));
    }
    match TcpListener::bind(address) {
        Ok(_) => findings.ok(&check, format!("{address} is free: the broker does not run")),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            findings.fail(&check, format!("{address}: {error}"), "ports below 1024 are root's: choose another one");
        }
        Err(error) => findings.fail(
            &check,
            format!("{address}: {error}"),
            "this machine does not have this address: ip addr; choose another one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;

    #[test]
    fn ports_are_looked_at() {
        let mut findings = Findings::default();
        port(&mut findings, "free", "127.0.0.1:0".parse().unwrap());
        port(&mut findings, "foreign", "192.0.2.1:1883".parse().unwrap());
        assert_eq!(findings.of("free, port").outcome, Outcome::Ok);
        assert_eq!(findings.of("foreign, port").outcome, Outcome::Fail);
    }
}
