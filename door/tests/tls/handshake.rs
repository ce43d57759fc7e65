//! Who is let in.

use crate::authority::Authority;
use crate::support::{Files, meet};
use fogline_door::tls::{ClientCertificates, ServerTls};
use rustls::ProtocolVersion;
use rustls::version::{TLS12, TLS13};

#[tokio::test]
async fn a_client_without_a_certificate_is_let_in_where_none_is_asked() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::NotAsked)).unwrap();
    let met = meet(&server, &files.client(None)).await.unwrap();
    assert_eq!(&met.server, files.server.certificate.der());
    assert_eq!(met.client, None);
}

#[tokio::test]
async fn both_versions_know_the_client() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    let lane = files.authority.issue("lane-1", 2);
    for (version, name) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        let met = meet(&server, &files.client_of(&[version], Some(&lane))).await.unwrap();
        assert_eq!((met.client.as_deref(), met.version), (Some("lane-1"), name));
    }
}

#[tokio::test]
async fn a_client_of_another_ca_is_refused() {
    let files = Files::new();
    let stranger = Authority::new("test CA").issue("lane-1", 2);
    for asked in [ClientCertificates::Required, ClientCertificates::Optional] {
        let server = ServerTls::load(files.config(asked)).unwrap();
        for version in [&TLS12, &TLS13] {
            let refusal = meet(&server, &files.client_of(&[version], Some(&stranger))).await.unwrap_err();
            assert!(refusal.contains("invalid peer certificate"), "{refusal}");
        }
    }
}

#[tokio::test]
async fn a_client_without_a_certificate_is_refused_only_where_one_is_required() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    let refusal = meet(&server, &files.client(None)).await.unwrap_err();
    assert!(refusal.contains("peer sent no certificates"), "{refusal}");
    let server = ServerTls::load(files.config(ClientCertificates::Optional)).unwrap();
    assert_eq!(meet(&server, &files.client(None)).await.unwrap().client, None);
}

#[tokio::test]
async fn a_client_whose_certificate_is_over_is_refused() {
    let files = Files::new();
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    let old = files.authority.issue_until("lane-1", 2, 2020);
    let refusal = meet(&server, &files.client(Some(&old))).await.unwrap_err();
    assert!(refusal.contains("expired"), "{refusal}");
}

#[tokio::test]
async fn several_cas_may_vouch_for_clients() {
    let files = Files::new();
    let second = Authority::new("second CA");
    files.put("ca.pem", &(files.authority.pem() + &second.pem()));
    let server = ServerTls::load(files.config(ClientCertificates::Required)).unwrap();
    for authority in [&files.authority, &second] {
        meet(&server, &files.client(Some(&authority.issue("lane-1", 2)))).await.unwrap();
    }
}
