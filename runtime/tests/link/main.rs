//! The link against a scripted broker, which does what real ones do rarely, and against a real one.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

mod connecting;
mod ending;
mod fake_broker;
mod mosquitto;
mod moving;
mod owner;
mod publishing;
mod receiving;
