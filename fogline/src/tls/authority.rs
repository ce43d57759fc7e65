//! The CA: its key, and what it signs.

use super::error::{TlsToolError, broken};
use super::folder::{Folder, read, write_certificate, write_key};
use super::hosts::Host;
use fogline_protocol::ids::Name;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData,
};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::parse_x509_pem;

/// Seconds of a day.
const DAY: u64 = 86_400;
/// The CA is valid for ten years: to replace it means to visit each device.
const CA_DAYS: u32 = 3650;
/// What is made now is valid since yesterday: clocks of devices are slow.
const EARLIER: u64 = DAY;

/// A CA that can sign.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Seconds since 1970.
    not_after: u64,
}

/// What was signed.
pub(super) struct Signed {
    pub(super) certificate: String,
    pub(super) key: String,
    /// In hexadecimal digits.
    pub(super) serial: String,
    /// Seconds since 1970.
    pub(super) not_after: u64,
}

impl Authority {
    /// Makes one and writes it.
    pub(super) fn create(folder: &Folder) -> Result<Self, TlsToolError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        // Two CAs of one name would be taken for one another, and their certificates for broken ones.
        let id = hex(params.key_identifier(&key).get(..4).unwrap_or_default());
        params.distinguished_name = common_name(&format!("Fogline CA {id}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let not_after = now() + u64::from(CA_DAYS) * DAY;
        set_validity(&mut params, not_after);
        let certificate = params.self_signed(&key)?;
        write_key(&folder.ca_key(), &key.serialize_pem())?;
        write_certificate(&folder.ca(), &certificate.pem())?;
        Ok(Self { issuer: Issuer::new(params, key), not_after })
    }

    /// Reads it.
    pub(super) fn open(folder: &Folder) -> Result<Self, TlsToolError> {
        let (path, key_path) = (folder.ca(), folder.ca_key());
        let certificate = read(&path)?;
        let key = KeyPair::from_pem(&read(&key_path)?).map_err(|_| broken(&key_path, "not a private key"))?;
        let not_after = with_certificate(&path, &certificate, |parsed| {
            let same = parsed.public_key().subject_public_key.data == key.der_bytes();
            same.then(|| seconds(parsed.validity().not_after.timestamp()))
        })?;
        let not_after = not_after.ok_or_else(|| broken(&key_path, "not the key of ca.pem"))?;
        if not_after <= now() {
            return Err(TlsToolError::Expired(folder.root().to_owned()));
        }
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|_| broken(&path, "not a CA"))?;
        Ok(Self { issuer, not_after })
    }

    /// A certificate for a broker.
    pub(super) fn server(&self, hosts: &[Host], days: u32) -> Result<Signed, TlsToolError> {
        let mut params = leaf("fogline-broker", ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = hosts.iter().map(Host::alternative_name).collect::<Result<_, _>>()?;
        self.sign(params, days)
    }

    /// A certificate for a client, whose user name is `name`.
    pub(super) fn client(&self, name: &Name, days: u32) -> Result<Signed, TlsToolError> {
        self.sign(leaf(name.as_str(), ExtendedKeyUsagePurpose::ClientAuth), days)
    }

    /// What signs revocation lists.
    pub(super) const fn issuer(&self) -> &Issuer<'static, KeyPair> {
        &self.issuer
    }

    /// The end of the CA, in seconds since 1970.
    pub(super) const fn not_after(&self) -> u64 {
        self.not_after
    }

    fn sign(&self, mut params: CertificateParams, days: u32) -> Result<Signed, TlsToolError> {
        // What outlives its CA is refused then, whatever stands in it.
        let not_after = self.not_after.min(now() + u64::from(days) * DAY);
        set_validity(&mut params, not_after);
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let serial = serial(Path::new("the new certificate"), &certificate)?;
        Ok(Signed { certificate, key: key.serialize_pem(), serial: hex(&serial), not_after })
    }
}

fn leaf(name: &str, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, not_after: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(now() - EARLIER);
    params.not_after = epoch + Duration::from_secs(not_after);
}

/// The serial number of a certificate.
pub(super) fn serial(path: &Path, pem: &str) -> Result<Vec<u8>, TlsToolError> {
    with_certificate(path, pem, |parsed| significant(parsed.raw_serial()).to_vec())
}

/// The hosts that a broker's certificate is for.
pub(super) fn hosts(path: &Path, pem: &str) -> Result<Vec<Host>, TlsToolError> {
    let names = with_certificate(path, pem, |parsed| {
        let extension = parsed.subject_alternative_name().ok().flatten();
        let names = extension.map(|extension| extension.value.general_names.iter().filter_map(host).collect());
        names.unwrap_or_default()
    })?;
    Ok(names)
}

fn host(name: &GeneralName<'_>) -> Option<Host> {
    match name {
        GeneralName::DNSName(name) => name.parse().ok(),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from).ok();
            v4.or_else(|| <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from).ok()).map(Host::Address)
        }
        _ => None,
    }
}

/// Reads a certificate for a moment: what is read borrows from its bytes.
pub(super) fn with_certificate<T>(
    path: &Path,
    pem: &str,
    read: impl FnOnce(&X509Certificate<'_>) -> T,
) -> Result<T, TlsToolError> {
    let (_, pem) = parse_x509_pem(pem.as_bytes()).map_err(|_| broken(path, "not PEM"))?;
    let parsed = pem.parse_x509().map_err(|_| broken(path, "not a certificate"))?;
    Ok(read(&parsed))
}

/// A number without the zeros before it, which only say that it is positive.
pub(super) fn significant(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970. A clock that is unset says a day after the epoch, so that nothing begins before it.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).max(EARLIER)
}

pub(super) fn seconds(timestamp: i64) -> u64 {
    u64::try_from(timestamp).unwrap_or(0)
}
