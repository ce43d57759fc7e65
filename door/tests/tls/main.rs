//! TLS on loopback, with certificates made for the test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod authority;
mod files;
mod handshake;
mod replaced;
mod support;
