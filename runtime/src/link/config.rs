//! What a link needs to know before it starts.

use std::time::Duration;

use rumqttc::valid_filter;

use super::address::{BrokerAddress, Transport};
use super::backoff::CAP;
use super::publish::min_outgoing_bytes;
use super::security::LinkSecurity;
use super::tls::TlsFileError;

/// Most publishes that may be unacknowledged. A stock rumqttd that holds 100 unacknowledged messages for a client withholds
/// PINGRESP and PUBACK from it, so nobody should come near that number; the packet ids of a SUBSCRIBE count too.
pub const MAX_INFLIGHT: u16 = 90;

/// Most subscriptions: they go into one SUBSCRIBE, and a client of ours needs a handful.
const MAX_SUBSCRIPTIONS: usize = 64;

/// Most brokers in the list: a list is walked in order, and a long one makes failover slow.
const MAX_BROKERS: usize = 16;

/// Longest client id: agents' names have at most 63 bytes, and the CONNECT must fit into the smallest packet limit.
const MAX_CLIENT_ID_BYTES: usize = 255;

/// Bytes of a CONNECT beside client id, will, user name and password, rounded up.
const CONNECT_OVERHEAD_BYTES: usize = 32;

/// Smallest packet limit: below it a CONNECT with its will does not fit.
const MIN_PACKET_BYTES: usize = 1024;

/// Largest packet of MQTT.
const MAX_PACKET_BYTES: usize = 268_435_455;

/// MQTT 3.1.1 writes the keep-alive as seconds in 16 bits; rumqttc takes none below a second.
const KEEP_ALIVE_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(65_535);

/// The configuration of a link. [`LinkConfig::new`] gives the defaults; [`Link::start`](super::Link::start) checks it.
#[derive(Debug, Clone)]
pub struct LinkConfig {
    /// Brokers in order of preference, 1 to 16: on failure the next is tried, after the last the first.
    pub brokers: Vec<BrokerAddress>,
    /// The MQTT client id, unique per broker, 1 to 255 bytes: two clients of one id throw each other out.
    pub client_id: String,
    /// Topic filters, subscribed after every connect; at most 64, none is allowed too.
    pub subscriptions: Vec<String>,
    /// Subscribe at `QoS` 0. Default false: at `QoS` 1, and what is refused so, at `QoS` 0.
    pub at_most_once: bool,
    /// Keep-alive in whole seconds, at least 1 s. Default 30 s: a dead peer is noticed within twice that.
    pub keep_alive: Duration,
    /// Most publishes without PUBACK, 1 to [`MAX_INFLIGHT`]. Default 16.
    pub inflight: u16,
    /// Largest packet in both directions, in bytes, at least 1 KiB. Default 64 KiB. A larger incoming packet ends the
    /// connection, so brokers and clients should have the same limit.
    pub max_packet_bytes: usize,
    /// Bound of the publishes that wait for their PUBACK, in bytes of topic, payload and 128 more each. At least the
    /// largest packet and 128. Default 2 MiB.
    pub outgoing_bytes: usize,
    /// Bound of the messages that wait for the owner to read them, in bytes of topic, payload and 128 more each. What comes beyond
    /// is thrown away and counted. Default 4 MiB.
    pub incoming_bytes: usize,
    /// How long a PUBACK or SUBACK may take before the connection is given up, at least 100 ms. Default 20 s.
    pub ack_timeout: Duration,
    /// Longest wait between two attempts to connect, at least 100 ms. Default 5 s: a fleet that lost its broker must not return at
    /// once. Each wait is drawn from zero to a bound that doubles up to this.
    pub retry_within: Duration,
    /// Whom the link trusts, and what it shows. Default: the system's roots, and nothing.
    pub security: LinkSecurity,
    /// Seed of the jitter between attempts to connect.
    pub seed: u64,
}

/// Why a link could not start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A value of the configuration cannot be; the text says which, and what would do.
    #[error("link configuration: {0}")]
    Config(String),
    /// A file of the TLS settings cannot be used.
    #[error("TLS: {0}")]
    TlsFile(#[from] TlsFileError),
    /// `Link::start` was called outside a Tokio runtime.
    #[error("a link must be started inside a Tokio runtime")]
    NoRuntime,
}

impl LinkConfig {
    /// The defaults, for the given brokers and client id, without subscriptions.
    #[must_use]
    pub fn new(brokers: Vec<BrokerAddress>, client_id: impl Into<String>, seed: u64) -> Self {
        Self {
            brokers,
            client_id: client_id.into(),
            subscriptions: Vec::new(),
            at_most_once: false,
            keep_alive: Duration::from_secs(30),
            inflight: 16,
            max_packet_bytes: 64 * 1024,
            outgoing_bytes: 2 * 1024 * 1024,
            incoming_bytes: 4 * 1024 * 1024,
            ack_timeout: Duration::from_secs(20),
            retry_within: CAP,
            security: LinkSecurity::default(),
            seed,
        }
    }

    pub(super) fn validate(&self) -> Result<(), LinkError> {
        if let Some(fault) = self.faults().next() {
            return Err(LinkError::Config(fault));
        }
        if self.brokers.iter().any(|broker| broker.transport == Transport::Tls) {
            self.security.client_config()?;
        }
        Ok(())
    }

    /// Once at start, where whoever set it up still looks.
    pub(super) fn warn_of_exposure(&self) {
        for broker in self.security.exposed(&self.brokers) {
            tracing::warn!(%broker, "THE PASSWORD IS SENT IN THE CLEAR to this broker: use mqtts://, or a broker on this machine");
        }
    }

