//! A broker with certificates of its own, and clients for it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use fogline_broker::{Broker, BrokerConfig};
use fogline_door::tls::{ClientCertificates, TlsConfig};
use rumqttc::{AsyncClient, EventLoop, MqttOptions, Packet, QoS, TlsConfiguration, Transport};
use rustls::{ClientConfig, pki_types::PrivateKeyDer};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::authority::{Authority, Issued, put};

pub(crate) use crate::events::{PATIENCE, message, publish, until};

/// The files of a broker, and what made them.
pub(crate) struct Site {
    folder: TempDir,
    pub(crate) authority: Authority,
}

impl Site {
    /// With an empty revocation list.
    pub(crate) fn new() -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new("test CA") };
        site.put_server(&site.authority.issue("server", 1));
        site.put("ca.pem", &site.authority.pem());
        site.put("crl.pem", &site.authority.list(1, &[]));
        site
    }

    pub(crate) fn put_server(&self, server: &Issued) {
        self.put("server.pem", &server.certificate.pem());
        self.put("server.key", &server.key.serialize_pem());
    }

    pub(crate) fn put(&self, name: &str, text: &str) -> PathBuf {
        put(self.folder.path(), name, text)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// On free ports.
    pub(crate) fn config(&self, client_certificates: ClientCertificates) -> BrokerConfig {
        let asked = client_certificates != ClientCertificates::NotAsked;
        let tls = TlsConfig {
            client_ca: asked.then(|| self.path("ca.pem")),
            crl: asked.then(|| self.path("crl.pem")),
            client_certificates,
            ..TlsConfig::new(self.path("server.pem"), self.path("server.key"))
        };
        let free = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        BrokerConfig {
            listen: free,
            tls_listen: free,
            ws_listen: free,
            wss_listen: free,
            tls: Some(tls),
            ..BrokerConfig::default()
        }
    }

    pub(crate) async fn broker(&self, client_certificates: ClientCertificates) -> Broker {
        Broker::start(self.config(client_certificates)).await.unwrap()
    }

    /// What trusts the broker, and shows a certificate or none.
    pub(crate) fn trust(&self, own: Option<&Issued>) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.authority.roots());
        Arc::new(match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::try_from(own.key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![own.certificate.der().clone()], key).unwrap()
            }
        })
    }

    /// An MQTT client over TLS, not connected before it is polled.
    pub(crate) fn client(&self, id: &str, address: SocketAddr, own: Option<&Issued>) -> (AsyncClient, EventLoop) {
        let tls = TlsConfiguration::Rustls(self.trust(own));
        client(id, address, Transport::tls_with_config(tls))
    }
}

/// An MQTT client, not connected before it is polled.
pub(crate) fn client(id: &str, address: SocketAddr, transport: Transport) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(id, address.ip().to_string(), address.port());
    options.set_transport(transport);
    AsyncClient::new(options, 1)
}

/// Polls until the broker has said that the client is connected.
pub(crate) async fn connected(events: &mut EventLoop) {
    until(events, |packet| matches!(packet, Packet::ConnAck(_))).await;
}

/// Subscribes at QoS 1 and waits for the SUBACK.
pub(crate) async fn subscribe(client: &AsyncClient, events: &mut EventLoop, filter: &str) {
    client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
    until(events, |packet| matches!(packet, Packet::SubAck(_))).await;
}

/// Polls until the connection fails, and gives what was said about it.
pub(crate) async fn fails(events: &mut EventLoop) -> String {
    let failure = async {
        loop {
            if let Err(error) = events.poll().await {
                return format!("{error:?}");
            }
        }
    };
    timeout(PATIENCE, failure).await.expect("fails in time")
}
