//! The cloud ingester: takes readings from a broker, stores each of them once, acknowledges what is stored, averages, and
//! sends decisions back.
//!
//! What it decides is in `fogline_protocol::node::CloudNode`. Here are the [`store`]s, health, metrics and the API
//! over HTTP, the settings, and the [`program`] that ties them together.

pub mod command;
mod directing;
mod http;
mod journal;
mod live;
pub mod program;
pub mod settings;
mod shell;
pub mod store;
mod telemetry;
mod traced;
