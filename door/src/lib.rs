//! How a Fogline program lets connections in, and how it says what goes on.
//!
//! - [`tls`]: certificates of the server and of its clients, renewed and revoked without a restart.
//! - [`http`]: what every HTTP server of Fogline stands behind: tokens with roles, browsers kept apart, limits.
//! - [`logging`]: logs on standard error, a line an event, without storms.
//!
//! This crate depends on no other Fogline crate, so that the broker, the agent and the ingester can all stand behind it.

pub mod http;
pub mod logging;
mod stamp;
pub mod tls;
