//! What is known of a client before it says anything in MQTT.

use std::{net::IpAddr, sync::Arc};

use fogline_door::tls::{ServerTls, common_name};
use tokio::{net::TcpStream, sync::watch, time::Instant};
use tokio_rustls::{rustls::pki_types::CertificateDer, server::TlsStream};

use super::limits::HANDSHAKE_TIMEOUT;

/// A client, as its connection shows it.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) address: IpAddr,
    /// The name in its certificate, which TLS has verified; none without one.
    pub(super) certificate_user: Option<String>,
    /// CONNECT must be complete then, whatever came before it.
    pub(super) connect_until: Instant,
    pub(super) trust: Trust,
}

impl Peer {
    /// A client that has just come.
    pub(super) fn new(address: IpAddr) -> Self {
        let connect_until = Instant::now() + HANDSHAKE_TIMEOUT;
        Self { address, certificate_user: None, connect_until, trust: Trust::default() }
    }

    /// Takes in what TLS has found out. `changes` were subscribed before the handshake.
    pub(super) fn verified(
        self,
        tls: &Arc<ServerTls>,
        changes: watch::Receiver<u64>,
        stream: &TlsStream<TcpStream>,
    ) -> Self {
        let (_, session) = stream.get_ref();
        let Some(certificates) = session.peer_certificates() else { return self };
        let shown = Shown { tls: Arc::clone(tls), changes, certificates: certificates.into() };
        Self { certificate_user: common_name(session), trust: Trust(Some(shown)), ..self }
    }
}

/// Whether a client that was let in still is.
#[derive(Debug, Default)]
pub(super) struct Trust(Option<Shown>);

/// What a client has shown, and what it is checked against.
#[derive(Debug)]
struct Shown {
    tls: Arc<ServerTls>,
    changes: watch::Receiver<u64>,
    certificates: Box<[CertificateDer<'static>]>,
}

impl Trust {
    /// Completes when the client's certificate was revoked, or its CA is trusted no longer. Never for a client without
    /// one. Cancel safe.
    pub(super) async fn lost(&mut self) {
        if let Some(shown) = &mut self.0 {
            while shown.changes.changed().await.is_ok() {
                if !shown.tls.still_trusted(&shown.certificates) {
                    return;
                }
            }
        }
        std::future::pending().await
    }
}
