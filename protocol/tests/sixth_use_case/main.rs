//! The exercise of `docs/adding-a-use-case.md`: its code compiles as it is printed, and does what the page says. What the page
//! demands of a use case is demanded here of all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]
#![allow(unreachable_pub, reason = "the exercise is written for its place in the library")]

// The names that the exercise finds beside itself once it is in its place.
use fogline_protocol::{reading, rng, time, window};

mod usecase {
    pub(crate) use fogline_protocol::usecase::*;
    pub(crate) mod tide;
}

mod page;
mod through;
