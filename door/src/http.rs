//! What every HTTP server of Fogline stands behind.
//!
//! [`serve`] takes the program's routes and answers by these rules, which the routes need not know:
//!
//! | who | may |
//! |---|---|
//! | everybody | `GET /healthz`, and the paths that the program has named as open ([`HttpConfig::open_paths`]) |
//! | a token with the role `viewer` | `GET`, `HEAD`, `OPTIONS` of everything |
//! | a token with the role `operator` | everything |
//! | this machine, when no tokens are configured | everything, and only under a loopback name, against DNS rebinding |
//!
//! - An address that others can reach is not served without tokens ([`DoorError::OpenToOthers`]).
//! - Tokens come in the `Authorization` header (RFC 6750), never in cookies or addresses. What changes something is
//!   refused when a browser says that it comes from another site, and no answer lets another site read it.
//! - Heads, bodies, handlers, answers, connections and wrong tokens are limited ([`Limits`]).
//! - A handler finds who asks as an extension, [`Caller`], where tokens are configured.
//! - What changes something is logged, with who asked; at `debug` where the handler says that it is [`Routine`].
//! - Refusals are JSON: `status`, `title`, `detail` ([`Problem`]).

mod ask;
mod browser;
mod command;
mod config;
mod connection;
mod door;
mod error;
mod failures;
mod guard;
mod headers;
mod limits;
mod patient;
mod problem;
mod routine;
mod settings;
mod token;
mod tokens;

pub use ask::{Ask, AskError, Bearer, Method, ask, server_time};
pub use browser::{is_cross_site, is_for_loopback};
pub use command::{EXAMPLES, TokenCommand, execute};
pub use config::{HttpConfig, TlsFiles};
pub use door::{Door, serve};
pub use error::DoorError;
pub use headers::DataImages;
pub use limits::Limits;
pub use problem::Problem;
pub use routine::Routine;
pub use token::file::{TokenFileError, add, list, remove};
pub use token::{Caller, NewToken, Role};
