//! How the parts of the demo reach its broker: as they are, or with certificates.

use super::{agents, city};
use crate::ports;
use crate::tls::{OPERATOR, Throwaway};
use anyhow::Context;
use fogline_broker::BrokerConfig;
use fogline_protocol::ids::Name;
use fogline_runtime::link::LinkSecurity;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The usual port of MQTT; the next one for a second site.
const MQTT_PORT: u16 = 1883;
/// The usual port of MQTT over TLS.
const MQTTS_PORT: u16 = 8883;

/// The name of a site's ingester; sites are counted from 0, names from 1.
pub(crate) fn ingester_name(site: u16) -> String {
    format!("ingest-{}", site + 1)
}

/// Where the brokers are, and what it takes to be let in.
#[derive(Debug)]
pub(crate) struct Entrance {
    addresses: Vec<SocketAddr>,
    secure: Option<Secure>,
}

/// What is needed for TLS; removed when it is dropped.
#[derive(Debug)]
struct Secure {
    certificates: Throwaway,
    users: PathBuf,
}

impl Entrance {
    /// Chooses a port for the broker of each site. With `secure` it makes a CA, certificates for everybody, and the broker's users, in a temporary folder.
    ///
    /// # Errors
    /// When there is no port, or the files cannot be written.
    pub(crate) fn new(secure: bool, sites: u16) -> anyhow::Result<Self> {
        let first = if secure { MQTTS_PORT } else { MQTT_PORT };
        let addresses = (0..sites).map(|site| ports::preferred(first + site)).collect::<Result<_, _>>();
        let addresses = addresses.context("no free port for the broker")?;
        let secure = if secure { Some(Secure::make(sites).context("no certificates")?) } else { None };
        Ok(Self { addresses, secure })
    }

    /// As clients are given them, in the order of the sites.
    pub(crate) fn urls(&self) -> Vec<String> {
        let scheme = if self.secure.is_some() { "mqtts://" } else { "" };
        self.addresses.iter().map(|address| format!("{scheme}{address}")).collect()
    }

    /// The folder of the certificates, if there are any.
    pub(crate) fn certificates(&self) -> Option<String> {
        self.secure.as_ref().map(|secure| secure.certificates.dir().display().to_string())
    }

    /// The brokers, in the order of the sites: if they are secure, over TLS only, for those who have a certificate and are among
    /// the users.
    pub(crate) fn brokers(&self) -> impl Iterator<Item = (SocketAddr, BrokerConfig)> {
        self.addresses.iter().map(|address| (*address, self.broker(*address)))
    }

    fn broker(&self, address: SocketAddr) -> BrokerConfig {
        match &self.secure {
            None => BrokerConfig { listen: Some(address), ..BrokerConfig::default() },
            Some(Secure { certificates, users }) => BrokerConfig {
                listen: None,
                tls_listen: Some(address),
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

    /// The commands that show the messages, in the order of the sites.
    pub(crate) fn watches(&self) -> Vec<String> {
        self.addresses.iter().map(|address| self.watch(*address)).collect()
    }

    fn watch(&self, address: SocketAddr) -> String {
        let LinkSecurity { ca, certificate, .. } = self.security(OPERATOR);
        let files = ca.zip(certificate).map(|(ca, own)| {
            format!(" --cafile {} --cert {} --key {}", ca.display(), own.certificate.display(), own.key.display())
        });
        let (host, port) = (address.ip(), address.port());
        format!("mosquitto_sub -q 1 -h {host} -p {port}{} -v -t 'fogline/v1/#'", files.unwrap_or_default())
    }
}

impl Secure {
    fn make(sites: u16) -> anyhow::Result<Self> {
        let agents = clients().map(|(_, name)| Name::new(name)).collect::<Result<_, _>>()?;
        let ingesters = (0..sites).map(|site| Name::new(&ingester_name(site))).collect::<Result<_, _>>()?;
        let certificates = Throwaway::make(agents, ingesters, vec![Name::new(OPERATOR)?])?;
        let users = certificates.put("users", &users(sites))?;
        Ok(Self { certificates, users })
    }
}

/// Agents, and the nodes and sensors of the city, with their regions.
fn clients() -> impl Iterator<Item = (&'static str, &'static str)> {
    agents::regions_and_names().chain(city::regions_and_names())
}

/// Everybody comes with a certificate, and has nothing else.
fn users(sites: u16) -> String {
    let agents = clients().map(|(region, name)| format!("{name} agent {region} -\n"));
    let ingesters = (0..sites).map(|site| format!("{} ingest * -\n", ingester_name(site)));
    agents.chain(ingesters).chain([format!("{OPERATOR} operator - -\n")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secure_entrance_is_complete_and_leaves_nothing_behind() {
        let entrance = Entrance::new(true, 2).unwrap();
        let dir = PathBuf::from(entrance.certificates().unwrap());
        assert!(entrance.brokers().all(|(_, broker)| broker.check().is_ok()));
        let urls = entrance.urls();
        assert!(urls.len() == 2 && urls[0] != urls[1] && urls.iter().all(|url| url.starts_with("mqtts://127.0.0.1:")));
        for name in clients().map(|(_, name)| name).chain(["ingest-1", "ingest-2", OPERATOR]) {
            let security = entrance.security(name);
            assert!(security.certificate.is_some() && security.file_faults().is_empty(), "{name}");
        }
        assert!(entrance.security("stranger").certificate.is_none());
        let watch = entrance.watches().remove(1);
        assert!(watch.contains(&format!(" --cafile {}/ca.pem ", dir.display())), "{watch}");
        drop(entrance);
        assert!(!dir.exists());
    }

    #[test]
    fn without_certificates_it_is_as_plain_as_before() {
        let entrance = Entrance::new(false, 1).unwrap();
        assert_eq!((entrance.certificates(), entrance.security("lane-1")), (None, LinkSecurity::default()));
        assert!(entrance.urls()[0].starts_with("127.0.0.1:") && !entrance.watches()[0].contains("--cafile"));
    }
}
