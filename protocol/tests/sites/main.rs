//! Ingesters of one realm: who leads, what a follower knows, and how a lead ends. The election itself is played in its own
//! tests, all of it together in the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

mod bills;
mod directives;
mod leading;
mod world;
