//! What goes on, for those who watch: from what the store has taken, and from nothing else.
//!
//! The shell hands each commit that succeeded to a [`Feed`]. That measures how late readings are ([`Meter`]) and, while somebody
//! watches, passes the commit on to a task of its own, which gathers for half a second, makes events, and says them to all who
//! watch. Neither the node nor the store ever waits for who watches.

mod events;
mod feed;
mod gather;
mod health;
mod meter;
mod task;
#[cfg(test)]
mod testing;
mod whereabouts;

pub(crate) use events::{Batch, EVENT_NAMES, Said};
pub(crate) use feed::Feed;
pub(crate) use health::{Health, Vitals};
pub(crate) use meter::Meter;
#[cfg(test)]
pub(crate) use task::BATCHES_KEPT;
pub(crate) use task::{Live, LiveTask, WATCHERS_MAX, Watching};
pub(crate) use whereabouts::Whereabouts;
