//! A city of real processes: a broker, an ingester, nodes and sensors, and an API that is played by the test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod edge_cases;
mod served;
mod site;
