//! What is said about files that cannot be used.

use crate::authority::Authority;
use crate::support::Files;
use fogline_door::tls::{ClientCertificates, ServerTls, TlsConfig, TlsError};

fn refusal(config: TlsConfig) -> (TlsError, String) {
    let error = ServerTls::load(config).unwrap_err();
    let text = error.to_string();
    (error, text)
}

#[test]
fn a_key_of_another_certificate() {
    let files = Files::new();
    files.put("server.key", &files.authority.issue("other", 2).key.serialize_pem());
    let (error, text) = refusal(files.config(ClientCertificates::NotAsked));
    assert!(matches!(error, TlsError::KeyMismatch { .. }));
    assert!(text.contains("server.key") && text.contains("server.pem"), "{text}");
}

#[test]
fn a_certificate_that_is_over() {
    let files = Files::new();
    let old = files.authority.issue_until("server", 2, 2020);
    files.put("server.pem", &old.certificate.pem());
    files.put("server.key", &old.key.serialize_pem());
    let (error, text) = refusal(files.config(ClientCertificates::NotAsked));
    assert!(matches!(error, TlsError::Expired { .. }) && text.contains("2020") && text.contains("renew"), "{text}");
}

#[test]
fn a_file_that_is_missing_empty_or_something_else() {
    let files = Files::new();
    let config = files.config(ClientCertificates::Required);
    std::fs::remove_file(&config.key).unwrap();
    assert!(refusal(config.clone()).1.contains("server.key"));
    files.put("server.key", &files.server.certificate.pem());
    assert!(matches!(refusal(config.clone()).0, TlsError::Missing { section, .. } if section.contains("KEY")));
    files.put("server.key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n");
    let (_, text) = refusal(config.clone());
    assert!(text.contains("server.key") && !text.contains("c2VjcmV0"), "{text}");
    files.put("server.key", "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n");
    assert!(refusal(config.clone()).1.contains("cannot be used"));
    files.put("server.key", &files.server.key.serialize_pem());
    files.put("ca.pem", "");
    assert!(matches!(refusal(config).0, TlsError::Missing { what: "the clients' CA", .. }));
}

#[test]
fn clients_are_asked_and_no_ca_is_named() {
    let files = Files::new();
    let config = TlsConfig { client_ca: None, ..files.config(ClientCertificates::Required) };
    assert!(matches!(refusal(config).0, TlsError::NoClientCa));
}

#[test]
fn a_ca_without_a_revocation_list_beside_one_that_has() {
    let files = Files::new();
    let second = Authority::new("second CA");
    files.put("ca.pem", &(files.authority.pem() + &second.pem()));
    files.put("crl.pem", &files.authority.list(1, &[]));
    let (error, text) = refusal(files.config_with_list(ClientCertificates::Required));
    assert!(matches!(error, TlsError::NoCrl { .. }) && text.contains("second CA"), "{text}");
    files.put("crl.pem", &(files.authority.list(1, &[]) + &second.list(1, &[])));
    ServerTls::load(files.config_with_list(ClientCertificates::Required)).unwrap();
}

#[test]
fn a_file_that_is_too_large() {
    let files = Files::new();
    files.put("ca.pem", &" ".repeat((16 << 20) + 1));
    assert!(matches!(refusal(files.config(ClientCertificates::Required)).0, TlsError::TooLarge { .. }));
}
