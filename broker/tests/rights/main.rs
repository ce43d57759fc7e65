//! The access rules as a client meets them: over MQTT, against a gate inside this process or a process of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod changes;
mod client;
mod crowd;
mod deliveries;
mod elsewhere;
mod leftovers;
mod logins;
mod matrix;
mod model;
mod neighbours;
mod process;
// The one that the workspace's process tests use.
#[allow(unreachable_pub, reason = "there it is a library's")]
#[path = "../../../tests/src/real/services.rs"]
mod services;
mod site;
mod taken_ids;
#[path = "../wire/mod.rs"]
mod wire;
