//! Decisions: per agent and key the newest one counts.
//!
//! [`Issued`] is the cloud's half: it sends the newest decision until it is acknowledged or has expired. [`InForce`] is
//! the edge's half: it never applies an older decision over a newer one, before or after a restart.

mod in_force;
mod issued;

pub use in_force::{InForce, Received};
pub use issued::Issued;
