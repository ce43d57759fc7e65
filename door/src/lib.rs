//! How a Fogline program lets connections in.
//!
//! - [`tls`]: certificates of the server and of its clients, renewed and revoked without a restart.
//! - [`http`]: what every HTTP server of Fogline stands behind: tokens with roles, browsers kept apart, limits.
//!
//! This crate depends on no other Fogline crate, so that the broker, the agent and the ingester can all stand behind it.

pub mod http;
mod stamp;
pub mod tls;
