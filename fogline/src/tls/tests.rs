//! The files in use: rustls shakes hands with them in memory.

use super::folder::Role;
use super::hosts::{Host, of_this_machine};
use super::site::{Issue, Made, Site, Whose};
use super::*;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, ServerConfig, ServerConnection};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn wanted(agents: &[&str], ingesters: &[&str]) -> Issue {
    let names = |texts: &[&str]| texts.iter().map(|text| name(text)).collect();
    Issue {
        server: false,
        hosts: Vec::new(),
        agents: names(agents),
        ingesters: names(ingesters),
        operators: Vec::new(),
        days: 365,
    }
}

fn all() -> Issue {
    let hosts = of_this_machine().chain(["broker.example".parse().unwrap()]).collect();
    Issue { server: true, hosts, operators: vec![name("anna")], ..wanted(&["lane-1", "lane-2"], &["ingest-1"]) }
}

/// A folder in which everything was made.
fn made() -> (TempDir, Vec<Made>) {
    let folder = tempfile::tempdir().unwrap();
    let made = Site::init(folder.path(), &all(), false).unwrap();
    (folder, made)
}

fn chain(path: &Path) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
}

fn roots(dir: &Path) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    chain(&dir.join("ca.pem")).into_iter().for_each(|certificate| roots.add(certificate).unwrap());
    roots.into()
}

/// A broker that requires a certificate that is not on the list.
fn server(dir: &Path) -> ServerConnection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let list = CertificateRevocationListDer::from_pem_file(dir.join("crl.pem")).unwrap();
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(dir), Arc::clone(&provider));
    let verifier = verifier.with_crls([list]).enforce_revocation_expiration().build().unwrap();
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_client_cert_verifier(verifier);
    let key = PrivateKeyDer::from_pem_file(dir.join("server-key.pem")).unwrap();
    let config = config.with_single_cert(chain(&dir.join("server.pem")), key).unwrap();
    ServerConnection::new(Arc::new(config)).unwrap()
}

fn client(dir: &Path, (certificate, key): (&Path, &Path), host: &str) -> ClientConnection {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots(dir));
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let config = config.with_client_auth_cert(chain(certificate), key).unwrap();
    ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned()).unwrap()).unwrap()
}

/// Shakes hands with the broker of a folder.
fn shake(dir: &Path, files: (&Path, &Path), host: &str) -> Result<(), Error> {
    let (mut client, mut server) = (client(dir, files, host), server(dir));
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        server.write_tls(&mut wire).unwrap();
        let mut rest = wire.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(())
}

fn shake_as(dir: &Path, who: &str) -> Result<(), Error> {
    shake(dir, (&dir.join(format!("{who}.pem")), &dir.join(format!("{who}.key.pem"))), "localhost")
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn everybody_comes_in_under_every_name_of_the_broker() {
    let (folder, made) = made();
    for one in made.iter().filter(|one| matches!(one.whose, Whose::Client(..))) {
        for host in ["localhost", "127.0.0.1", "::1", "broker.example"] {
            assert_eq!(shake(folder.path(), (&one.certificate, &one.key), host), Ok(()), "{:?} {host}", one.whose);
        }
        let other = shake(folder.path(), (&one.certificate, &one.key), "other.example").unwrap_err();
        assert!(matches!(other, Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })), "{other}");
    }
    let files = (&folder.path().join("server.pem"), &folder.path().join("server-key.pem"));
    let refused = shake(folder.path(), (files.0, files.1), "localhost").unwrap_err();
    assert!(refused.to_string().contains("extended key usage"), "a broker is no client: {refused}");
}

#[test]
fn the_common_name_is_the_user_name() {
    let (folder, made) = made();
    assert_eq!(made[0].whose, Whose::Authority);
    for one in made.iter().skip(1) {
        let expected = match &one.whose {
            Whose::Authority => "",
            Whose::Server(_) => "fogline-broker",
            Whose::Client(_, name) => name.as_str(),
        };
        let pem = std::fs::read_to_string(&one.certificate).unwrap();
        authority::with_certificate(folder.path(), &pem, |parsed| {
            let names: Vec<&str> = parsed.subject().iter_common_name().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(names, [expected]);
            let days = (parsed.validity().not_after.timestamp() - parsed.validity().not_before.timestamp()) / 86_400;
            assert_eq!(days, 366);
        })
        .unwrap();
    }
}

#[test]
fn keys_are_the_owner_s_alone() {
    let (folder, made) = made();
    let dir = folder.path();
    for name in ["", "agents", "ingesters", "issued"] {
        assert_eq!(mode(&dir.join(name)), 0o700, "{name}");
    }
    assert_eq!(mode(&dir.join("ca-key.pem")), 0o600);
    assert!(made.iter().all(|one| mode(&one.key) == 0o600));
}

