//! Eight ways in which one client stops rumqttd's own listeners for everybody, and the gate against each of them.
//!
//! What a test does to the gate it does to the stock listener too, if the feature `stock-listener` is on: so it is known to be what kills.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod gate;
mod listeners;
mod router;
#[cfg(feature = "stock-listener")]
mod stock;
mod takeover;
#[path = "../wire/mod.rs"]
mod wire;
