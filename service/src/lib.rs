//! How a Fogline program is run as a service: what its settings file says ([`settings`]), how that is read again while it runs
//! ([`reload`]), and what the service manager hears ([`notify`]).
//!
//! This crate depends on the door only, so that broker, ingester and agent can all be run alike.

pub mod notify;
pub mod reload;
pub mod settings;
