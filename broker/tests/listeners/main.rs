//! The broker's listeners besides the plain one: who gets in, who is kept out, and who must go.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

// The one that the door's tests use too.
#[path = "../../../door/tests/tls/authority.rs"]
mod authority;
#[path = "../events/mod.rs"]
mod events;
mod memory;
mod mosquitto;
mod patience;
// The one that the workspace's process tests use.
#[allow(unreachable_pub, reason = "there it is a library's")]
#[path = "../../../tests/src/real/services.rs"]
mod services;
mod site;
mod tls;
mod websocket;
