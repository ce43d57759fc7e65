//! The broker of a Fogline site: a gate of our own for MQTT 3.1.1 and 5.0 clients, around rumqttd's router.
//!
//! - `packet` reads and writes what is on the wire, strictly.
//! - `gate` accepts connections, and serves each in a task of its own.
//! - `session` is what the broker knows of a client from one connection to the next.
//! - `subscriptions` and `retained` say who gets a message, and `router` carries it there, through rumqttd.
//!
//! What is accepted is kept in memory only. A PUBACK means "in RAM", and nothing survives a restart. That is why Fogline
//! acknowledges end to end, and this broker may die at any moment: it stores nothing and promises nothing. If its router dies, a
//! panic hook and a repeated round trip of a message (the *watchdog*) turn that into a [`Failure`] within a bound, and the program
//! then ends with a non-zero status, for its supervisor to start it again.
//!
//! This crate depends on no other Fogline crates but the door, which lets connections in everywhere, and what runs a service: any MQTT broker can take its place.

pub mod access;
mod broker;
mod command;
mod config;
mod error;
mod export_command;
mod gate;
mod health_command;
mod http;
mod listeners;
mod message;
mod metrics;
mod open_files;
mod packet;
mod panics;
mod patience;
mod probe;
mod retained;
mod router;
mod session;
mod settings;
mod subscriptions;
mod topic;
mod user_command;
mod watchdog;

pub use broker::{Broker, run};
pub use command::{Cli, EXAMPLES, execute};
pub use config::{BrokerConfig, INGEST_FILTER};
pub use error::{BrokerError, Failure};
pub use export_command::{ExportArgs, OtherBroker};
pub use fogline_door::logging::{LogArgs, LogError};
pub use health_command::HealthcheckArgs;
pub use listeners::Scheme;
#[cfg(feature = "fuzz")]
pub use packet::fuzz::packets as fuzz_packets;
pub use settings::{BrokerArgs, Listen, RELOADED, Settings};
pub use user_command::{AddArgs, BrokerCommand, UserCommand, UsersArg};
