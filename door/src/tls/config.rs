//! Which files, and whether clients show certificates.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Whether a client is asked for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// No client is asked.
    #[default]
    NotAsked,
    /// A client may show none; one that it shows must be good.
    Optional,
    /// A client without a good one is refused in the handshake.
    Required,
}

/// The files of a server's TLS. All are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The server's certificate, then the ones that lead to its CA.
    pub certificate: PathBuf,
    /// Its private key: PKCS #8, PKCS #1 or SEC1, not encrypted.
    pub key: PathBuf,
    /// The CAs of clients' certificates, one or more. Needed as soon as clients are asked.
    pub client_ca: Option<PathBuf>,
    /// Lists of revoked certificates, one or more. If given, each CA of `client_ca` must have one: a CA without a list
    /// could revoke nobody, and its clients are refused (RFC 5280, section 6.3: a status that cannot be determined). A
    /// list whose next update is overdue stays in force, with a warning: refusing everybody would be worse.
    pub crl: Option<PathBuf>,
    /// Whether clients are asked for certificates.
    pub client_certificates: ClientCertificates,
}

impl TlsConfig {
    /// A server that asks no client for a certificate.
    #[must_use]
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            client_ca: None,
            crl: None,
            client_certificates: ClientCertificates::NotAsked,
        }
    }

    /// The files, in a fixed order.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref(), self.crl.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }
}
