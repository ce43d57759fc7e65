//! The rules of MQTT 3.1.1 and MQTT 5.0 that a server can break, one test each, with the number of the rule's clause:
//! `[MQTT-3.1.0-1]` is a numbered rule, `3.1.2.4` a section. Files `v4_` cite MQTT 3.1.1, files `v5_` MQTT 5.0.
//!
//! Each rule is one function over a [`Broker`](target::Broker). [`rules!`] makes two tests of it: `gate::...` runs it on
//! this crate's own broker, `mosquitto::...` on Eclipse Mosquitto, which proves that the test asks for what a broker in
//! wide use does. `cargo test -p fogline-broker --test conformance gate::` runs those of one broker.
//!
//! A rule that Mosquitto breaks is marked with what it does instead and skipped there; `FOGLINE_CONFORMANCE_ALL=1` runs
//! these too. Where Mosquitto is not installed its tests say so and pass, and fail with `FOGLINE_REQUIRE_SERVICES=1`.
//!
//! The client is raw: it writes the bytes that it is told to and shows the packets that come, so that malformed packets
//! can be sent, and nothing is repaired on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "the lengths that tests build are known")]

#[macro_use]
mod rules;

mod client;
mod client5;
mod connect;
mod keep_alive;
mod message;
mod packet;
mod property;
// The one that the workspace's process tests use.
#[allow(unreachable_pub, reason = "there it is a library's")]
#[path = "../../../tests/src/real/services.rs"]
mod services;
mod target;

mod v4_connect;
mod v4_filters;
mod v4_framing;
mod v4_offline;
mod v4_ping_and_disconnect;
mod v4_publish;
mod v4_qos;
mod v4_redelivery;
mod v4_retained;
mod v4_session;
mod v4_subscribe;
mod v4_text;
mod v4_unsubscribe;
mod v4_will;
mod v5_alias;
mod v5_connect;
mod v5_disconnect;
mod v5_errors;
mod v5_expiry;
mod v5_forwarding;
mod v5_limits;
mod v5_qos;
mod v5_session;
mod v5_shared;
mod v5_subscribe;
mod v5_subscription_identifiers;
mod v5_will;
