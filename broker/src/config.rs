//! The broker's configuration, complete and checked.

use std::{
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

mod listeners;

pub(crate) use listeners::is_loopback;

use fogline_door::http::HttpConfig;
use fogline_door::tls::TlsConfig;

use fogline_service::settings::SettingsError;

/// What ingesters subscribe.
pub const INGEST_FILTER: &str = "fogline/v1/+/+/up/#";

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// The router reserves a slot of some hundred bytes for each connection at the start.
const MAX_CONNECTIONS: RangeInclusive<usize> = 2..=100_000;
/// A batch is at most 48 KiB, so anything smaller would cut off agents; MQTT itself ends at 256 MiB.
const MAX_PAYLOAD_BYTES: RangeInclusive<usize> = 50 * KIB..=16 * MIB;
/// rumqttd panics below 1 KiB.
const SEGMENT_BYTES: RangeInclusive<usize> = KIB..=64 * MIB;
/// With a single segment, a full one is dropped before its subscriber has read it.
const SEGMENT_COUNT: RangeInclusive<usize> = 2..=1024;
/// A client must be able to wait for a few of the largest packets.
const QUEUE_BYTES: RangeInclusive<usize> = 256 * KIB..=4096 * MIB;
/// What is read from a client in one turn.
const MIN_BYTES_PER_SECOND: u32 = 64 * 1024;
/// Shorter gives up a peer on a bad radio link, longer holds memory for a dead one.
const WRITE_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(600);
/// Shorter loads an idle machine, longer finds a dead router late.
const WATCHDOG_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(50)..=Duration::from_secs(60);
/// Shorter takes a busy moment for death.
const WATCHDOG_DEADLINE: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(600);

/// How a broker listens, what it keeps, and how it is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    /// Where to listen for MQTT over TCP, or none. Port 0 takes a free one. An address that other machines can reach wants `users`. Default `127.0.0.1:1883`.
    pub listen: Option<SocketAddr>,
    /// Where to listen for MQTT over TLS, with `tls`; usually on port 8883. An address that other machines can reach wants `users`, or clients that
    /// must show certificates. Default none.
    pub tls_listen: Option<SocketAddr>,
    /// Where to listen for MQTT in WebSockets. An address that other machines can reach wants `users`. Default none.
    pub ws_listen: Option<SocketAddr>,
    /// Where to listen for MQTT in WebSockets over TLS, with `tls`, under the same condition as `tls_listen`. Default none.
    pub wss_listen: Option<SocketAddr>,
    /// Sites whose pages may open WebSockets, like `https://fogline.example:8080`. Those that the broker's own address serves may, and what is no browser.
    /// Others may not, or every site that somebody visits could reach a broker that is on a loopback address. Default none.
    pub ws_origins: Vec<String>,
    /// The files of TLS. They are read again when they change, and clients whose certificates were revoked are disconnected then. Default none.
    pub tls: Option<TlsConfig>,
    /// Where health and metrics are served over HTTP, and to whom. Default nowhere.
    pub http: Option<HttpConfig>,
    /// The file of those who may connect ([`access`](crate::access)). Without it everybody is anonymous. Default none.
    pub users: Option<PathBuf>,
    /// The file of what they may do, beyond what is built in. Default none.
    pub rules: Option<PathBuf>,
    /// Connections at the same time, and sessions whose clients are away, 2 to 100,000. Default 20,000.
    pub max_connections: usize,
    /// Largest packet accepted, in bytes, 50 KiB to 16 MiB; a client that sends more is disconnected. Default 64 KiB.
    pub max_payload_bytes: usize,
    /// Size of a segment of an inbox's log, in bytes, at least 1 KiB: what the router holds of the messages to one client until its connection has taken them
    /// over, read or not. Larger ones let publishers run further ahead and take more memory for each client that subscribes. Default 16 KiB.
    pub segment_bytes: usize,
    /// Segments of an inbox's log, at least 2. Publishers may be ahead by all but one of them. Default 2.
    pub segment_count: usize,
    /// The same as `segment_bytes`, for clients that subscribe wildcards above the last level, as ingesters do ([`INGEST_FILTER`]). Default 256 KiB.
    pub ingest_segment_bytes: usize,
    /// The same as `segment_count`, for those clients. Default 4.
    pub ingest_segment_count: usize,
    /// Most bytes that wait for one client, 256 KiB to 4 GiB. A client that is further behind is disconnected and counted; a session whose
    /// client is away is ended. Default 8 MiB.
    pub max_queue_bytes: usize,
    /// The same for all clients together: when more waits, those that have more than their share are too far behind. Default 256 MiB.
    pub max_all_queue_bytes: usize,
    /// Most messages that a client may publish in a second: one that has more is read more slowly. 0 is no limit, the default.
    pub max_messages_per_second: u32,
    /// Most bytes that a client may publish in a second, in the same way, at least 64 KiB. 0 is no limit, the default.
    pub max_bytes_per_second: u32,
    /// A client that takes nothing for so long while something waits for it is disconnected, 1 s to 600 s. Default 20 s.
    pub write_timeout: Duration,
    /// Longest keep-alive of MQTT 5.0 clients, in seconds; those that ask for more are told. 3.1.1 has no way to say so. Default 60.
    pub max_keep_alive: u16,
    /// Pause between two of the watchdog's round trips, 50 ms to 60 s. Default 3 s.
    pub watchdog_interval: Duration,
    /// The broker has failed when no round trip succeeded for this long, 500 ms to 600 s. Must outlast a storm of
    /// reconnecting agents: about 1 s for every 800 of them. Default 30 s.
    pub watchdog_deadline: Duration,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 1883))),
            tls_listen: None,
            ws_listen: None,
            wss_listen: None,
            ws_origins: Vec::new(),
            tls: None,
            http: None,
            users: None,
            rules: None,
            max_connections: 20_000,
            max_payload_bytes: 64 * KIB,
            segment_bytes: 16 * KIB,
            segment_count: 2,
            ingest_segment_bytes: 256 * KIB,
            ingest_segment_count: 4,
            max_queue_bytes: 8 * MIB,
            max_all_queue_bytes: 256 * MIB,
            max_messages_per_second: 0,
            max_bytes_per_second: 0,
            write_timeout: Duration::from_secs(20),
            max_keep_alive: 60,
            watchdog_interval: Duration::from_secs(3),
            watchdog_deadline: Duration::from_secs(30),
        }
    }
}

