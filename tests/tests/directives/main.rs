//! What operators decide, with real processes that are killed meanwhile: limits over what is computed, and configurations that are
//! tried.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod access;
mod config;
mod elsewhere;
mod limits;
mod operator;
mod standby;
