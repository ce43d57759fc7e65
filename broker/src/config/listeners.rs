//! What listeners need, and who may reach them.

use std::net::SocketAddr;

use fogline_door::tls::{ClientCertificates, TlsConfig};

use super::BrokerConfig;

impl BrokerConfig {
    /// What is wrong with the listeners besides the plain one, each with its remedy.
    pub(super) fn listener_problems(&self) -> Vec<String> {
        let secure = [("tls_listen", self.tls_listen)];
        let mut problems = Vec::new();
        if self.listen.is_none() && secure.iter().all(|(_, address)| address.is_none()) {
            problems.push("listen: off, and nothing else listens; give --listen or --tls-listen".to_owned());
        }
        for (name, address) in secure.into_iter().filter_map(|(name, address)| Some((name, address?))) {
            problems.extend(self.secure_problem(name, address));
        }
        if let Some(tls) = &self.tls {
            if secure.iter().all(|(_, address)| address.is_none()) {
                problems.push("tls_cert: nothing listens with this certificate; give --tls-listen too".to_owned());
            }
            problems.extend(client_problems(tls).into_iter().flatten());
        }
        problems
    }

    fn secure_problem(&self, name: &str, address: SocketAddr) -> Option<String> {
        let Some(tls) = &self.tls else {
            return Some(format!("{name}: TLS needs a certificate and its key; give --tls-cert and --tls-key"));
        };
        let known = tls.client_certificates == ClientCertificates::Required;
        (!known && self.users.is_none() && !is_loopback(address)).then(|| {
            format!(
                "{name}: {ip} can be reached from other machines, and nothing asks who they are; give --users \
                 FILE, or --tls-client-certificates required and --tls-client-ca, or use 127.0.0.1:{port}",
                ip = address.ip(),
                port = address.port()
            )
        })
    }
}

/// Whether only this machine can reach it.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

fn client_problems(tls: &TlsConfig) -> [Option<String>; 3] {
    let asked = tls.client_certificates != ClientCertificates::NotAsked;
    let problem = |wrong: bool, text: &str| wrong.then(|| text.to_owned());
    [
        problem(
            asked && tls.client_ca.is_none(),
            "tls_client_certificates: no CA says whose certificates are good; give --tls-client-ca",
        ),
        problem(
            !asked && tls.client_ca.is_some(),
            "tls_client_ca: no client is asked for a certificate; give --tls-client-certificates required (or optional)",
        ),
        problem(
            tls.crl.is_some() && tls.client_ca.is_none(),
            "tls_crl: a revocation list is of no use without the CA that it is of; give --tls-client-ca",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secure(listen: &str) -> BrokerConfig {
        BrokerConfig {
            tls_listen: Some(listen.parse().unwrap()),
            tls: Some(TlsConfig::new("server.pem", "server.key")),
            ..BrokerConfig::default()
        }
    }

    fn with_clients(listen: &str, client_certificates: ClientCertificates) -> BrokerConfig {
        let mut config = secure(listen);
        if let Some(tls) = &mut config.tls {
            (tls.client_certificates, tls.client_ca) = (client_certificates, Some("ca.pem".into()));
        }
        config
    }

    #[track_caller]
    fn refused(config: &BrokerConfig, setting: &str, remedy: &str) {
        let errors = config.check().unwrap_err();
        let [problem] = errors.problems() else { panic!("{errors}") };
        assert!(problem.starts_with(setting) && problem.contains(remedy), "{problem}");
    }

    #[test]
    fn a_secure_listener_may_stand_beside_the_plain_one_or_alone() {
        assert_eq!(secure("127.0.0.1:8883").check(), Ok(()));
        assert_eq!(BrokerConfig { listen: None, ..secure("127.0.0.1:8883") }.check(), Ok(()));
    }

    #[test]
    fn a_broker_that_listens_nowhere_is_refused() {
        refused(&BrokerConfig { listen: None, ..BrokerConfig::default() }, "listen:", "--tls-listen");
    }

    #[test]
    fn listener_and_certificate_need_each_other() {
        refused(&BrokerConfig { tls: None, ..secure("127.0.0.1:8883") }, "tls_listen:", "--tls-cert");
        refused(&BrokerConfig { tls_listen: None, ..secure("127.0.0.1:8883") }, "tls_cert:", "--tls-listen");
    }

    #[test]
    fn other_machines_must_show_certificates() {
        for asked in [ClientCertificates::NotAsked, ClientCertificates::Optional] {
            let mut config = with_clients("0.0.0.0:8883", asked);
            if asked == ClientCertificates::NotAsked {
                config.tls.as_mut().unwrap().client_ca = None;
            }
            refused(&config, "tls_listen:", "--tls-client-certificates required");
        }
        assert_eq!(with_clients("0.0.0.0:8883", ClientCertificates::Required).check(), Ok(()));
    }

    #[test]
    fn what_checks_clients_comes_together() {
        let without_ca = |mut config: BrokerConfig| {
            config.tls.as_mut().unwrap().client_ca = None;
            config
        };
        let required = with_clients("127.0.0.1:8883", ClientCertificates::Required);
        refused(&without_ca(required), "tls_client_certificates:", "--tls-client-ca");
        let not_asked = with_clients("127.0.0.1:8883", ClientCertificates::NotAsked);
        refused(&not_asked, "tls_client_ca:", "--tls-client-certificates required");
        let mut list = secure("127.0.0.1:8883");
        list.tls.as_mut().unwrap().crl = Some("crl.pem".into());
        refused(&list, "tls_crl:", "--tls-client-ca");
    }
}
