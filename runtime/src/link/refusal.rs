//! Why a connection failed, in words that say what to do.

use std::error::Error;
use std::io;

use rumqttc::{ConnectReturnCode, ConnectionError};
use rustls::{AlertDescription, CertificateError};

/// Why a connection failed, for a person.
pub(super) fn explain(error: &ConnectionError) -> String {
    if let ConnectionError::ConnectionRefused(code) = error {
        return refused(*code);
    }
    match tls_error(error) {
        Some(cause) => {
            tls_advice(cause).map_or_else(|| format!("TLS: {cause}"), |advice| format!("TLS: {cause}: {advice}"))
        }
        None => error.to_string(),
    }
}

fn refused(code: ConnectReturnCode) -> String {
    let advice = match code {
        ConnectReturnCode::BadUserNamePassword => "it does not know this user name and password",
        ConnectReturnCode::NotAuthorized => "it does not let this client in: check certificate, user name and password",
        ConnectReturnCode::BadClientId => "it does not accept this client id: is it the user name?",
        _ => return format!("the broker refused the connection: {code:?}"),
    };
    format!("the broker refused the connection: {advice}")
}

/// The TLS error in a chain of errors. An I/O error hides what it carries from the chain.
fn tls_error(error: &ConnectionError) -> Option<&rustls::Error> {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = carried.and_then(|carried| carried.downcast_ref::<rustls::Error>());
        if let Some(found) = found.or_else(|| error.downcast_ref()) {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// What to do about a connection that TLS refused, where that can be told.
#[must_use]
pub fn tls_advice(error: &rustls::Error) -> Option<&'static str> {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::AlertReceived(alert) => of_alert(*alert),
        rustls::Error::InvalidMessage(_) => Some("the answer is no TLS: is this a port for mqtt://?"),
        _ => None,
    }
}

fn of_certificate(error: &CertificateError) -> Option<&'static str> {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Some("the broker's certificate is not from the CA that is trusted here: give its CA file")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Some("the broker's certificate is for another host: connect to the name in it, or make one for this name")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Some("renew the broker's certificate, or set this machine's clock")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Some("set this machine's clock"),
        _ => None,
    }
}

fn of_alert(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateRequired => Some("the broker wants a client certificate, and none was given"),
        AlertDescription::CertificateExpired => Some("renew our certificate"),
        AlertDescription::CertificateRevoked => Some("our certificate is revoked: issue another one"),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::DecryptError
        | AlertDescription::AccessDenied => {
            Some("the broker does not accept our certificate: is it from the CA that it trusts?")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::{StateError, TlsError};

    fn carried(error: rustls::Error) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }

    #[test]
    fn tls_errors_are_found_wherever_they_are_carried() {
        let expired = || rustls::Error::InvalidCertificate(CertificateError::Expired);
        for error in [
            ConnectionError::Tls(TlsError::Io(carried(expired()))),
            ConnectionError::Tls(TlsError::TLS(expired())),
            ConnectionError::Io(carried(expired())),
            ConnectionError::MqttState(StateError::Io(carried(expired()))),
        ] {
            let text = explain(&error);
            assert!(text.contains("renew the broker's certificate"), "{text}");
        }
    }

    #[test]
    fn each_usual_cause_comes_with_advice() {
        let certificate = rustls::Error::InvalidCertificate;
        let alert = rustls::Error::AlertReceived;
        for (error, advice) in [
            (certificate(CertificateError::UnknownIssuer), "give its CA file"),
            (certificate(CertificateError::NotValidForName), "for another host"),
            (certificate(CertificateError::NotValidYet), "clock"),
            (alert(AlertDescription::CertificateRequired), "wants a client certificate"),
            (alert(AlertDescription::CertificateRevoked), "revoked"),
            (alert(AlertDescription::UnknownCA), "does not accept our certificate"),
        ] {
            let text = explain(&ConnectionError::Io(carried(error)));
            assert!(text.contains(advice), "{text}");
        }
    }

    #[test]
    fn refusals_say_what_to_check() {
        let text = explain(&ConnectionError::ConnectionRefused(ConnectReturnCode::BadUserNamePassword));
        assert!(text.contains("user name and password"), "{text}");
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        assert_eq!(explain(&ConnectionError::NetworkTimeout), ConnectionError::NetworkTimeout.to_string());
    }
}
