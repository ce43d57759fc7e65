//! What is in force, and how it is replaced.

use super::config::TlsConfig;
use super::error::TlsError;
use super::{certificate, clients};
use crate::stamp::Stamp;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How often [`ServerTls::watch`] looks at the files.
pub const WATCH_PERIOD: Duration = Duration::from_secs(2);

/// The TLS of a server: share it in an [`Arc`], take an [`acceptor`](Self::acceptor) for each connection, and let
/// [`watch`](Self::watch) run.
pub struct ServerTls {
    config: TlsConfig,
    in_force: RwLock<InForce>,
    /// How often what is in force was replaced.
    generation: watch::Sender<u64>,
    /// The files as they were before they were last read.
    read: Mutex<Vec<Stamp>>,
}

/// What new connections go by.
struct InForce {
    server: Arc<ServerConfig>,
    /// None where no client is asked for a certificate.
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong, why, and what to do.
    pub fn load(config: TlsConfig) -> Result<Self, TlsError> {
        // Looked at first: what changes while they are read is seen at the next look.
        let read = Mutex::new(stamps(&config));
        let in_force = RwLock::new(InForce::read(&config)?);
        Ok(Self { config, in_force, generation: watch::Sender::new(0), read })
    }

    /// What makes TLS of one new connection, with what is in force now. Cheap.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner).server))
    }

    /// Changes whenever the files were read again. Subscribe before taking the [`acceptor`](Self::acceptor) of a
    /// connection, so that no change falls between them, and ask [`still_trusted`](Self::still_trusted) at each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Whether a client with this certificate would be let in now: it may have been revoked since, be over, or its CA be
    /// trusted no longer. `certificates` are the client's own and those that lead to its CA, as the client showed them.
    ///
    /// Takes as long as checking a signature or two.
    #[must_use]
    pub fn still_trusted(&self, certificates: &[CertificateDer<'_>]) -> bool {
        let clients = self.in_force.read().unwrap_or_else(PoisonError::into_inner).clients.clone();
        match (clients, certificates.split_first()) {
            (None, _) => true,
            (Some(clients), None) => !clients.client_auth_mandatory(),
            (Some(clients), Some((own, others))) => clients.verify_client_cert(own, others, UnixTime::now()).is_ok(),
        }
    }

    /// Reads the files again. New connections then go by them, and those that exist hear of it by
    /// [`changes`](Self::changes).
    ///
    /// # Errors
    /// As [`Self::load`]; what was in force stays in force.
    pub fn reload(&self) -> Result<(), TlsError> {
        let seen = stamps(&self.config);
        let loaded = InForce::read(&self.config);
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        *self.in_force.write().unwrap_or_else(PoisonError::into_inner) = loaded?;
        self.generation.send_modify(|generation| *generation += 1);
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

impl InForce {
    /// The files as rustls takes them. A new one each time: it starts with no session to resume.
    fn read(config: &TlsConfig) -> Result<Self, TlsError> {
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
            .with_client_cert_verifier(Arc::clone(&clients))
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(own)));
        let clients = Some(clients).filter(|clients| clients.offer_client_auth());
        Ok(Self { server: Arc::new(server), clients })
    }
}
