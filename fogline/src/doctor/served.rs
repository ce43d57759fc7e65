//! Where a program serves HTTP: its certificate, its tokens, and whether it runs.

use super::certificates;
use super::finding::Findings;
use fogline_door::http::{Ask, HttpConfig, ask};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// On this machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks, and tells whether a program answers there already.
pub(super) fn check(findings: &mut Findings, config: &HttpConfig) -> bool {
    if let Some(tls) = &config.tls {
        certificates::file(findings, "HTTP certificate", &tls.certificate);
        certificates::secret(findings, "HTTP key", &tls.key);
    }
    if let Some(tokens) = &config.tokens {
        certificates::secret(findings, "HTTP tokens", tokens);
    }
    let address = near(config.address);
    let taken = TcpStream::connect_timeout(&address, PATIENCE).is_ok();
    if taken {
        ready(findings, config, address);
    } else {
        free(findings, config.address);
    }
    taken
}

/// Where this machine reaches an address at which it listens.
pub(super) fn near(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port()),
    }
}

fn ready(findings: &mut Findings, config: &HttpConfig, address: SocketAddr) {
    let check = "HTTP, /readyz";
    if config.tokens.is_some() || config.tls.is_some() {
        return findings.skip(check, format!("{address} is in use; asking takes a token: fogline ingest healthcheck"));
    }
    match ask(&Ask::new(address, "/readyz")) {
        Ok((200, text)) => findings.ok(check, text.trim()),
        Ok((503, text)) => findings.fail(check, text.trim(), "see below, and the playbook in docs/operations.md"),
        Ok((status, _)) => {
            findings.fail(check, format!("{address} answers {status}"), "another program has this port: --http")
        }
        Err(error) => findings.fail(check, error.to_string(), "another program has this port: --http"),
    }
}

fn free(findings: &mut Findings, address: SocketAddr) {
    let check = "HTTP, port";
    match TcpListener::bind(address) {
        Ok(_) => findings.ok(check, format!("{address} is free")),
        Err(error) => {
            let remedy = match error.kind() {
                io::ErrorKind::AddrInUse => "another program has this port: --http",
                io::ErrorKind::PermissionDenied => "ports below 1024 are root's: --http",
                _ => "this machine does not have this address: ip addr; --http",
            };
            findings.fail(check, format!("{address}: {error}"), remedy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;

    #[test]
    fn a_port_is_free_taken_or_not_ours() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It is taken, and closes without a word.
        let closing = std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                drop(stream);
            }
        });
        let mut findings = Findings::default();
        assert!(check(&mut findings, &HttpConfig::new(address)));
        assert_eq!(findings.of("HTTP, /readyz").outcome, Outcome::Fail);
        closing.join().unwrap();
        let mut findings = Findings::default();
        assert!(!check(&mut findings, &HttpConfig::new(address)));
        assert_eq!(findings.of("HTTP, port").outcome, Outcome::Ok);
        let mut findings = Findings::default();
        // TEST-NET-1 is nobody's.
        free(&mut findings, "192.0.2.1:8080".parse().unwrap());
        assert_eq!(findings.of("HTTP, port").outcome, Outcome::Fail);
    }
}
