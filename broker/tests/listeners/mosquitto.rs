//! Mosquitto's clients with certificates, where they are installed.

use std::{path::PathBuf, process::Stdio};

use fogline_door::tls::ClientCertificates;
use tokio::{process::Command, time::timeout};

use crate::{
    services::service,
    site::{PATIENCE, Site},
};

/// A client that shows `name`'s certificate.
fn client(program: &PathBuf, site: &Site, port: u16, name: &str, serial: u64) -> Command {
    let issued = site.authority.issue(name, serial);
    let certificate = site.put(&format!("{name}.pem"), &issued.certificate.pem());
    let key = site.put(&format!("{name}.key"), &issued.key.serialize_pem());
    let mut command = Command::new(program);
    command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-q", "1", "-i", name, "-t", "up/1"]);
    command.arg("--cafile").arg(site.path("ca.pem")).arg("--cert").arg(certificate).arg("--key").arg(key);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn its_clients_talk_through_the_broker_over_tls() {
    let (Some(subscriber), Some(publisher)) = (service("mosquitto_sub"), service("mosquitto_pub")) else { return };
    let site = Site::new();
    let broker = site.broker(ClientCertificates::Required).await;
    let port = broker.tls_addr().unwrap().port();
    // Retained, because the subscriber comes second: it does not say when it has subscribed.
    let talk = async {
        let said = client(&publisher, &site, port, "mouth", 2).args(["-r", "-m", "a reading"]).output().await.unwrap();
        assert!(said.status.success(), "{said:?}");
        let heard = client(&subscriber, &site, port, "ear", 3).args(["-C", "1"]).output().await.unwrap();
        assert_eq!(String::from_utf8(heard.stdout).unwrap(), "a reading\n");
    };
    timeout(PATIENCE, talk).await.expect("in time");
}
