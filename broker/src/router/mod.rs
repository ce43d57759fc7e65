//! rumqttd's router, used for what it is good at: carrying messages between threads in batches, in order, and bounded.
//!
//! The router is fast, and what surrounds its core is not fit for strangers: it matches topics with code that panics on some, never
//! frees the log of a filter or the name of a topic, knows one QoS and no overlap, and its windows and sessions lose or withhold
//! messages. So the gate decides *who* gets a message, and the router only *carries* it: each session that subscribes has an
//! [`Inbox`](inbox::Inbox), a log of the router with one reader, and all publishers hand their copies to one [`Intake`](intake::Intake).
//! Names of inboxes are numbers that are used again, so that nothing in the router grows with what clients do.

pub(crate) mod copy;
pub(crate) mod inbox;
pub(crate) mod intake;
mod links;
mod slots;

use std::collections::HashMap;

use rumqttd::{RouterConfig, SegmentConfig};

use crate::config::BrokerConfig;

pub(crate) use links::{LinkFailure, Links};
pub(crate) use slots::Size;

/// Messages handed to a link in one go. It is asked for more after each.
const MESSAGES_PER_READ: u64 = 200;
/// Links that belong to the broker itself: the intake, the watchdog's inbox, and the inboxes in store.
const LINKS_OF_OUR_OWN: usize = 64;

/// The router's settings: small logs, and large ones for inboxes of [`Size::Large`].
fn settings(config: &BrokerConfig) -> RouterConfig {
    let large =
        SegmentConfig { max_segment_size: config.ingest_segment_bytes, max_segment_count: config.ingest_segment_count };
    RouterConfig {
        // As many sessions may be kept for clients that are away.
        max_connections: 2 * config.max_connections + LINKS_OF_OUR_OWN,
        max_outgoing_packet_count: MESSAGES_PER_READ,
        max_segment_size: config.segment_bytes,
        max_segment_count: config.segment_count,
        custom_segment: Some(HashMap::from([(slots::LARGE_FILTER.to_owned(), large)])),
        ..RouterConfig::default()
    }
}

/// Bytes that may wait in an inbox's log without the router dropping the oldest: all segments but the one that is being filled.
fn room(config: &BrokerConfig, size: Size) -> usize {
    match size {
        Size::Small => config.segment_bytes * (config.segment_count - 1),
        Size::Large => config.ingest_segment_bytes * (config.ingest_segment_count - 1),
    }
}
