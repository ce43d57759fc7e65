//! The other side, for asking a server of ours.

use super::error::TlsError;
use super::file::PemFile;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// A client that trusts certificates of the CAs in a PEM file, and shows none of its own.
pub(crate) fn trust(ca: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let file = PemFile::read("the CA", ca)?;
    let mut roots = RootCertStore::empty();
    for authority in file.sections::<CertificateDer<'static>>("CERTIFICATE")? {
        roots.add(authority).map_err(|error| file.unusable(format!("one certificate is no CA's: {error}")))?;
    }
    let client = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| file.unusable(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(client))
}
