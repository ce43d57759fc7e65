//! The simulator, hostile agents, and what the tests that start real processes share.

pub mod hostile;
pub mod real;
pub mod sim;
