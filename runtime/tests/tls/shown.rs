//! What a broker learns of a client.

use fogline_runtime::link::LinkSecurity;
use fogline_runtime::secret::Secret;
use rumqttc::Login;

use crate::authority::Authority;
use crate::client::{Client, Files};
use crate::server::Server;

#[tokio::test]
async fn user_name_and_password_arrive_in_the_connect() {
    let ours = Authority::new("ours");
    let files = Files::new(&ours);
    let server = Server::start(&ours.server(&["localhost"])).await;
    let login = |user: &str, password: &str| Some(Login::new(user, password));
    for (user, password, expected) in [
        (Some("lane-1"), Some("hunter2 ü"), login("lane-1", "hunter2 ü")),
        (Some("lane-1"), None, login("lane-1", "")),
        (None, None, None),
    ] {
        let password = password.map(|password| Secret::new(password).unwrap());
        let security = LinkSecurity { user: user.map(str::to_owned), password, ..files.trusting() };
        let mut client = Client::start(server.address("localhost"), security);
        let accepted = server.accept().await;
        client.connected().await;
        assert_eq!((accepted.connect.client_id.as_str(), &accepted.connect.login), ("lane-1", &expected));
        assert_eq!(accepted.certificate(), None);
    }
}

#[tokio::test]
async fn the_certificate_is_shown_to_who_asks_for_it() {
    let ours = Authority::new("ours");
    let (files, lane) = (Files::new(&ours), ours.client("lane-1"));
    files.show(&lane);
    let server = Server::requiring(&ours.server(&["127.0.0.1"]), &ours).await;
    let mut client = Client::start(server.address("127.0.0.1"), files.showing());
    let accepted = server.accept().await;
    client.connected().await;
    assert_eq!(accepted.certificate().as_ref(), Some(lane.certificate.der()));
}

#[tokio::test]
async fn without_one_or_with_a_stranger_s_nobody_comes_in() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let files = Files::new(&ours);
    files.show(&theirs.client("lane-1"));
    let server = Server::requiring(&ours.server(&["127.0.0.1"]), &ours).await;
    for security in [files.trusting(), files.showing()] {
        let client = Client::start(server.address("127.0.0.1"), security);
        let refusal = server.refusal().await;
        let expected = matches!(
            refusal,
            rustls::Error::NoCertificatesPresented
                | rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)
        );
        assert!(expected, "{refusal}");
        client.until(|metrics| metrics.failures > 0).await;
        assert_eq!(client.handle.metrics().connects, 0);
    }
}

#[tokio::test]
async fn an_ipv6_address_is_checked_without_its_brackets() {
    let ours = Authority::new("ours");
    let files = Files::new(&ours);
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: no IPv6 on this machine");
        return;
    }
    let server = Server::on("[::1]:0".parse().unwrap(), &ours.server(&["::1"])).await;
    let mut client = Client::start(server.address("[::1]"), files.trusting());
    let _accepted = server.accept().await;
    client.connected().await;
}
