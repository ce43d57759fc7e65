//! The broker as a process of its own and as a library, talked to over MQTT.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod death;
mod embedded;
#[path = "../events/mod.rs"]
mod events;
mod memory;
mod messages;
mod program;
mod support;
