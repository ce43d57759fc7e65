//! What a change of the files does to a server that runs.

use crate::authority::{Authority, Issued};
use crate::support::{Files, meet};
use fogline_door::tls::{ClientCertificates, ServerTls, TlsError, WATCH_PERIOD};
use rustls::version::{TLS12, TLS13};
use std::sync::Arc;

#[tokio::test]
async fn a_revoked_client_is_refused_after_a_reload() {
    let files = Files::new();
    let (bad, good) = (files.authority.issue("bad", 2), files.authority.issue("good", 3));
    files.put("crl.pem", &files.authority.list(1, &[]));
    let server = ServerTls::load(files.config_with_list(ClientCertificates::Required)).unwrap();
    // The same client connects again, so that it has a session to resume.
    let clients = [&TLS12, &TLS13].map(|version| files.client_of(&[version], Some(&bad)));
    for client in &clients {
        assert_eq!(meet(&server, client).await.unwrap().client.as_deref(), Some("bad"));
    }
    files.put("crl.pem", &files.authority.list(2, &[&bad]));
    server.reload().unwrap();
    for client in &clients {
        let refusal = meet(&server, client).await.unwrap_err();
        assert!(refusal.contains("Revoked"), "{refusal}");
    }
    assert_eq!(meet(&server, &files.client(Some(&good))).await.unwrap().client.as_deref(), Some("good"));
}

#[tokio::test]
async fn a_renewed_certificate_is_served_after_a_reload() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::NotAsked)).unwrap();
    let renewed = files.authority.issue("server", 9);
    files.put("server.pem", &renewed.certificate.pem());
    files.put("server.key", &renewed.key.serialize_pem());
    server.reload().unwrap();
    assert_eq!(&meet(&server, &files.client(None)).await.unwrap().server, renewed.certificate.der());
}

#[tokio::test]
async fn a_clients_ca_can_be_replaced() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    let next = Authority::new("next CA");
    let client = files.client(Some(&next.issue("lane-1", 2)));
    meet(&server, &client).await.unwrap_err();
    files.put("ca.pem", &next.pem());
    server.reload().unwrap();
    meet(&server, &client).await.unwrap();
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    let client = files.client(Some(&files.authority.issue("lane-1", 2)));
    files.put("server.pem", "half a certi");
    assert!(matches!(server.reload(), Err(TlsError::Missing { .. })));
    let met = meet(&server, &client).await.unwrap();
    assert_eq!((&met.server, met.client.as_deref()), (files.server.certificate.der(), Some("lane-1")));
}

/// Paused time: it jumps on whenever everything waits.
#[tokio::test(start_paused = true)]
async fn a_watched_change_is_in_force_without_a_restart() {
    let files = Files::new();
    let server = Arc::new(ServerTls::load(files.config(ClientCertificates::NotAsked)).unwrap());
    let watched = Arc::clone(&server);
    let watching = tokio::spawn(async move { watched.watch().await });
    tokio::time::sleep(WATCH_PERIOD * 3).await;
    let renewed = files.authority.issue("server", 9);
    files.put("server.pem", &renewed.certificate.pem());
    // Half of the change is there, for longer than a period: the old pair stays.
    tokio::time::sleep(WATCH_PERIOD * 3).await;
    assert_eq!(&meet(&server, &files.client(None)).await.unwrap().server, files.server.certificate.der());
    files.put("server.key", &renewed.key.serialize_pem());
    tokio::time::sleep(WATCH_PERIOD * 3).await;
    assert_eq!(&meet(&server, &files.client(None)).await.unwrap().server, renewed.certificate.der());
    watching.abort();
}

#[tokio::test]
async fn who_was_let_in_is_trusted_until_its_certificate_is_revoked() {
    let files = Files::new();
    let (bad, good) = (files.authority.issue("bad", 2), files.authority.issue("good", 3));
    let shown = |issued: &Issued| [issued.certificate.der().clone()];
    files.put("crl.pem", &files.authority.list(1, &[]));
    let server = ServerTls::load(files.config_with_list(ClientCertificates::Optional)).unwrap();
    let mut changes = server.changes();
    assert!(server.still_trusted(&shown(&bad)) && server.still_trusted(&[]));
    files.put("crl.pem", &files.authority.list(2, &[&bad]));
    assert!(!changes.has_changed().unwrap());
    server.reload().unwrap();
    changes.changed().await.unwrap();
    assert!(!server.still_trusted(&shown(&bad)));
    assert!(server.still_trusted(&shown(&good)) && server.still_trusted(&[]));
}

#[tokio::test]
async fn who_was_let_in_is_not_trusted_when_its_ca_no_longer_is() {
    let files = Files::new();
    let lane = [files.authority.issue("lane-1", 2).certificate.der().clone()];
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    assert!(server.still_trusted(&lane) && !server.still_trusted(&[]));
    files.put("ca.pem", &Authority::new("next CA").pem());
    server.reload().unwrap();
    assert!(!server.still_trusted(&lane));
}

#[test]
fn where_no_certificate_is_asked_everybody_is_trusted() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::NotAsked)).unwrap();
    assert!(server.still_trusted(&[]) && server.still_trusted(&[files.server.certificate.der().clone()]));
}

#[test]
fn files_that_cannot_be_used_are_no_change() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    let changes = server.changes();
    files.put("ca.pem", "half a certi");
    server.reload().unwrap_err();
    assert!(!changes.has_changed().unwrap());
}
