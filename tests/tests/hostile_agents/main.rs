//! Agents that are broken or mean harm, and an agent that behaves beside them: at the node alone, and at a real site.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

mod node;
mod site;