    /// Room for a last will in a CONNECT, in bytes.
    pub(super) fn will_room(&self) -> usize {
        self.max_packet_bytes.saturating_sub(self.connect_bytes())
    }

    /// Bytes of a CONNECT without a will.
    fn connect_bytes(&self) -> usize {
        self.client_id.len() + self.security.connect_bytes() + CONNECT_OVERHEAD_BYTES
    }

    fn faults(&self) -> impl Iterator<Item = String> {
        let smallest_queue = min_outgoing_bytes(self.max_packet_bytes);
        let checks = [
            (
                !(1..=MAX_BROKERS).contains(&self.brokers.len()),
                format!("1 to {MAX_BROKERS} brokers are needed, not {}", self.brokers.len()),
            ),
            (
                self.client_id.is_empty() || self.client_id.len() > MAX_CLIENT_ID_BYTES,
                format!("client_id must have 1 to {MAX_CLIENT_ID_BYTES} bytes"),
            ),
            (
                self.subscriptions.len() > MAX_SUBSCRIPTIONS,
                format!("at most {MAX_SUBSCRIPTIONS} subscriptions are allowed"),
            ),
            (
                !KEEP_ALIVE_RANGE.contains(&self.keep_alive) || self.keep_alive.subsec_nanos() != 0,
                "keep_alive must be whole seconds, 1 to 65535".to_owned(),
            ),
            (
                !(1..=MAX_INFLIGHT).contains(&self.inflight),
                format!("inflight must be 1 to {MAX_INFLIGHT}, not {}", self.inflight),
            ),
            (
                !(MIN_PACKET_BYTES..=MAX_PACKET_BYTES).contains(&self.max_packet_bytes),
                format!("max_packet_bytes must be {MIN_PACKET_BYTES} to {MAX_PACKET_BYTES}"),
            ),
            (
                self.outgoing_bytes < smallest_queue,
                format!("outgoing_bytes must be at least {smallest_queue}, to hold the largest packet"),
            ),
            (
                self.incoming_bytes < smallest_queue,
                format!("incoming_bytes must be at least {smallest_queue}, to hold the largest packet"),
            ),
            (self.ack_timeout < Duration::from_millis(100), "ack_timeout must be at least 100 ms".to_owned()),
            (self.retry_within < Duration::from_millis(100), "retry_within must be at least 100 ms".to_owned()),
            (
                self.connect_bytes() > self.max_packet_bytes,
                "user name and password do not fit into one packet of max_packet_bytes".to_owned(),
            ),
        ];
        let fixed = checks.into_iter().filter_map(|(bad, fault)| bad.then_some(fault));
        fixed.chain(self.filter_faults()).chain(self.security.faults())
    }

    fn filter_faults(&self) -> impl Iterator<Item = String> {
        let subscribe_bytes: usize = self.subscriptions.iter().map(|filter| filter.len() + 3).sum();
        let too_long = (subscribe_bytes + 7 > self.max_packet_bytes)
            .then(|| "the subscriptions do not fit into one packet".to_owned());
        let wrong = self.subscriptions.iter().find(|filter| !valid_filter(filter) || filter.contains('\0'));
        let wrong = wrong.map(|filter| format!("{filter:?} is not a topic filter"));
        too_long.into_iter().chain(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    fn valid() -> LinkConfig {
        LinkConfig::new(vec!["localhost:1883".parse().unwrap()], "agent", 1)
    }

    #[test]
    fn the_defaults_are_valid() {
        assert_eq!(valid().validate(), Ok(()));
    }

    #[test]
    fn each_value_out_of_range_is_named() {
        type Change = fn(&mut LinkConfig);
        let cases: [(&str, Change); 16] = [
            ("retry_within", |c| c.retry_within = Duration::ZERO),
            ("brokers", |c| c.brokers.clear()),
            ("client_id", |c| c.client_id.clear()),
            ("subscriptions", |c| c.subscriptions = vec!["a".to_owned(); 65]),
            ("one packet", |c| c.subscriptions = vec!["a".repeat(40_000), "b".repeat(40_000)]),
            ("topic filter", |c| c.subscriptions = vec!["a/#/b".to_owned()]),
            ("keep_alive", |c| c.keep_alive = Duration::from_millis(999)),
            ("keep_alive", |c| c.keep_alive = Duration::from_millis(1500)),
            ("inflight", |c| c.inflight = 0),
            ("inflight", |c| c.inflight = 91),
            ("max_packet_bytes", |c| c.max_packet_bytes = 1023),
            ("outgoing_bytes", |c| c.outgoing_bytes = c.max_packet_bytes),
            ("incoming_bytes", |c| c.incoming_bytes = c.max_packet_bytes),
            ("ack_timeout", |c| c.ack_timeout = Duration::ZERO),
            ("user name", |c| c.security.user = Some(String::new())),
            ("one packet", |c| {
                c.max_packet_bytes = 1024;
                c.security.user = Some("me".to_owned());
                c.security.password = Some(Secret::new("x".repeat(1024)).unwrap());
            }),
        ];
        for (name, change) in cases {
            let mut config = valid();
            change(&mut config);
            let Err(LinkError::Config(text)) = config.validate() else {
                panic!("{name} was accepted");
            };
            assert!(text.contains(name), "{name}: {text}");
        }
    }

    #[test]
    fn files_count_for_tls_only() {
        let mut config = valid();
        config.security.ca = Some("/no/such/ca.pem".into());
        assert_eq!(config.validate(), Ok(()));
        config.brokers.push("mqtts://localhost".parse().unwrap());
        let error = config.validate().unwrap_err();
        assert!(matches!(error, LinkError::TlsFile(_)) && error.to_string().contains("/no/such/ca.pem"), "{error}");
    }
}
