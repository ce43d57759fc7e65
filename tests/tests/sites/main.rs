//! Two sites as real processes: what is killed, stopped or paused on one is taken over by the other, nothing is lost, nothing is
//! stored twice, and no limit goes back. So it is when regions move from one ingester to another.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod databases;
mod kills;
mod limits;
mod paused;
mod progress;
mod refused;
mod regions;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is measured in seconds is measured alone: six processes a test, on a machine that may have two cores.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed says so itself.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
