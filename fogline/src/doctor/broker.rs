//! The way to a broker, one step after the other: name, port, TLS, login, rights.

use super::certificates;
use super::finding::{Findings, Progress};
use super::mqtt::{Mqtt, MqttError, PATIENCE, STEP, Stream};
use fogline_runtime::link::{BrokerAddress, LinkSecurity, Transport, tls_advice};
use rumqttc::ConnectReturnCode;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;

/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 4;

/// Goes as far as a connected stream; what was in the way is among the findings.
pub(super) fn reach(
    findings: &mut Findings,
    progress: &Progress,
    broker: &BrokerAddress,
    security: &LinkSecurity,
) -> Option<Box<dyn Stream>> {
    progress.say(&format!("connecting to {broker}"));
    let addresses = resolve(findings, broker)?;
    let stream = connect(findings, broker, &addresses)?;
    match broker.transport {
        Transport::Tcp => Some(Box::new(stream)),
        Transport::Tls => secure(findings, broker, security, stream),
    }
}

fn resolve(findings: &mut Findings, broker: &BrokerAddress) -> Option<Vec<SocketAddr>> {
    let check = format!("{broker}, name");
    let found: io::Result<Vec<SocketAddr>> =
        (broker.bare_host(), broker.port).to_socket_addrs().map(|all| all.take(ADDRESSES_MAX).collect());
    match found {
        Ok(addresses) if !addresses.is_empty() => {
            let shown: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
            findings.ok(&check, shown.join(", "));
            Some(addresses)
        }
        Ok(_) => {
            findings.fail(&check, "it has no address", "correct --broker, or the name server's entry");
            None
        }
        Err(error) => {
            findings.fail(
                &check,
                error.to_string(),
                "correct --broker, or the name server: resolvectl query, /etc/hosts",
            );
            None
        }
    }
}

fn connect(findings: &mut Findings, broker: &BrokerAddress, addresses: &[SocketAddr]) -> Option<TcpStream> {
    let check = format!("{broker}, port");
    let mut last = None;
    for address in addresses {
        let start = Instant::now();
        match TcpStream::connect_timeout(address, PATIENCE) {
            Ok(stream) => {
                let us = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
                findings.ok(&check, format!("open, {} away", crate::figures::micros(us)));
                stream.set_read_timeout(Some(STEP)).and_then(|()| stream.set_write_timeout(Some(PATIENCE))).ok()?;
                return Some(stream);
            }
            Err(error) => last = Some((*address, error)),
        }
    }
    let (address, error) = last?;
    let remedy = match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there: start the broker, or correct the port",
        io::ErrorKind::TimedOut => "nothing comes back: look at firewalls and routes",
        _ => "look at cable, address and route: ip addr, ip route",
    };
    findings.fail(&check, format!("{address}: {error}"), remedy);
    None
}

fn secure(
    findings: &mut Findings,
    broker: &BrokerAddress,
    security: &LinkSecurity,
    stream: TcpStream,
) -> Option<Box<dyn Stream>> {
    let check = format!("{broker}, TLS");
    match shake_hands(broker, security, stream) {
        Ok(stream) => {
            let version = stream.conn.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
            findings.ok(&check, version.replace('_', "."));
            if let Some(first) = stream.conn.peer_certificates().and_then(|chain| chain.first()) {
                certificates::shown(findings, &format!("{broker}, certificate"), first);
            }
            Some(Box::new(stream))
        }
        Err(Refused { text, remedy }) => {
            findings.fail(&check, text, remedy);
            None
        }
    }
}

/// Why there is no TLS, and what to do.
struct Refused {
    text: String,
    remedy: String,
}

fn shake_hands(
    broker: &BrokerAddress,
    security: &LinkSecurity,
    mut stream: TcpStream,
) -> Result<StreamOwned<ClientConnection, TcpStream>, Refused> {
    let refused = |text: String, remedy: &str| Refused { text, remedy: remedy.to_owned() };
    let config = security.client_config().map_err(|error| refused(error.to_string(), "correct the file"))?;
    let name = ServerName::try_from(broker.bare_host().to_owned())
        .map_err(|error| refused(error.to_string(), "correct --broker"))?;
    let mut session =
        ClientConnection::new(config, name).map_err(|error| refused(error.to_string(), "correct the TLS settings"))?;
    let deadline = Instant::now() + PATIENCE;
    while session.is_handshaking() {
        match session.complete_io(&mut stream) {
            Ok(_) => {}
            Err(error) if is_pause(&error) && Instant::now() < deadline => {}
            Err(error) if is_pause(&error) => {
                return Err(refused("no answer".to_owned(), "is this a port for mqtt:// without TLS?"));
            }
            Err(error) => return Err(of_tls(&error)),
        }
    }
    Ok(StreamOwned::new(session, stream))
}

fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn of_tls(error: &io::Error) -> Refused {
    let cause = error.get_ref().and_then(|carried| carried.downcast_ref::<rustls::Error>());
    let remedy = cause.and_then(tls_advice).unwrap_or("is this a port for TLS? Look into the broker's log");
    Refused { text: error.to_string(), remedy: remedy.to_owned() }
}

/// Logs in. None when the broker does not let us.
pub(super) fn login(
    findings: &mut Findings,
    broker: &BrokerAddress,
    stream: Box<dyn Stream>,
    client: &str,
    security: &LinkSecurity,
) -> Option<Mqtt> {
    let check = format!("{broker}, login");
    let mut mqtt = Mqtt::new(stream);
    let user = security.user.as_ref().map_or_else(String::new, |user| format!(", user {user}"));
    match mqtt.login(client, security) {
        Ok(ConnectReturnCode::Success) => {
            findings.ok(&check, format!("as {client}{user}"));
            Some(mqtt)
        }
        Ok(code) => {
            let (text, remedy) = explained(code);
            findings.fail(&check, format!("refused with code {}: {text}", code as u8), remedy);
            None
        }
        Err(error) => {
            // With TLS 1.3 a broker that wants a certificate says so after the handshake only.
            let tls = match &error {
                MqttError::Io(error) => Some(of_tls(error)),
                _ => None,
            };
            let remedy = tls.map_or_else(|| "look into the broker's log".to_owned(), |refused| refused.remedy);
            findings.fail(&check, error.to_string(), remedy);
            None
        }
    }
}

/// The codes of CONNACK (MQTT 3.1.1, 3.2.2.3).
const fn explained(code: ConnectReturnCode) -> (&'static str, &'static str) {
    match code {
        ConnectReturnCode::Success => ("accepted", ""),
        ConnectReturnCode::RefusedProtocolVersion => ("not this version of MQTT", "use a broker that speaks 3.1.1"),
        ConnectReturnCode::BadClientId => {
            ("not this client id", "give the agent the name that the broker knows (--name)")
        }
        ConnectReturnCode::ServiceUnavailable => ("the broker is not ready", "wait; look into the broker's log"),
        ConnectReturnCode::BadUserNamePassword => (
            "user name or password are wrong",
            "give the right ones (--user, --password-file), or a new token: fogline broker user add",
        ),
        ConnectReturnCode::NotAuthorized => (
            "it lets this client not in",
            "add it at the broker: fogline broker user add; or give its certificate (--broker-cert)",
        ),
    }
}

/// Subscribes to what the program subscribes to.
pub(super) fn may_read(findings: &mut Findings, broker: &BrokerAddress, mqtt: &mut Mqtt, filters: &[String]) -> bool {
    let check = format!("{broker}, may read");
    match mqtt.subscribe(filters) {
        Ok(granted) if granted.len() == filters.len() && granted.iter().all(|granted| *granted) => {
            findings.ok(&check, filters.join(", "));
            true
        }
        Ok(granted) => {
            let refused = filters.iter().zip(granted.iter().chain(std::iter::repeat(&false)));
            let refused: Vec<&str> =
                refused.filter(|(_, granted)| !**granted).map(|(filter, _)| filter.as_str()).collect();
            findings.fail(&check, format!("refused (SUBACK 0x80): {}", refused.join(", ")), RIGHTS);
            false
        }
        Err(error) => {
            findings.fail(&check, error.to_string(), RIGHTS);
            false
        }
    }
}

/// Publishes what the program would say.
pub(super) fn may_write(
    findings: &mut Findings,
    broker: &BrokerAddress,
    mqtt: &mut Mqtt,
    topic: &str,
    payload: Vec<u8>,
) -> bool {
    let check = format!("{broker}, may write");
    match mqtt.publish(topic, payload) {
        Ok(()) => {
            findings.ok(&check, topic);
            true
        }
        Err(MqttError::Ended) => {
            findings.fail(&check, format!("{topic}: the broker ends the connection: refused"), RIGHTS);
            false
        }
        Err(error) => {
            findings.fail(&check, format!("{topic}: {error}"), RIGHTS);
            false
        }
    }
}

const RIGHTS: &str = "look at region and role: fogline broker user list; and at the broker's rules";
