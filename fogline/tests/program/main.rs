//! The program itself, as a person or a script starts it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails panics")]

mod analyst;
mod audit;
mod bench;
mod demo;
mod secure;
mod support;
mod usage;
