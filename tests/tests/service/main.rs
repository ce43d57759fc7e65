//! The programs as services: their settings files, and what a service manager hears of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod notify;
mod reload;
mod settings;
mod units;
