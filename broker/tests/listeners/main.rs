//! The broker's listeners besides the plain one: who gets in, who is kept out, and who must go.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

// The one that the door's tests use too.
#[path = "../../../door/tests/tls/authority.rs"]
mod authority;
mod memory;
mod mosquitto;
mod patience;
mod site;
mod tls;
mod websocket;
