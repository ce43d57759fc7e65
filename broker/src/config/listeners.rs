//! What listeners need, and who may reach them.

use std::net::SocketAddr;

use fogline_door::tls::{ClientCertificates, TlsConfig};

use super::BrokerConfig;

impl BrokerConfig {
    /// What is wrong with the listeners besides the plain one, each with its remedy.
    pub(super) fn listener_problems(&self) -> Vec<String> {
        let secure = [("tls_listen", self.tls_listen), ("wss_listen", self.wss_listen)];
        let mut problems = Vec::new();
        if [self.listen, self.tls_listen, self.ws_listen, self.wss_listen].iter().all(Option::is_none) {
            problems.push("listen: off, and nothing else listens; give --listen or --tls-listen".to_owned());
        }
        for (name, address) in secure.into_iter().filter_map(|(name, address)| Some((name, address?))) {
            problems.extend(self.secure_problem(name, address));
        }
        if let Some(tls) = &self.tls {
            if secure.iter().all(|(_, address)| address.is_none()) {
                problems.push(
                    "tls_cert: nothing listens with this certificate; give --tls-listen or --wss-listen too".to_owned(),
                );
            }
            problems.extend(client_problems(tls).into_iter().flatten());
        }
        if !self.ws_origins.is_empty() && self.ws_listen.is_none() && self.wss_listen.is_none() {
            problems
                .push("ws_origins: nothing listens for WebSockets; give --ws-listen or --wss-listen too".to_owned());
        }
        problems.extend(self.ws_origins.iter().filter(|origin| !is_origin(origin)).map(|origin| {
            format!("ws_origins: {origin:?} is no origin of a page; give one like https://fogline.example:8080")
        }));
        problems
    }

    fn secure_problem(&self, name: &str, address: SocketAddr) -> Option<String> {
        if self.tls.is_none() {
            return Some(format!("{name}: TLS needs a certificate and its key; give --tls-cert and --tls-key"));
        }
        // A certificate says who a client is; only the users say what it may do.
        self.exposed(name, Some(address))
    }
}

/// Whether only this machine can reach it.
pub(crate) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// A scheme, a host in lower case, perhaps a port, and no path: as browsers say it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && !host.contains(|c: char| c.is_ascii_uppercase() || !c.is_ascii_graphic() || "/?#@,".contains(c))
    })
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
    fn a_certificate_alone_lets_nobody_in_from_other_machines() {
        for asked in [ClientCertificates::Optional, ClientCertificates::Required] {
            let config = with_clients("0.0.0.0:8883", asked);
            refused(&config, "tls_listen:", "--users");
            assert_eq!(BrokerConfig { users: Some("users".into()), ..config }.check(), Ok(()));
        }
    }

    #[test]
    fn websockets_follow_the_same_rules() {
        let open = |listen: &str| BrokerConfig { ws_listen: Some(listen.parse().unwrap()), ..BrokerConfig::default() };
        assert_eq!(open("127.0.0.1:9001").check(), Ok(()));
        refused(&open("0.0.0.0:9001"), "ws_listen:", "--users");
        let config = secure("127.0.0.1:9443");
        let config = BrokerConfig { wss_listen: config.tls_listen, tls_listen: None, listen: None, ..config };
        assert_eq!(config.check(), Ok(()));
        refused(&BrokerConfig { tls: None, ..config.clone() }, "wss_listen:", "--tls-cert");
        refused(
            &BrokerConfig { wss_listen: Some("0.0.0.0:9443".parse().unwrap()), ..config },
            "wss_listen:",
            "--users",
        );
    }

    #[test]
    fn origins_are_as_browsers_say_them() {
        let config = |origin: &str, ws_listen: Option<&str>| BrokerConfig {
            ws_listen: ws_listen.map(|listen| listen.parse().unwrap()),
            ws_origins: vec![origin.to_owned()],
            ..BrokerConfig::default()
        };
        let listen = Some("127.0.0.1:9001");
        for origin in ["https://fogline.example:8080", "http://127.0.0.1:8080", "http://[::1]:8080"] {
            assert_eq!(config(origin, listen).check(), Ok(()), "{origin}");
        }
        for origin in ["fogline.example", "https://", "https://fogline.example/", "https://Fogline.example", "*", ""] {
            refused(&config(origin, listen), "ws_origins:", "https://fogline.example:8080");
        }
        refused(&config("https://fogline.example", None), "ws_origins:", "--ws-listen");
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
