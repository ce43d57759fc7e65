//! The InfluxDB store against a server that plays every row of the table of write semantics, against VictoriaMetrics, and
//! against InfluxDB itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what is wrong by failing")]

mod city;
mod fake;
mod fixture;
mod influxdb;
mod refusals;
mod semantics;
mod servers;
mod victoria;
