//! The control room, in Chromium, with real processes behind it.
//!
//! Pictures of each view stay in the folder `control_room` of the temporary folder of the tests; where that is, is printed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod access;
mod keyboard;
mod looks;
mod lost;
mod stage;
mod views;
