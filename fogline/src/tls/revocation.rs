//! The list of what is revoked (a CRL, RFC 5280, 5).

use super::authority::{Authority, now, seconds, significant, with_certificate};
use super::error::{TlsToolError, broken};
use super::folder::{Folder, read, write_certificate};
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use std::time::Duration;
use x509_parser::parse_x509_crl;
use x509_parser::pem::parse_x509_pem;

/// The list, as it is in the folder.
#[derive(Debug, Default)]
pub(super) struct Revocations {
    number: u64,
    revoked: Vec<Revoked>,
}

#[derive(Debug)]
struct Revoked {
    serial: Vec<u8>,
    /// Seconds since 1970.
    since: u64,
}

impl Revocations {
    /// Reads it, and sees that the CA has signed it: a list that somebody has shortened must not be signed again.
    pub(super) fn open(folder: &Folder) -> Result<Self, TlsToolError> {
        let path = folder.revoked();
        let text = read(&path)?;
        let (_, pem) = parse_x509_pem(text.as_bytes()).map_err(|_| broken(&path, "not PEM"))?;
        let (_, list) = parse_x509_crl(&pem.contents).map_err(|_| broken(&path, "not a revocation list"))?;
        let ca = folder.ca();
        with_certificate(&ca, &read(&ca)?, |ca| list.verify_signature(ca.public_key()))?
            .map_err(|_| broken(&path, "not signed by the CA"))?;
        let revoked = list.iter_revoked_certificates().map(|entry| Revoked {
            serial: significant(entry.raw_serial()).to_vec(),
            since: seconds(entry.revocation_date.timestamp()),
        });
        let number = list.crl_number().and_then(|number| number.try_into().ok());
        Ok(Self { number: number.ok_or_else(|| broken(&path, "without a number"))?, revoked: revoked.collect() })
    }

    /// Adds a certificate. False if it is there already.
    pub(super) fn add(&mut self, serial: Vec<u8>) -> bool {
        if self.revoked.iter().any(|revoked| revoked.serial == serial) {
            return false;
        }
        self.revoked.push(Revoked { serial, since: now() });
        true
    }

    /// Signs and writes it.
    ///
    /// It is good for as long as the CA: brokers that mind the end of a list (OpenSSL does) would refuse everybody after it.
    pub(super) fn write(&mut self, folder: &Folder, authority: &Authority) -> Result<(), TlsToolError> {
        self.number = self.number.saturating_add(1);
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let at = |seconds| epoch + Duration::from_secs(seconds);
        let revoked = self.revoked.iter().map(|revoked| RevokedCertParams {
            serial_number: SerialNumber::from_slice(&revoked.serial),
            revocation_time: at(revoked.since),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: at(now()),
            next_update: at(authority.not_after()),
            crl_number: SerialNumber::from(self.number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        write_certificate(&folder.revoked(), &list.signed_by(authority.issuer())?.pem()?)
    }
}
