//! The simulator, and what the tests that start real processes share.

pub mod real;
pub mod sim;
