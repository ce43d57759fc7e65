//! Real processes: the programs of this workspace and the servers they must work with, on loopback, on free ports, with
//! their data in temporary folders.
//!
//! Each is a [`Program`]: it says when it is ready, can be killed and started again with the same ports and data, and
//! never outlives its test. Nothing sleeps to let something happen: [`until`] asks again until a deadline.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]
#![allow(clippy::missing_panics_doc, reason = "everything here panics when a program does not do what it should")]

mod account;
mod agent;
mod audit;
mod broker;
mod browser;
mod certificates;
mod clock;
mod crowd;
mod household;
mod http;
mod influxd;
mod ingester;
mod memory;
mod mqtt;
mod nats;
mod output;
mod ports;
mod program;
mod services;
mod site;
mod sites;
mod strangers;
mod translator;
mod victoria;
mod wait;
mod webdriver;

pub use account::{Account, Database};
pub use agent::{Agent, AgentRecipe};
pub use audit::Audit;
pub use broker::{Broker, Kind};
pub use browser::{Browser, ENTER, TAB};
pub use certificates::Certificates;
pub use clock::FakeClock;
pub use household::{Household, Row};
pub use http::get;
pub use influxd::{Api, Influxd};
pub use ingester::{Ingester, IngesterRecipe};
pub use memory::{peak_bytes, resident_bytes};
pub use mqtt::{Publisher, Watcher, publish_by_hand};
pub use nats::NatsCluster;
pub use output::Output;
pub use ports::free_port;
pub use program::{Program, Recipe};
pub use services::service;
pub use site::Site;
pub use sites::{Shared, Sites};
pub use strangers::strangers_stay_out;
pub use translator::Translator;
pub use victoria::Victoria;
pub use wait::{PATIENCE, until};
