//! What is said between edge and cloud, and what must happen next.
//!
//! This crate does no I/O, reads no clock and starts no thread. Its machines take input and time and give effects:
//!
//! ```text
//! while let Some(effect) = node.poll_effect() { shell.start(effect) }
//! select! { input = shell.next()                    => node.handle(input, now),
//!           _ = sleep_until(node.poll_timeout())    => node.handle_timeout(now) }
//! ```
//!
//! No effect implies success: its completion comes back as an input. So *append before send*, *write before
//! acknowledge* and *acknowledge before forget* are transitions that a test can see.
//!
//! A tour: [`topic`] and [`wire`] say what travels; [`reading`] what a reading is; [`delivery`] how readings get from
//! the queue to the store and are acknowledged; [`register`] how decisions get back; [`election`] who of several
//! ingesters leads, and [`realm`] whose agents they take; [`failover`] which broker an agent uses; [`window`] how readings become averages; [`usecase`] what
//! each kind of sensor adds; [`clock`] what becomes of times that no set clock gave; [`node`] puts them together for the edge and for the cloud.
//! The rules have numbers and tests in `docs/protocol.md`.
#![warn(clippy::wildcard_enum_match_arm)]

pub mod city;
pub mod clock;
pub mod delivery;
pub mod directive;
pub mod election;
pub mod failover;
pub mod ids;
pub mod node;
pub mod queue;
pub mod reading;
pub mod realm;
pub mod register;
pub mod rng;
pub mod sensing;
pub mod store;
pub mod time;
pub mod topic;
pub mod trial;
pub mod usecase;
pub mod window;
pub mod wire;
