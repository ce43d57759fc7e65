//! What a client may use of the broker.

use std::time::Duration;

use crate::config::BrokerConfig;

/// Bounds that hold for each connection, or for all of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Largest packet, in bytes, in both directions.
    pub(crate) packet_bytes: usize,
    /// Most bytes that wait for one client.
    pub(crate) queue_bytes: usize,
    /// Most bytes that wait for all clients together.
    pub(crate) all_queue_bytes: usize,
    /// Most connections at a time, and most sessions whose clients are away.
    pub(crate) connections: usize,
    /// Most messages that a client may publish in a second; 0 for any number.
    pub(crate) messages_per_second: u32,
    /// Most bytes that a client may publish in a second; 0 for any number.
    pub(crate) bytes_per_second: u32,
    /// A peer that takes nothing for so long is gone.
    pub(crate) write_timeout: Duration,
    /// Longest keep-alive for MQTT 5.0 clients, in seconds; those that want a longer one are told.
    pub(crate) keep_alive: u16,
}

/// TLS, WebSocket and CONNECT must be done in this time.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// Messages of QoS 1 and 2 to a client that it has not acknowledged. MQTT 5.0 clients may want fewer.
pub(crate) const WINDOW: usize = 1000;
/// Messages of QoS 2 from a client that it has not released.
pub(crate) const RECEIVE_MAXIMUM: u16 = 1000;
/// Topics that an MQTT 5.0 client may give a number to.
pub(crate) const TOPIC_ALIAS_MAXIMUM: u16 = 32;
/// Longest client id, in bytes.
pub(crate) const CLIENT_ID_BYTES: usize = 256;
/// While so much waits to be written, nothing is added to it and nothing is read.
pub(crate) const OUTPUT_BYTES: usize = 128 * 1024;
/// Bytes of messages that go to the router as one. The router's log holds on to a few of them for each inbox.
pub(super) const BATCH_BYTES: usize = 16 * 1024;
/// Bytes that are processed before others have their turn.
pub(crate) const TURN_BYTES: usize = 64 * 1024;
/// Packets for the router that a turn may make: a tiny message for many receivers is little to read, and much to hand out.
pub(crate) const TURN_PACKETS: usize = 4096;

impl Limits {
    pub(crate) fn new(config: &BrokerConfig) -> Self {
        Self {
            packet_bytes: config.max_payload_bytes,
            queue_bytes: config.max_queue_bytes,
            all_queue_bytes: config.max_all_queue_bytes,
            connections: config.max_connections,
            messages_per_second: config.max_messages_per_second,
            bytes_per_second: config.max_bytes_per_second,
            write_timeout: config.write_timeout,
            keep_alive: config.max_keep_alive,
        }
    }

    /// These, but for what clients were told when they connected, and what the router has room for.
    pub(crate) fn tuned(self, config: &BrokerConfig) -> Self {
        Self { packet_bytes: self.packet_bytes, connections: self.connections, ..Self::new(config) }
    }
}
