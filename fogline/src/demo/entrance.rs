//! How the parts of the demo reach its broker: as they are, or with certificates.

use super::agents;
use crate::ports;
use crate::tls::{OPERATOR, Throwaway};
use anyhow::Context;
use fogline_broker::BrokerConfig;
use fogline_ingest::settings::DEFAULT_NAME as INGESTER;
use fogline_protocol::ids::Name;
use fogline_runtime::link::LinkSecurity;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The usual port of MQTT.
const MQTT_PORT: u16 = 1883;
/// The usual port of MQTT over TLS.
const MQTTS_PORT: u16 = 8883;

/// Where the broker is, and what it takes to be let in.
#[derive(Debug)]
pub(crate) struct Entrance {
    address: SocketAddr,
    secure: Option<Secure>,
}

/// What is needed for TLS; removed when it is dropped.
#[derive(Debug)]
struct Secure {
    certificates: Throwaway,
    users: PathBuf,
}

impl Entrance {
    /// Chooses a port. With `secure` it makes a CA, certificates for everybody, and the broker's users, in a temporary folder.
    ///
    /// # Errors
    /// When there is no port, or the files cannot be written.
    pub(crate) fn new(secure: bool) -> anyhow::Result<Self> {
        let port = if secure { MQTTS_PORT } else { MQTT_PORT };
        let address = ports::preferred(port).context("no free port for the broker")?;
        let secure = if secure { Some(Secure::make().context("no certificates")?) } else { None };
        Ok(Self { address, secure })
    }

    /// As clients are given it.
    pub(crate) fn url(&self) -> String {
        if self.secure.is_some() { format!("mqtts://{}", self.address) } else { self.address.to_string() }
    }

    /// The folder of the certificates, if there are any.
    pub(crate) fn certificates(&self) -> Option<String> {
        self.secure.as_ref().map(|secure| secure.certificates.dir().display().to_string())
    }

    /// The broker: if it is secure, over TLS only, for those who have a certificate and are among its users.
    pub(crate) fn broker(&self) -> BrokerConfig {
        match &self.secure {
            None => BrokerConfig { listen: Some(self.address), ..BrokerConfig::default() },
            Some(Secure { certificates, users }) => BrokerConfig {
                listen: None,
                tls_listen: Some(self.address),
                tls: Some(certificates.broker()),
                users: Some(users.clone()),
                ..BrokerConfig::default()
            },
        }
    }

    /// What the client of this name trusts, and says about itself.
    pub(crate) fn security(&self, name: &str) -> LinkSecurity {
        let Some(Secure { certificates, .. }) = &self.secure else { return LinkSecurity::default() };
        LinkSecurity {
            ca: Some(certificates.ca()),
            certificate: certificates.client(name),
            user: Some(name.to_owned()),
            password: None,
        }
    }

    /// The command that shows the messages.
    pub(crate) fn watch(&self) -> String {
        let LinkSecurity { ca, certificate, .. } = self.security(OPERATOR);
        let files = ca.zip(certificate).map(|(ca, own)| {
            format!(" --cafile {} --cert {} --key {}", ca.display(), own.certificate.display(), own.key.display())
        });
        let (host, port) = (self.address.ip(), self.address.port());
        format!("mosquitto_sub -q 1 -h {host} -p {port}{} -v -t 'fogline/v1/#'", files.unwrap_or_default())
    }
}

impl Secure {
    fn make() -> anyhow::Result<Self> {
        let agents = agents::names().map(Name::new).collect::<Result<_, _>>()?;
        let certificates = Throwaway::make(agents, vec![Name::new(INGESTER)?], vec![Name::new(OPERATOR)?])?;
        let users = certificates.put("users", &users())?;
        Ok(Self { certificates, users })
    }
}

/// Everybody comes with a certificate, and has nothing else.
fn users() -> String {
    let agents = agents::regions_and_names().map(|(region, name)| format!("{name} agent {region} -\n"));
    agents.chain([format!("{INGESTER} ingest * -\n"), format!("{OPERATOR} operator - -\n")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secure_entrance_is_complete_and_leaves_nothing_behind() {
        let entrance = Entrance::new(true).unwrap();
        let dir = PathBuf::from(entrance.certificates().unwrap());
        assert_eq!(entrance.broker().check(), Ok(()));
        assert!(entrance.url().starts_with("mqtts://127.0.0.1:"));
        for name in agents::names().chain([INGESTER, OPERATOR]) {
            let security = entrance.security(name);
            assert!(security.certificate.is_some() && security.file_faults().is_empty(), "{name}");
        }
        assert!(entrance.security("stranger").certificate.is_none());
        assert!(entrance.watch().contains(&format!(" --cafile {}/ca.pem ", dir.display())), "{}", entrance.watch());
        drop(entrance);
        assert!(!dir.exists());
    }

    #[test]
    fn without_certificates_it_is_as_plain_as_before() {
        let entrance = Entrance::new(false).unwrap();
        assert_eq!((entrance.certificates(), entrance.security("lane-1")), (None, LinkSecurity::default()));
        assert!(entrance.url().starts_with("127.0.0.1:") && !entrance.watch().contains("--cafile"));
    }
}
