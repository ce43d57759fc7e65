//! The link over TLS, against a server made here with certificates made here.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

mod authority;
mod client;
mod refused;
mod renewed;
mod server;
mod shown;
