//! Who a client's certificate says it is.

use rustls::ServerConnection;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The longest common name (RFC 5280, appendix A.1: `ub-common-name`).
const COMMON_NAME_CHARS_MAX: usize = 64;

/// The common name of the client's certificate, which the handshake has verified.
///
/// None when the client showed no certificate, or when its subject does not have exactly one common name of 1 to 64
/// characters: with two, which of them counts would be a guess. Control characters are refused, as the name goes to logs.
#[must_use]
pub fn common_name(connection: &ServerConnection) -> Option<String> {
    name_in(connection.peer_certificates()?.first()?.as_ref())
}

fn name_in(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    let fits = (1..=COMMON_NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    (fits && names.next().is_none()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    fn certificate(name: Option<&str>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Fogline");
        if let Some(name) = name {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_name_is_taken_as_it_is() {
        assert_eq!(name_in(&certificate(Some("lane-1"))).as_deref(), Some("lane-1"));
        assert_eq!(name_in(&certificate(Some(&"x".repeat(64)))), Some("x".repeat(64)));
    }

    #[test]
    fn no_name_and_names_that_cannot_be_one_are_none() {
        for name in [None, Some(""), Some("lane\n1"), Some("x".repeat(65).as_str())] {
            assert_eq!(name_in(&certificate(name)), None, "{name:?}");
        }
        assert_eq!(name_in(b"no certificate"), None);
    }

    #[test]
    fn of_two_names_none_counts() {
        // rcgen keeps one value for each type of name, so the second one is made of the organisation: its object identifier
        // 2.5.4.10 becomes 2.5.4.3, in the issuer and in the subject. The signature is not checked here.
        let mut two = certificate(Some("lane-1"));
        let organisation = [6, 3, 0x55, 4, 10];
        while let Some(at) = two.windows(5).position(|bytes| bytes == organisation) {
            two[at + 4] = 3;
        }
        assert_eq!(name_in(&two), None);
    }
}