impl BrokerConfig {
    /// Checks every setting.
    ///
    /// # Errors
    /// All settings that are out of their range, together.
    pub fn check(&self) -> Result<(), SettingsError> {
        SettingsError::check(self.problems())
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        [
            self.exposed("listen", self.listen),
            self.exposed("ws_listen", self.ws_listen),
            outside("max_connections", &self.max_connections, &MAX_CONNECTIONS),
            outside("max_payload_bytes", &self.max_payload_bytes, &MAX_PAYLOAD_BYTES),
            outside("segment_bytes", &self.segment_bytes, &SEGMENT_BYTES),
            outside("segment_count", &self.segment_count, &SEGMENT_COUNT),
            outside("ingest_segment_bytes", &self.ingest_segment_bytes, &SEGMENT_BYTES),
            outside("ingest_segment_count", &self.ingest_segment_count, &SEGMENT_COUNT),
            outside("max_queue_bytes", &self.max_queue_bytes, &QUEUE_BYTES),
            outside("max_all_queue_bytes", &self.max_all_queue_bytes, &QUEUE_BYTES),
            self.bytes_per_turn(),
            outside_ms("write_timeout_ms", self.write_timeout, &WRITE_TIMEOUT),
            outside_ms("watchdog_interval_ms", self.watchdog_interval, &WATCHDOG_INTERVAL),
            outside_ms("watchdog_deadline_ms", self.watchdog_deadline, &WATCHDOG_DEADLINE),
        ]
        .into_iter()
        .flatten()
        .chain(self.listener_problems())
        .collect()
    }

