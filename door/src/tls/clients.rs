//! Whose clients are let in, and who of them no longer is.

use super::config::{ClientCertificates, TlsConfig};
use super::error::TlsError;
use super::file::PemFile;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use std::path::Path;
use std::sync::Arc;
use x509_parser::prelude::{ASN1Time, CertificateRevocationList, FromDer, X509Certificate};

/// What checks the certificates of clients.
pub(super) fn verifier(
    config: &TlsConfig,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let optional = match config.client_certificates {
        ClientCertificates::NotAsked => return Ok(WebPkiClientVerifier::no_client_auth()),
        ClientCertificates::Optional => true,
        ClientCertificates::Required => false,
    };
    let path = config.client_ca.as_deref().ok_or(TlsError::NoClientCa)?;
    let file = PemFile::read("the clients' CA", path)?;
    let authorities: Vec<CertificateDer<'static>> = file.sections("CERTIFICATE")?;
    let lists = match config.crl.as_deref() {
        Some(crl) => lists(crl, &authorities)?,
        None => Vec::new(),
    };
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| file.unusable(format!("one certificate is no CA's: {error}")))?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if !lists.is_empty() {
        builder = builder.with_crls(lists);
    }
    if optional {
        builder = builder.allow_unauthenticated();
    }
    // Only the lists can still be refused here.
    let refused = config.crl.as_deref().unwrap_or(path).to_owned();
    builder.build().map_err(|error| TlsError::Unusable {
        what: "the revocation lists",
        path: refused,
        detail: format!("they cannot be used ({error}); make them anew"),
    })
}

/// The lists of the file, of which each CA has one.
fn lists(
    path: &Path,
    authorities: &[CertificateDer<'_>],
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let file = PemFile::read("the revocation lists", path)?;
    let lists: Vec<CertificateRevocationListDer<'static>> = file.sections("X509 CRL")?;
    let mut issuers = Vec::new();
    for list in &lists {
        let (_, list) = CertificateRevocationList::from_der(list.as_ref())
            .map_err(|error| file.unusable(format!("one is no revocation list ({error}); make it anew")))?;
        warn_if_overdue(path, &list);
        issuers.push(list.issuer().as_raw().to_vec());
    }
    for authority in authorities {
        // What is no certificate is refused as a CA.
        let Ok((_, authority)) = X509Certificate::from_der(authority.as_ref()) else { continue };
        let subject = authority.subject();
        if !issuers.iter().any(|issuer| issuer == subject.as_raw()) {
            return Err(TlsError::NoCrl { crl: path.to_owned(), ca: subject.to_string() });
        }
    }
    Ok(lists)
}

fn warn_if_overdue(path: &Path, list: &CertificateRevocationList<'_>) {
    if list.next_update().is_some_and(|due| due < ASN1Time::now()) {
        let issuer = list.issuer().to_string();
        tracing::warn!(crl = %path.display(), %issuer, "a revocation list is overdue, and stays in force: make a new one");
    }
}
