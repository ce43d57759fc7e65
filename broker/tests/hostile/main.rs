//! Clients that mean harm, against a gate inside this process: whatever they do, the others are served, and nothing grows without end.
//!
//! `FOGLINE_LONG_TESTS=1` does more of everything, and holds the times of a release build. `FOGLINE_HOSTILE_SEED` repeats a run.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod blocking;
mod flood;
mod fuzz;
mod greedy;
mod half_open;
mod pairs;
mod sessions;
mod site;
mod takeovers;
#[path = "../wire/mod.rs"]
mod wire;
