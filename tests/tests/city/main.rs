//! A city's nodes and sensors in a simulator: a network that loses, doubles, delays and reorders, an API, queues on disk, and
//! a cloud that is away. The same seed gives the same run.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod account;
mod api;
mod edge_cases;
mod faults;
mod steps;
mod world;
