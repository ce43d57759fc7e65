//! MQTT over TLS: who is let in, and for how long.

use fogline_broker::{Broker, BrokerConfig};
use fogline_door::tls::{ClientCertificates, TlsConfig};
use rumqttc::Transport;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

use crate::authority::Authority;
use crate::site::{PATIENCE, Site, client, connected, fails, message, publish, subscribe};

#[tokio::test]
async fn messages_pass_between_tls_and_plain_in_both_directions() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Required).await;
    let lane = site.authority.issue("lane-1", 2);
    let (secure, mut secure_events) = site.client("lane-1", broker.tls_addr().unwrap(), Some(&lane));
    let (plain, mut plain_events) = client("ingest-1", broker.local_addr(), Transport::Tcp);
    subscribe(&secure, &mut secure_events, "down/#").await;
    subscribe(&plain, &mut plain_events, "up/#").await;
    publish(&plain, &mut plain_events, "down/1", b"limit").await;
    assert_eq!(&message(&mut secure_events).await.payload[..], b"limit");
    publish(&secure, &mut secure_events, "up/1", b"reading").await;
    assert_eq!(&message(&mut plain_events).await.payload[..], b"reading");
}

#[tokio::test]
async fn a_broker_may_listen_with_tls_only() {
    let site = Site::new();
    let config =
        BrokerConfig { listen: None, ws_listen: None, wss_listen: None, ..site.config(ClientCertificates::NotAsked) };
    let broker = Broker::start(config).await.unwrap();
    assert_eq!(Some(broker.local_addr()), broker.tls_addr());
    assert_eq!(broker.addresses().count(), 1);
    let (_client, mut events) = site.client("lane-1", broker.local_addr(), None);
    connected(&mut events).await;
}

#[tokio::test]
async fn who_shows_no_good_certificate_is_refused_where_one_is_required() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Required).await;
    let stranger = Authority::new("test CA").issue("lane-1", 2);
    let revoked = site.authority.issue("lane-1", 3);
    site.put("crl.pem", &site.authority.list(2, &[&revoked]));
    broker.reload().await;
    for (own, reason) in
        [(None, "CertificateRequired"), (Some(&stranger), "UnknownCA"), (Some(&revoked), "CertificateRevoked")]
    {
        let (_client, mut events) = site.client("lane-1", broker.tls_addr().unwrap(), own);
        let said = fails(&mut events).await;
        assert!(said.contains(reason) || said.contains("DecryptError"), "{reason}: {said}");
    }
}

#[tokio::test]
async fn a_certificate_is_optional_where_it_is_said_to_be() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Optional).await;
    let lane = site.authority.issue("lane-1", 2);
    for own in [None, Some(&lane)] {
        let (_client, mut events) = site.client("lane-1", broker.tls_addr().unwrap(), own);
        connected(&mut events).await;
    }
}

#[tokio::test]
async fn what_speaks_no_tls_is_refused() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    let (_client, mut events) = client("lane-1", broker.tls_addr().unwrap(), Transport::Tcp);
    fails(&mut events).await;
}

#[tokio::test]
async fn a_revoked_client_is_disconnected_and_no_other() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Optional).await;
    let address = broker.tls_addr().unwrap();
    let (bad, good) = (site.authority.issue("bad", 2), site.authority.issue("good", 3));
    let (_bad, mut bad_events) = site.client("bad", address, Some(&bad));
    let (good_client, mut good_events) = site.client("good", address, Some(&good));
    let (nobody, mut nobody_events) = site.client("nobody", address, None);
    for events in [&mut bad_events, &mut good_events, &mut nobody_events] {
        connected(events).await;
    }
    site.put("crl.pem", &site.authority.list(2, &[&bad]));
    broker.reload().await;
    fails(&mut bad_events).await;
    fails(&mut bad_events).await;
    // On the connections from before: a new one would be announced.
    publish(&good_client, &mut good_events, "up/good", b"still here").await;
    publish(&nobody, &mut nobody_events, "up/nobody", b"still here").await;
    assert_eq!(connections_accepted(&broker), 4, "the revoked client's second one is the fourth");
}

#[tokio::test]
async fn who_trusts_another_ca_now_ends_the_connections_of_the_old_one() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Required).await;
    let (_client, mut events) =
        site.client("lane-1", broker.tls_addr().unwrap(), Some(&site.authority.issue("lane-1", 2)));
    connected(&mut events).await;
    let next = Authority::new("next CA");
    site.put("ca.pem", &next.pem());
    site.put("crl.pem", &next.list(1, &[]));
    broker.reload().await;
    fails(&mut events).await;
}

/// Nobody tells the broker: it looks at the files.
#[tokio::test]
async fn a_renewed_certificate_is_served_without_a_restart() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    let (client, mut events) = site.client("lane-1", broker.tls_addr().unwrap(), None);
    connected(&mut events).await;
    let renewed = site.authority.issue("server", 9);
    site.put_server(&renewed);
    let served = async { while served_certificate(&site, &broker).await != renewed.certificate.der().as_ref() {} };
    timeout(PATIENCE, served).await.expect("in force in time");
    // The old connection has never ended.
    publish(&client, &mut events, "up/1", b"reading").await;
}

async fn served_certificate(site: &Site, broker: &Broker) -> Vec<u8> {
    let stream = TcpStream::connect(broker.tls_addr().unwrap()).await.unwrap();
    let stream = TlsConnector::from(site.trust(None)).connect("127.0.0.1".try_into().unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_old_ones_in_force() {
    let site = Site::new();
    let broker = site.broker(ClientCertificates::NotAsked).await;
    site.put("server.pem", "half a certi");
    broker.reload().await;
    let (_client, mut events) = site.client("lane-1", broker.tls_addr().unwrap(), None);
    connected(&mut events).await;
}

#[tokio::test]
async fn a_broker_without_its_files_does_not_start_and_names_the_file() {
    let site = Site::new();
    let tls = Some(TlsConfig::new(site.path("server.pem"), site.path("missing.key")));
    let config = BrokerConfig { tls, ..site.config(ClientCertificates::NotAsked) };
    let error = Broker::start(config).await.unwrap_err().to_string();
    assert!(error.contains("missing.key"), "{error}");
}

fn connections_accepted(broker: &Broker) -> u64 {
    let metrics = broker.metrics();
    let line = metrics.lines().find(|line| line.starts_with("fogline_broker_connections_accepted_total "));
    line.expect("counted").split(' ').nth(1).unwrap().parse().unwrap()
}
