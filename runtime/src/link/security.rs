//! Who the broker must be, and who we say we are.
//!
//! The broker's certificate is always checked, and always against the host name of its address: there is no switch that turns
//! it off, because such a switch is never turned on again. A private CA is one file.

use std::path::PathBuf;

use super::address::{BrokerAddress, Transport};
use super::tls::TlsFileError;
use crate::secret::Secret;

/// Longest user name in bytes: agents' names have at most 63.
const MAX_USER_BYTES: usize = 255;

/// How a link trusts its brokers, and what it shows them. The default trusts the system's roots and shows nothing.
///
/// The files are read again at each attempt to connect, so that renewed ones count without a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkSecurity {
    /// PEM file of the certificates that may have signed a broker's; none: the system's roots. For `mqtts://` only.
    pub ca: Option<PathBuf>,
    /// Our certificate, for brokers that ask for one. For `mqtts://` only.
    pub certificate: Option<ClientCertificate>,
    /// MQTT user name, 1 to 255 bytes without control characters.
    pub user: Option<String>,
    /// Password or token; only with a user name (MQTT 3.1.1, 3.1.2.9: MQTT-3.1.2-22). Goes to every broker of the list.
    pub password: Option<Secret>,
}

/// The files of a client's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file of the certificate, with those between it and the CA after it.
    pub certificate: PathBuf,
    /// PEM file of its private key, not encrypted.
    pub key: PathBuf,
}

impl LinkSecurity {
    /// What is wrong with the files, as far as can be told without a broker: each that cannot be read or used.
    #[must_use]
    pub fn file_faults(&self) -> Vec<TlsFileError> {
        let roots = self.roots().err();
        let certificate = self.certificate.as_ref().map(ClientCertificate::faults).unwrap_or_default();
        roots.into_iter().chain(certificate).collect()
    }

    /// What cannot be, whatever the files hold.
    pub(super) fn faults(&self) -> impl Iterator<Item = String> {
        let user = self
            .user
            .as_deref()
            .filter(|user| user.is_empty() || user.len() > MAX_USER_BYTES || user.chars().any(char::is_control));
        let user =
            user.map(|_| format!("the user name must have 1 to {MAX_USER_BYTES} bytes and no control characters"));
        let password =
            (self.password.is_some() && self.user.is_none()).then(|| "a password needs a user name".to_owned());
        user.into_iter().chain(password)
    }

    /// Bytes of the CONNECT that user name and password take, each with its length.
    pub(super) fn connect_bytes(&self) -> usize {
        let user = self.user.as_ref().map_or(0, |user| user.len() + 2);
        let password = self.password.as_ref().map_or(0, |password| password.expose().len() + 2);
        user + password
    }

    /// The brokers that would be told the password where others can read it.
    pub(super) fn exposed<'a>(&self, brokers: &'a [BrokerAddress]) -> impl Iterator<Item = &'a BrokerAddress> {
        let told = self.password.is_some();
        let open = |broker: &&BrokerAddress| broker.transport == Transport::Tcp && !broker.is_loopback();
        brokers.iter().filter(move |broker| told && open(broker))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_password() -> LinkSecurity {
        let password = Some(Secret::new("hunter2").unwrap());
        LinkSecurity { user: Some("lane-1".to_owned()), password, ..LinkSecurity::default() }
    }

    #[test]
    fn what_cannot_be_is_named() {
        assert_eq!(with_password().faults().count(), 0);
        assert_eq!(LinkSecurity::default().faults().count(), 0);
        for user in [String::new(), "a\0b".to_owned(), "x".repeat(256)] {
            let security = LinkSecurity { user: Some(user), ..LinkSecurity::default() };
            assert!(security.faults().any(|fault| fault.contains("user name must")));
        }
        let nameless = LinkSecurity { user: None, ..with_password() };
        assert!(nameless.faults().any(|fault| fault == "a password needs a user name"));
    }

    #[test]
    fn a_password_is_exposed_by_plain_brokers_elsewhere_only() {
        let brokers: Vec<BrokerAddress> =
            ["mqtts://far", "localhost", "[::1]", "far"].into_iter().map(|text| text.parse().unwrap()).collect();
        let exposed: Vec<String> = with_password().exposed(&brokers).map(ToString::to_string).collect();
        assert_eq!(exposed, ["far:1883"]);
        assert_eq!(LinkSecurity::default().exposed(&brokers).count(), 0);
    }

    #[test]
    fn a_password_is_never_printed() {
        let shown = format!("{:?}", with_password());
        assert!(shown.contains("lane-1") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn credentials_count_with_their_lengths() {
        assert_eq!(with_password().connect_bytes(), 2 + 6 + 2 + 7);
    }
}
