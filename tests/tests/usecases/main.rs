//! The use cases as their users have them, with real processes that are killed on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod garages;
mod invoices;
mod parking;
mod power;
mod standby;
mod weather;
