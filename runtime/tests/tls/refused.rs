//! Brokers that must not be talked to. None of them may see a CONNECT: there is a password in it.

use fogline_runtime::link::{BrokerAddress, Link, LinkError, LinkSecurity};
use fogline_runtime::secret::Secret;
use rustls::AlertDescription;

use crate::authority::{Authority, Signed};
use crate::client::{Client, Files, config};
use crate::server::Server;

const HERE: [&str; 1] = ["127.0.0.1"];

/// How a link that trusts `trusted` refuses a server that shows `signed`.
async fn refusal(trusted: &Authority, signed: &Signed) -> AlertDescription {
    let files = Files::new(trusted);
    let server = Server::start(signed).await;
    let password = Some(Secret::new("hunter2").unwrap());
    let security = LinkSecurity { user: Some("lane-1".to_owned()), password, ..files.trusting() };
    let client = Client::start(server.address("127.0.0.1"), security);
    let alert = server.refused_with().await;
    client.until(|metrics| metrics.failures > 0).await;
    assert_eq!(client.handle.metrics().connects, 0);
    // It tries again, and is not convinced by trying.
    assert_eq!(server.refused_with().await, alert);
    alert
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    assert_eq!(refusal(&ours, &theirs.server(&HERE)).await, AlertDescription::UnknownCA);
}

#[tokio::test]
async fn a_certificate_of_another_ca_of_the_same_name_is_refused() {
    let (ours, theirs) = (Authority::new("same"), Authority::new("same"));
    let alert = refusal(&ours, &theirs.server(&HERE)).await;
    assert!(matches!(alert, AlertDescription::UnknownCA | AlertDescription::DecryptError), "{alert:?}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let ours = Authority::new("ours");
    for host in ["localhost", "127.0.0.2", "broker.example"] {
        assert_eq!(refusal(&ours, &ours.server(&[host])).await, AlertDescription::BadCertificate, "{host}");
    }
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let ours = Authority::new("ours");
    assert_eq!(refusal(&ours, &ours.expired_server(&HERE)).await, AlertDescription::CertificateExpired);
}

#[tokio::test]
async fn the_roots_of_the_system_do_not_know_our_ca() {
    let server = Server::start(&Authority::new("ours").server(&HERE)).await;
    let started = Link::start(config(server.address("127.0.0.1"), LinkSecurity::default()), |_| None);
    // A machine without roots says so at the start.
    if let Err(error) = started {
        assert!(error.to_string().contains("no root certificates"), "{error}");
        return;
    }
    assert_eq!(server.refused_with().await, AlertDescription::UnknownCA);
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_a_link_from_starting() {
    let files = Files::new(&Authority::new("ours"));
    let broker = || BrokerAddress::tls("localhost", 1);
    let error = Link::start(config(broker(), files.showing()), |_| None).unwrap_err();
    assert!(matches!(error, LinkError::TlsFile(_)) && error.to_string().contains("client.pem"), "{error}");
    files.write("ca.pem", "no certificate");
    let error = Link::start(config(broker(), files.trusting()), |_| None).unwrap_err();
    assert!(matches!(error, LinkError::TlsFile(_)) && error.to_string().contains("ca.pem"), "{error}");
}