    /// A client is charged by the turn: below one turn's bytes it would stand still for many seconds.
    fn bytes_per_turn(&self) -> Option<String> {
        let bytes = self.max_bytes_per_second;
        (bytes > 0 && bytes < MIN_BYTES_PER_SECOND).then(|| {
            format!("max_bytes_per_second: {bytes} is too low; give at least {MIN_BYTES_PER_SECOND}, or 0 for no limit")
        })
    }

    /// Nobody who is not on this machine may come in without saying who it is.
    fn exposed(&self, name: &str, address: Option<SocketAddr>) -> Option<String> {
        let address = address?;
        (!is_loopback(address) && self.users.is_none()).then(|| {
            format!(
                "{name}: {ip} can be reached from other machines, and without users anybody there could read and write every topic; \
                 name those who may with --users FILE (fogline-broker user add --help), or use 127.0.0.1:{port} or [::1]:{port}",
                ip = address.ip(),
                port = address.port()
            )
        })
    }
}

fn outside<T: PartialOrd + std::fmt::Display>(name: &str, value: &T, range: &RangeInclusive<T>) -> Option<String> {
    (!range.contains(value))
        .then(|| format!("{name}: {value} is out of range; give {} to {}", range.start(), range.end()))
}

fn outside_ms(name: &str, value: Duration, range: &RangeInclusive<Duration>) -> Option<String> {
    outside(name, &value.as_millis(), &(range.start().as_millis()..=range.end().as_millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(BrokerConfig::default().check(), Ok(()));
    }

    #[test]
    fn all_problems_are_reported_together() {
        let config = BrokerConfig {
            listen: Some("0.0.0.0:1883".parse().unwrap()),
            max_connections: 0,
            segment_bytes: 1023,
            segment_count: 1,
            watchdog_deadline: Duration::ZERO,
            ..BrokerConfig::default()
        };
        let errors = config.check().unwrap_err();
        let names: Vec<_> = errors.problems().iter().map(|p| p.split(':').next().unwrap()).collect();
        assert_eq!(names, ["listen", "max_connections", "segment_bytes", "segment_count", "watchdog_deadline_ms"]);
    }

    #[test]
    fn a_rate_below_a_turn_is_refused() {
        for (bytes, accepted) in [(0, true), (65_536, true), (65_535, false), (1, false)] {
            let config = BrokerConfig { max_bytes_per_second: bytes, ..BrokerConfig::default() };
            assert_eq!(config.check().is_ok(), accepted, "{bytes}");
        }
    }

    #[test]
    fn only_loopback_addresses_are_accepted() {
        for (listen, accepted) in [
            ("127.0.0.1:0", true),
            ("127.9.9.9:1883", true),
            ("[::1]:1883", true),
            ("[::]:1883", false),
            ("10.0.0.1:1883", false),
        ] {
            let config = BrokerConfig { listen: Some(listen.parse().unwrap()), ..BrokerConfig::default() };
            assert_eq!(config.check().is_ok(), accepted, "{listen}");
        }
    }

    #[test]
    fn with_users_other_machines_may_come() {
        let config = BrokerConfig {
            listen: Some("0.0.0.0:1884".parse().unwrap()),
            users: Some("users".into()),
            ..BrokerConfig::default()
        };
        assert_eq!(config.check(), Ok(()));
    }

    #[test]
    fn an_exposed_address_is_refused_with_the_remedy() {
        let config = BrokerConfig { listen: Some("0.0.0.0:1884".parse().unwrap()), ..BrokerConfig::default() };
        assert!(config.check().unwrap_err().to_string().contains("use 127.0.0.1:1884"));
    }
}
