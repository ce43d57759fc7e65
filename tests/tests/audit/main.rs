//! `fogline audit` against real databases: it finds nothing where nothing is wrong, whatever was killed, and what was taken away
//! or doubled to the reading.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod databases;
mod influxdb;
mod order;
mod pages;
mod victoria;
