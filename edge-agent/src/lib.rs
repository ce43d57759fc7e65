//! The edge agent of Fogline: takes readings from sensors, keeps them in a queue on disk until they are in the store, and
//! applies the decisions that come back.
//!
//! A tour: [`settings`] say what an agent is to do; [`source`] where its readings come from; [`program::run`] puts queue,
//! MQTT link, source and the edge machine of `fogline-protocol` together; [`limit`] is the speed limit that holds and who is told of
//! it; [`status`] is what an agent tells of itself, and `http` serves it; [`queue`] looks into its queue; [`command`] is the command line.
//!
//! An agent takes three kinds of steps, and each waits for the one before: a source hands over readings, the queue commits
//! them (with the source's position, in the same transaction), and only then the source goes on. What is committed is sent
//! until an ingester has acknowledged that it is stored.

pub mod calendar;
pub mod command;
pub mod durations;
mod gate;
mod http;
mod journal;
pub mod latency;
pub mod limit;
mod orders;
pub mod peers;
pub mod program;
mod pump;
pub mod queue;
pub mod settings;
pub mod shape;
mod shell;
pub mod source;
pub mod status;
mod traced;
pub mod tuning;
