//! The broker of a Fogline site: rumqttd's router and MQTT 3.1.1 server, embedded and watched.
//!
//! rumqttd is fast, and three of its habits decide what this crate does around it.
//!
//! - **It keeps what it accepted in memory only.** A PUBACK means "in RAM", and nothing survives a restart. That is
//!   why Fogline acknowledges end to end and this broker may die at any moment: it stores nothing and promises nothing.
//! - **It keeps a log for every subscription filter and never frees it.** Each agent subscribes a filter of its own, so
//!   logs are small by default (2 x 16 KiB); only the ingesters' filter has one that outlasts a slow write (8 x 1 MiB).
//! - **It dies silently.** Ordinary packets can panic its router thread or poison its listener; TCP connections are
//!   then still accepted, but never answered, and a failed bind is only logged. So [`Broker::start`] finds bind errors
//!   itself and waits for a real round trip of a message; a panic hook and a repeated round trip (the *watchdog*) turn
//!   a dead router into a [`Failure`] within a bound, and the program then ends with a non-zero status, for its
//!   supervisor to start it again.
//!
//! The stock listener lets everybody read and write every topic, so only loopback addresses are accepted.
//! This crate depends on no other Fogline crate: any MQTT 3.1.1 broker can take its place.

mod broker;
mod command;
mod config;
mod error;
mod logging;
mod nodelay;
mod open_files;
mod panics;
mod patience;
mod probe;
mod settings;
mod stock;
mod watchdog;

pub use broker::{Broker, run};
pub use command::{EXAMPLES, execute};
pub use config::{BrokerConfig, INGEST_FILTER};
pub use error::{BrokerError, ConfigErrors, Failure};
pub use logging::{LogArgs, LogError};
pub use settings::{BrokerArgs, Settings};
