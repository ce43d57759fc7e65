//! Dates of certificates, and files that are nobody else's business.

use super::finding::Findings;
use crate::figures::date;
use fogline_runtime::link::LinkSecurity;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use x509_parser::pem::Pem;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// Long enough to renew a certificate by hand, with a holiday in between.
const SOON_S: i64 = 21 * 24 * 60 * 60;
/// Bundles of systems have about 200 KiB.
const FILE_BYTES_MAX: u64 = 1 << 20;

const RENEW: &str = "renew it: fogline tls issue, or whoever has made it";

/// The dates of all certificates in a PEM file.
pub(super) fn file(findings: &mut Findings, check: &str, path: &Path) {
    match read(path) {
        Ok(pem) => {
            let certificates = Pem::iter_from_buffer(&pem).filter_map(Result::ok);
            let mut validities = certificates
                .filter_map(|pem| pem.parse_x509().ok().map(|certificate| Validity::of(&certificate)))
                .collect::<Vec<_>>();
            // The one that ends first decides.
            validities.sort_by_key(|validity| validity.until);
            match validities.first() {
                Some(first) => judge(findings, check, *first, ASN1Time::now().timestamp()),
                None => findings.fail(
                    check,
                    format!("{}: no certificate in it", path.display()),
                    "give a PEM file with BEGIN CERTIFICATE in it",
                ),
            }
        }
        Err(error) => findings.fail(check, format!("{}: {error}", path.display()), "give a readable PEM file"),
    }
}

/// The files that a program uses towards its brokers.
pub(super) fn of_link(findings: &mut Findings, security: &LinkSecurity) {
    if let Some(ca) = &security.ca {
        file(findings, "CA of the broker", ca);
    }
    if let Some(own) = &security.certificate {
        file(findings, "own certificate", &own.certificate);
        secret(findings, "own key", &own.key);
    }
}

/// The dates of a certificate that a broker has shown.
pub(super) fn shown(findings: &mut Findings, check: &str, der: &[u8]) {
    if let Ok((_, certificate)) = X509Certificate::from_der(der) {
        judge(findings, check, Validity::of(&certificate), ASN1Time::now().timestamp());
    }
}

/// Who else may read a file that holds a secret.
pub(super) fn secret(findings: &mut Findings, check: &str, path: &Path) {
    let shown = path.display();
    match path.metadata() {
        Err(error) => findings.fail(check, format!("{shown}: {error}"), "give a file that this user may read"),
        Ok(metadata) => {
            let mode = metadata.permissions().mode() & 0o777;
            let finding = format!("{shown}: {mode:o}");
            if mode & 0o007 != 0 {
                let finding = format!("{finding}: every user of this machine may use it");
                findings.warn(check, finding, format!("chmod o= {shown}"));
            } else {
                findings.ok(check, finding);
            }
        }
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// From when to when, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Validity {
    from: i64,
    until: i64,
}

impl Validity {
    fn of(certificate: &X509Certificate<'_>) -> Self {
        let validity = certificate.validity();
        Self { from: validity.not_before.timestamp(), until: validity.not_after.timestamp() }
    }
}

fn judge(findings: &mut Findings, check: &str, validity: Validity, now: i64) {
    let day = |seconds: i64| date(u64::try_from(seconds).unwrap_or(0));
    let until = format!("until {}", day(validity.until));
    if now < validity.from {
        let finding = format!("not valid before {}", day(validity.from));
        findings.fail(check, finding, "set this machine's clock, or wait");
    } else if now > validity.until {
        findings.fail(check, format!("over since {}", day(validity.until)), RENEW);
    } else if validity.until - now < SOON_S {
        let days = (validity.until - now) / 86_400;
        findings.warn(check, format!("{until}: {days} days left"), RENEW);
    } else {
        findings.ok(check, until);
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Outcome;
    use super::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn dates_are_judged() {
        let outcome = |from, until, now| {
            let mut findings = Findings::default();
            judge(&mut findings, "c", Validity { from, until }, now);
            findings.of("c").outcome
        };
        let year = 365 * 86_400;
        assert_eq!(outcome(0, year, 1), Outcome::Ok);
        assert_eq!(outcome(0, year, year - 86_400), Outcome::Warn);
        assert_eq!(outcome(0, year, year + 1), Outcome::Fail);
        assert_eq!(outcome(5, year, 1), Outcome::Fail);
    }

    #[test]
    fn the_first_to_end_of_a_file_decides() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.pem");
        let made = |until| {
            let mut params = CertificateParams::new(vec!["a".to_owned()]).unwrap();
            params.not_after = date_time_ymd(until, 1, 1);
            params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
        };
        std::fs::write(&path, made(2200) + &made(2001)).unwrap();
        let mut findings = Findings::default();
        file(&mut findings, "own", &path);
        assert_eq!(findings.of("own").finding, "over since 2001-01-01");
        std::fs::write(&path, "nothing").unwrap();
        file(&mut findings, "none", &path);
        assert_eq!(findings.of("none").outcome, Outcome::Fail);
    }

    #[test]
    fn a_secret_that_all_can_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "x").unwrap();
        for (mode, expected) in [(0o644, Outcome::Warn), (0o640, Outcome::Ok), (0o600, Outcome::Ok)] {
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let mut findings = Findings::default();
            secret(&mut findings, "token", &path);
            assert_eq!(findings.of("token").outcome, expected);
        }
        let mut findings = Findings::default();
        secret(&mut findings, "token", &folder.path().join("missing"));
        assert_eq!(findings.of("token").outcome, Outcome::Fail);
    }
}
