//! What is in force, and how it is replaced.

use super::config::TlsConfig;
use super::error::TlsError;
use super::{certificate, clients};
use crate::stamp::Stamp;
use rustls::ServerConfig;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// How often [`ServerTls::watch`] looks at the files.
pub const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// The TLS of a server: share it in an [`Arc`], take an [`acceptor`](Self::acceptor) for each connection, and let
/// [`watch`](Self::watch) run.
pub struct ServerTls {
    config: TlsConfig,
    in_force: RwLock<Arc<ServerConfig>>,
    /// The files as they were before they were last read.
    read: Mutex<Vec<Stamp>>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, why, and what to do.
    pub fn load(config: TlsConfig) -> Result<Self, TlsError> {
        // Looked at first: what changes while they are read is seen at the next look.
        let read = Mutex::new(stamps(&config));
        let in_force = RwLock::new(server_config(&config)?);
        Ok(Self { config, in_force, read })
    }

    /// What makes TLS of one new connection, with what is in force now. Cheap.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads the files again. New connections then go by them; those that exist stay.
    ///
    /// # Errors
    /// As [`Self::load`]; what was in force stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        let seen = stamps(&self.config);
        let loaded = server_config(&self.config);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = loaded?;
        Ok(())
    }

    /// Looks at the files every [`WATCH_PERIOD`] and reads them again when they have changed. Never ends.
    ///
    /// They are read once they have stayed the same for a period: a certificate and its key are two files, and are not
    /// replaced in one step. The outcome is logged once for each change.
    pub async fn watch(&self) {
        let mut before = stamps(&self.config);
        loop {
            tokio::time::sleep(WATCH_PERIOD).await;
            let now = stamps(&self.config);
            let changed = now != *self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if changed && now == before {
                self.reload_and_log();
            }
            before = now;
        }
    }

    fn reload_and_log(&self) {
        let certificate = self.config.certificate.display();
        match self.reload() {
            Ok(()) => tracing::info!(%certificate, "the TLS files have changed, and are in force"),
            Err(error) => {
                tracing::error!(%certificate, %error, "the TLS files have changed and cannot be used: the old ones stay in force");
            }
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").field("config", &self.config).finish_non_exhaustive()
    }
}

fn stamps(config: &TlsConfig) -> Vec<Stamp> {
    config.files().map(Stamp::of).collect()
}

/// The files as rustls takes them. A new one each time: it starts with no session to resume.
fn server_config(config: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = clients::verifier(config, &provider)?;
    let own = certificate::read(config, &provider)?;
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Unusable {
            what: "the certificate",
            path: config.certificate.clone(),
            detail: error.to_string(),
        })?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own)));
    Ok(Arc::new(server))
}
