//! Runs the pure machines of `fogline-protocol`: the MQTT [`link`], the queue on disk ([`outbox`]), the [`clock`], and the
//! one [`driver`] loop.
//!
//! Nothing here decides what is sent, resent or forgotten: that is the machines' part, which the simulator tests. What
//! is here does I/O, reports how it went, and keeps its bounds.

pub mod clock;
pub mod driver;
pub mod link;
pub mod logging;
pub mod outbox;
pub mod secret;
pub mod settings;
pub mod signals;
pub mod traces;