#[test]
fn nothing_is_overwritten_without_force() {
    let (folder, _made) = made();
    let dir = folder.path();
    let before = std::fs::read(dir.join("ca.pem")).unwrap();
    assert!(matches!(Site::init(dir, &all(), false), Err(TlsToolError::Exists(_))));
    let site = Site::open(dir).unwrap();
    assert!(matches!(site.issue(&wanted(&["lane-9", "lane-1"], &[]), false), Err(TlsToolError::Exists(_))));
    assert!(!dir.join("agents/lane-9.pem").exists(), "all of it, or nothing of it");
    drop(site);
    assert_eq!(std::fs::read(dir.join("ca.pem")).unwrap(), before);

    Site::init(dir, &Issue { agents: vec![name("lane-1")], ..all() }, true).unwrap();
    assert_ne!(std::fs::read(dir.join("ca.pem")).unwrap(), before);
    assert_eq!(shake_as(dir, "agents/lane-1"), Ok(()));
    assert!(!dir.join("agents/lane-2.pem").exists(), "the old CA signed it");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "").unwrap();
    assert!(matches!(Site::init(folder.path(), &all(), true), Err(TlsToolError::NotEmpty(_))));
    assert!(matches!(Site::open(folder.path()), Err(TlsToolError::NoAuthority { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn one_more_is_signed_by_the_same_ca() {
    let (folder, _made) = made();
    let made = Site::open(folder.path()).unwrap().issue(&wanted(&["lane-9"], &[]), false).unwrap();
    assert_eq!(made[0].whose, Whose::Client(Role::Agent, name("lane-9")));
    assert_eq!(shake_as(folder.path(), "agents/lane-9"), Ok(()));
}

#[test]
fn a_renewed_server_keeps_its_hosts() {
    let (folder, _made) = made();
    let host: Host = "second.example".parse().unwrap();
    let renewal = Issue { server: true, hosts: vec![host.clone()], ..wanted(&[], &[]) };
    let made = Site::open(folder.path()).unwrap().issue(&renewal, true).unwrap();
    let expected = hosts::distinct(all().hosts.into_iter().chain([host]));
    assert_eq!(made[0].whose, Whose::Server(expected));
    let lane = folder.path().join("agents/lane-1");
    let files = (lane.with_extension("pem"), folder.path().join("agents/lane-1.key.pem"));
    for host in ["second.example", "broker.example", "127.0.0.1"] {
        assert_eq!(shake(folder.path(), (&files.0, &files.1), host), Ok(()), "{host}");
    }
}

#[test]
fn a_revoked_client_is_out_with_all_its_certificates_and_others_are_not() {
    let (folder, _made) = made();
    let dir = folder.path();
    let aside = tempfile::tempdir().unwrap();
    let keep = |file: &str| {
        let kept = aside.path().join(file);
        std::fs::copy(dir.join("agents").join(file), &kept).unwrap();
        kept
    };
    let old = (keep("lane-1.pem"), keep("lane-1.key.pem"));
    Site::open(dir).unwrap().issue(&wanted(&["lane-1"], &[]), true).unwrap();
    assert_eq!(shake(dir, (&old.0, &old.1), "localhost"), Ok(()), "renewed is not revoked");

    let site = Site::open(dir).unwrap();
    assert_eq!(site.revoke(&name("lane-1")).unwrap().len(), 2);
    assert!(!dir.join("agents/lane-1.pem").exists() && !dir.join("agents/lane-1.key.pem").exists());
    let refused = shake(dir, (&old.0, &old.1), "localhost");
    assert_eq!(refused, Err(Error::InvalidCertificate(CertificateError::Revoked)));
    assert_eq!(shake_as(dir, "agents/lane-2"), Ok(()));
    assert!(matches!(site.revoke(&name("lane-1")), Err(TlsToolError::Revoked(_))));
    assert!(matches!(site.revoke(&name("lane")), Err(TlsToolError::Unknown { .. })));

    // The list grows: the next one does not let the first one in again.
    assert_eq!(site.revoke(&name("lane-2")).unwrap().len(), 1);
    let refused = shake(dir, (&old.0, &old.1), "localhost");
    assert_eq!(refused, Err(Error::InvalidCertificate(CertificateError::Revoked)));
    site.issue(&wanted(&["lane-1"], &[]), false).unwrap();
    assert_eq!(shake_as(dir, "agents/lane-1"), Ok(()), "a new certificate of a revoked name");
}

#[test]
fn no_name_hides_the_files_of_another() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a", "a-key", "server", "ca"];
    Site::init(folder.path(), &Issue { server: true, hosts: all().hosts, ..wanted(&names, &[]) }, false).unwrap();
    for name in names {
        assert_eq!(shake_as(folder.path(), &format!("agents/{name}")), Ok(()), "{name}");
    }
}

#[test]
fn nobody_is_agent_and_ingester() {
    let (folder, _made) = made();
    let site = Site::open(folder.path()).unwrap();
    for both in [wanted(&["a"], &["a"]), wanted(&["ingest-1"], &[]), wanted(&[], &["lane-1"])] {
        assert!(matches!(site.issue(&both, true), Err(TlsToolError::Twice(_))), "{both:?}");
    }
}

#[test]
fn a_ca_that_does_not_fit_together_signs_nothing() {
    let ((folder, _), (other, _)) = (made(), made());
    for (file, reason) in [("ca-key.pem", "not the key of ca.pem"), ("crl.pem", "not signed by the CA")] {
        let path = folder.path().join(file);
        let own = std::fs::read(&path).unwrap();
        std::fs::copy(other.path().join(file), &path).unwrap();
        let error = Site::open(folder.path()).and_then(|site| site.revoke(&name("lane-1"))).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        std::fs::write(&path, own).unwrap();
    }
    assert!(Site::open(folder.path()).unwrap().revoke(&name("lane-1")).is_ok());
}

#[test]
fn two_at_a_time_are_refused() {
    let (folder, _made) = made();
    let _first = Site::open(folder.path()).unwrap();
    assert!(matches!(Site::open(folder.path()), Err(TlsToolError::Busy(_))));
}

#[test]
fn the_report_names_every_file_and_shows_no_key() {
    let (folder, made) = made();
    for as_json in [false, true] {
        let text = report::made(folder.path(), &made, as_json).unwrap();
        for one in &made {
            assert!(text.contains(one.certificate.to_str().unwrap()), "{text}");
        }
        assert!(!text.contains("PRIVATE"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), as_json);
    }
}
