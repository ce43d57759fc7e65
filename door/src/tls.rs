//! TLS for what listens: certificates from PEM files, taken anew when the files change.
//!
//! TLS 1.2 and 1.3 by rustls, with ring. A [`ServerTls`] holds what is in force; [`ServerTls::acceptor`] gives it to one
//! new connection, and [`ServerTls::watch`] replaces it when a certificate was renewed or a client's was revoked. Files
//! that cannot be used never replace what is in force.
//!
//! A replacement does not end connections that exist by itself: the program that keeps them hears of it by
//! [`ServerTls::changes`], and ends those whose client is not [`ServerTls::still_trusted`]. Sessions are not resumed over a
//! replacement, so a revoked client cannot come back that way.

mod certificate;
mod client;
mod clients;
mod config;
mod error;
mod file;
mod server;
mod subject;

pub(crate) use client::trust;
pub use config::{ClientCertificates, TlsConfig};
pub use error::TlsError;
pub use server::{ServerTls, WATCH_PERIOD};
pub use subject::common_name;
