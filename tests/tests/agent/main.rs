//! What a real agent shows and does beside sending: the limit that holds, its pages, its sources with a clock of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod households;
mod limit;
mod neighbours;
