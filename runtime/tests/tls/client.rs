//! The link's owner, and the files that the link reads.

use std::path::PathBuf;
use std::time::Duration;

use fogline_runtime::link::{
    BrokerAddress, ClientCertificate, Link, LinkConfig, LinkEvent, LinkEvents, LinkHandle, LinkMetrics, LinkSecurity,
};
use tempfile::TempDir;

use crate::authority::{Authority, Signed};
use crate::server::within;

/// A link under test and its events.
pub(crate) struct Client {
    pub(crate) handle: LinkHandle,
    pub(crate) events: LinkEvents,
}

impl Client {
    pub(crate) fn start(broker: BrokerAddress, security: LinkSecurity) -> Self {
        let (handle, events) = Link::start(config(broker, security), |_| None).unwrap();
        Self { handle, events }
    }

    pub(crate) async fn connected(&mut self) {
        let event = within(self.events.recv()).await;
        assert!(matches!(event, Some(LinkEvent::Connected { .. })), "{event:?}");
    }

    pub(crate) async fn disconnected(&mut self) {
        let event = within(self.events.recv()).await;
        assert!(matches!(event, Some(LinkEvent::Disconnected { .. })), "{event:?}");
    }

    /// Waits until the counters are as wanted.
    pub(crate) async fn until(&self, wanted: impl Fn(&LinkMetrics) -> bool) {
        let check = async {
            while !wanted(&self.handle.metrics()) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        within(check).await;
    }
}

pub(crate) fn config(broker: BrokerAddress, security: LinkSecurity) -> LinkConfig {
    LinkConfig { security, ..LinkConfig::new(vec![broker], "lane-1", 1) }
}

/// The folder of a client's files.
pub(crate) struct Files(TempDir);

impl Files {
    /// With this CA.
    pub(crate) fn new(authority: &Authority) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.trust(authority);
        files
    }

    pub(crate) fn trust(&self, authority: &Authority) {
        self.write("ca.pem", &authority.pem());
    }

    pub(crate) fn show(&self, signed: &Signed) {
        self.write("client.pem", &signed.certificate.pem());
        self.write("client-key.pem", &signed.key.serialize_pem());
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The CA alone.
    pub(crate) fn trusting(&self) -> LinkSecurity {
        LinkSecurity { ca: Some(self.path("ca.pem")), ..LinkSecurity::default() }
    }

    /// The CA and the certificate.
    pub(crate) fn showing(&self) -> LinkSecurity {
        let certificate = ClientCertificate { certificate: self.path("client.pem"), key: self.path("client-key.pem") };
        LinkSecurity { certificate: Some(certificate), ..self.trusting() }
    }
}
