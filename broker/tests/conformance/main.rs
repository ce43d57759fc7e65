//! The rules of MQTT 3.1.1 and MQTT 5.0 that a server can break, one test each, with the number of the rule's clause.
//!
//! Each rule is one function over a [`Broker`](target::Broker). [`rules!`] makes two tests of it: `gate::...` runs it on
//! this crate's own broker, `mosquitto::...` on Eclipse Mosquitto, which proves that the test asks for what a broker in
//! wide use does. `cargo test -p fogline-broker --test conformance gate::` runs those of one broker.
//!
//! The client is raw: it writes the bytes that it is told to and shows the packets that come, so that malformed packets
//! can be sent, and nothing is repaired on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]
#![allow(clippy::cast_possible_truncation, reason = "the lengths that tests build are known")]

#[macro_use]
mod rules;

mod client;
mod connect;
mod message;
mod packet;
mod target;

mod v4_connect;
mod v4_filters;
mod v4_framing;
mod v4_keep_alive;
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
