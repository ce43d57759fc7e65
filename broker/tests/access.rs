//! Who may do what, and how users are kept: through what the gate and an operator see of it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

#[path = "access/commands.rs"]
mod commands;
#[path = "access/logins.rs"]
mod logins;
#[path = "access/matrix.rs"]
mod matrix;
#[path = "access/reload.rs"]
mod reload;
#[path = "access/site.rs"]
mod site;
