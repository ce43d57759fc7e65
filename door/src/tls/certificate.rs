//! The server's own certificate and key.

use super::config::TlsConfig;
use super::error::TlsError;
use super::file::PemFile;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::path::Path;
use std::time::Duration;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// Long enough to renew a certificate by hand.
const EXPIRY_WARNING: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Certificate and key, checked: they belong together, and the certificate is not over.
pub(super) fn read(config: &TlsConfig, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let file = PemFile::read("the certificate", &config.certificate)?;
    let chain: Vec<CertificateDer<'static>> = file.sections("CERTIFICATE")?;
    check_dates(&file, &chain, &config.certificate)?;
    let key_file = PemFile::read("the key", &config.key)?;
    let key: PrivateKeyDer<'static> = key_file.section("PRIVATE KEY that is not encrypted")?;
    warn_if_open_to_all(&config.key);
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::KeyMismatch { certificate: config.certificate.clone(), key: config.key.clone() }
        }
        other => key_file.unusable(format!(
            "it cannot be used with this certificate ({other}); RSA from 2048 bits, ECDSA P-256 and P-384, and Ed25519 can"
        )),
    })
}

/// Refuses a certificate that is over; warns of one that soon is, or is not yet.
fn check_dates(file: &PemFile<'_>, chain: &[CertificateDer<'_>], path: &Path) -> Result<(), TlsError> {
    let first = chain.first().map(|der| der.as_ref()).unwrap_or_default();
    let (_, certificate) =
        X509Certificate::from_der(first).map_err(|error| file.unusable(format!("it is no certificate: {error}")))?;
    let (validity, now) = (certificate.validity(), ASN1Time::now());
    if validity.not_after < now {
        return Err(TlsError::Expired { certificate: path.to_owned(), since: validity.not_after.to_string() });
    }
    if now < validity.not_before {
        tracing::warn!(certificate = %path.display(), from = %validity.not_before, "the certificate is not valid yet");
    }
    if (validity.not_after - now).is_some_and(|left| left.unsigned_abs() < EXPIRY_WARNING) {
        tracing::warn!(certificate = %path.display(), until = %validity.not_after, "the certificate expires soon: renew it");
    }
    Ok(())
}

/// A key that every user of the machine can read is no secret, but refusing it would end a service that works.
#[cfg(unix)]
fn warn_if_open_to_all(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o007 != 0);
    if open {
        tracing::warn!(key = %path.display(), "every user of this machine can read or write the key: chmod o= it");
    }
}

#[cfg(not(unix))]
fn warn_if_open_to_all(_: &Path) {}
