//! HTTP over sockets: each rule is one test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod access;
#[allow(dead_code, reason = "the tests of TLS use more of it")]
#[path = "../tls/authority.rs"]
mod authority;
mod browsers;
mod changes;
mod limits;
mod running;
mod secure;
mod server;
mod settings;
mod token_file;
