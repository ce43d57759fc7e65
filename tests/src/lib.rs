//! The simulator, hostile agents, the bodies of the fuzz targets, and what the tests that start real processes share.

pub mod fuzz;
pub mod hostile;
pub mod real;
pub mod sim;
