//! Our configuration in rumqttd's terms, and what of rumqttd is fixed.

use std::{collections::HashMap, net::SocketAddr};

use rumqttd::{ConnectionSettings, RouterConfig, SegmentConfig, ServerSettings};

use crate::{
    config::{BrokerConfig, INGEST_FILTER},
    probe,
};

/// A client that connects and sends no CONNECT packet is closed after this.
const CONNECT_TIMEOUT_MS: u16 = 5_000;
/// Packets parsed from one connection before the router runs. (rumqttd's name, inflight, misleads.)
const PACKETS_PER_READ: usize = 200;
/// Packets handed to a QoS 0 subscriber at once.
const PACKETS_PER_QOS0_READ: u64 = 200;
/// rumqttd's default of 1 ms halves the rate at which connections are accepted.
const PAUSE_BETWEEN_ACCEPTS_MS: u64 = 0;
/// The watchdog needs one message at a time, and the second segment while the first is dropped.
const WATCHDOG_SEGMENTS: usize = 2;

/// The router's settings.
///
/// rumqttd matches a `custom_segment` key as a filter against the text of a new subscription, so that one key covers
/// all regions and each single one.
///
/// The ingesters' log exists from the start (`initialized_filters`): a publish that matches no log is compared with every
/// filter each time (about 2 ms at 20,000), and before the first ingester arrives each agent's hello would be one. There is
/// no `#` log on top of it: it would hold every message a second time, and rumqttd remembers each matched topic for ever,
/// so that random topics, which now cost a comparison, would cost memory.
pub(crate) fn router(config: &BrokerConfig) -> RouterConfig {
    let ingest =
        SegmentConfig { max_segment_size: config.ingest_segment_bytes, max_segment_count: config.ingest_segment_count };
    let watchdog = SegmentConfig { max_segment_size: probe::MESSAGE_BYTES, max_segment_count: WATCHDOG_SEGMENTS };
    RouterConfig {
        max_connections: config.max_connections,
        max_outgoing_packet_count: PACKETS_PER_QOS0_READ,
        max_segment_size: config.segment_bytes,
        max_segment_count: config.segment_count,
        custom_segment: Some(HashMap::from([(INGEST_FILTER.to_owned(), ingest), (probe::TOPIC.to_owned(), watchdog)])),
        initialized_filters: Some(vec![INGEST_FILTER.to_owned()]),
        ..RouterConfig::default()
    }
}

/// The listener's settings.
pub(crate) fn server(config: &BrokerConfig, listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: "mqtt".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: PAUSE_BETWEEN_ACCEPTS_MS,
        connections: ConnectionSettings {
            connection_timeout_ms: CONNECT_TIMEOUT_MS,
            max_payload_size: config.max_payload_bytes,
            max_inflight_count: PACKETS_PER_READ,
            auth: None,
            external_auth: None,
            dynamic_filters: false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// rumqttd decides with this function which filters have the large log.
    fn has_the_large_log(subscription: &str) -> bool {
        let custom = router(&BrokerConfig::default()).custom_segment.unwrap();
        let matching = custom.iter().filter(|(key, _)| rumqttd::protocol::matches(subscription, key));
        matching.map(|(_, log)| log.max_segment_count * log.max_segment_size).sum::<usize>() > 1 << 20
    }

    #[test]
    fn the_ingesters_filters_have_the_large_log() {
        assert!(has_the_large_log("fogline/v1/+/+/up/#"));
        assert!(has_the_large_log("fogline/v1/north/+/up/#"));
    }

    #[test]
    fn agents_and_onlookers_have_small_logs() {
        for filter in [
            "fogline/v1/north/car-1/down/#",
            "fogline/v1/north/peers/#",
            "fogline/v1/#",
            "fogline/v1/+/+/down/ack",
            "#",
        ] {
            assert!(!has_the_large_log(filter), "{filter}");
        }
    }
}
