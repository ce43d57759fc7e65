//! The program itself, as a person or a script starts it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails panics")]

mod analyst;
mod audit;
mod bench;
mod demo;
mod doctor;
mod metrics;
mod secure;
mod support;
mod top;
mod traces;
mod usage;
