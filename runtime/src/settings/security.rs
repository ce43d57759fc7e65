//! The settings of brokers' security that two programs share, from what was given to what a link needs.

use crate::link::{BrokerAddress, ClientCertificate, LinkSecurity, TlsFileError, Transport};
use crate::secret::Secret;
use std::ffi::OsString;
use std::path::PathBuf;

/// The settings as they were given. Their names in problems are those of the fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SecuritySettings {
    /// PEM file of the CA that signs brokers' certificates; none: the system's roots.
    pub broker_ca: Option<PathBuf>,
    /// PEM file of the client's certificate.
    pub broker_cert: Option<PathBuf>,
    /// PEM file of its key.
    pub broker_key: Option<PathBuf>,
    /// User name; none: the client's own name, when there is something to prove it with.
    pub user: Option<String>,
    /// File that holds the password or token.
    pub password_file: Option<PathBuf>,
}

impl SecuritySettings {
    /// What a link needs to know. What is wrong is added to `problems`, each with its remedy.
    ///
    /// `name` is the client's own name, `password_variable` the environment variable that may hold the password: for container
    /// platforms that hand secrets over so. There is no flag for it, because everybody on a machine sees flags.
    pub fn check(
        self,
        name: &str,
        brokers: &[BrokerAddress],
        password_variable: &str,
        problems: &mut Vec<String>,
    ) -> LinkSecurity {
        let variable = std::env::var_os(password_variable).map(|value| (password_variable, value));
        self.checked(name, brokers, variable, problems)
    }

    /// The same where no environment variable may hold the password: for one of several connections of a program.
    pub fn check_files(self, name: &str, brokers: &[BrokerAddress], problems: &mut Vec<String>) -> LinkSecurity {
        self.checked(name, brokers, None, problems)
    }

    fn checked(
        self,
        name: &str,
        brokers: &[BrokerAddress],
        variable: Option<(&str, OsString)>,
        problems: &mut Vec<String>,
    ) -> LinkSecurity {
        self.check_use(brokers, problems);
        let password = password(self.password_file, variable, problems);
        let certificate = certificate(self.broker_cert, self.broker_key, problems);
        let has_proof = password.is_some() || certificate.is_some();
        let user = self.user.or_else(|| has_proof.then(|| name.to_owned()));
        let security = LinkSecurity { ca: self.broker_ca, certificate, user, password };
        if brokers.iter().any(|broker| broker.transport == Transport::Tls) {
            problems.extend(security.file_faults().iter().map(|fault| named(fault, &security)));
        }
        security
    }

    /// A file that is never looked at is a mistake: somebody believes to be protected by it.
    fn check_use(&self, brokers: &[BrokerAddress], problems: &mut Vec<String>) {
        if brokers.is_empty() || brokers.iter().any(|broker| broker.transport == Transport::Tls) {
            return;
        }
        for (given, what) in [
            (self.broker_ca.is_some(), "broker_ca"),
            (self.broker_cert.is_some(), "broker_cert"),
            (self.broker_key.is_some(), "broker_key"),
        ] {
            if given {
                problems.push(format!(
                    "{what}: no broker is reached over TLS, give --broker mqtts://HOST:PORT or leave it out"
                ));
            }
        }
    }
}

fn certificate(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    problems: &mut Vec<String>,
) -> Option<ClientCertificate> {
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientCertificate { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            problems.push("broker_key: the certificate's key is missing, give it with --broker-key FILE".to_owned());
            None
        }
        (None, Some(_)) => {
            problems.push("broker_cert: the key's certificate is missing, give it with --broker-cert FILE".to_owned());
            None
        }
    }
}

fn password(file: Option<PathBuf>, variable: Option<(&str, OsString)>, problems: &mut Vec<String>) -> Option<Secret> {
    match (file, variable) {
        (None, None) => None,
        (Some(_), Some((variable, _))) => {
            problems.push(format!("password_file: {variable} is set too, keep one of them"));
            None
        }
        (Some(file), None) => {
            Secret::read(&file).map_err(|error| problems.push(format!("password_file: {error}"))).ok()
        }
        (None, Some((variable, value))) => {
            let Ok(text) = value.into_string() else {
                problems.push(format!("{variable}: not UTF-8, give the password in a file with --password-file"));
                return None;
            };
            Secret::new(text).map_err(|error| problems.push(format!("{variable}: {error}"))).ok()
        }
    }
}

/// A bad file under the name of its setting.
fn named(fault: &TlsFileError, security: &LinkSecurity) -> String {
    let path = match fault {
        TlsFileError::Read { path, .. } | TlsFileError::Certificate { path, .. } | TlsFileError::TooLarge(path) => path,
        TlsFileError::Key { .. } | TlsFileError::Pair { .. } => return format!("broker_key: {fault}"),
        TlsFileError::NoRoots | TlsFileError::Library(_) => return format!("broker_ca: {fault}"),
    };
    let certificate = security.certificate.as_ref();
    let setting = match certificate {
        Some(files) if *path == files.key => "broker_key",
        Some(files) if *path == files.certificate => "broker_cert",
        _ => "broker_ca",
    };
    format!("{setting}: {fault}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    /// A CA file, a certificate, its key, and a password.
    fn folder() -> (TempDir, SecuritySettings) {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["a".to_owned()]).unwrap().self_signed(&key).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.path().join(name), text).unwrap();
            Some(folder.path().join(name))
        };
        let settings = SecuritySettings {
            broker_ca: write("ca.pem", &certificate.pem()),
            broker_cert: write("cert.pem", &certificate.pem()),
            broker_key: write("key.pem", &key.serialize_pem()),
            user: None,
            password_file: write("password", "hunter2\n"),
        };
        (folder, settings)
    }

    fn check(settings: SecuritySettings, brokers: &[&str], variable: Option<&str>) -> (LinkSecurity, Vec<String>) {
        let brokers: Vec<BrokerAddress> = brokers.iter().map(|text| text.parse().unwrap()).collect();
        let variable = variable.map(|value| ("THE_PASSWORD", OsString::from(value)));
        let mut problems = Vec::new();
        let security = settings.checked("lane-1", &brokers, variable, &mut problems);
        (security, problems)
    }

    #[test]
    fn nothing_given_is_nothing_shown() {
        let (security, problems) = check(SecuritySettings::default(), &["localhost"], None);
        assert_eq!((security, problems), (LinkSecurity::default(), Vec::new()));
    }

    #[test]
    fn everything_arrives_and_the_user_is_the_client_itself() {
        let (_folder, settings) = folder();
        let (security, problems) = check(settings.clone(), &["mqtts://localhost"], None);
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!((security.user.as_deref(), security.ca), (Some("lane-1"), settings.broker_ca));
        assert_eq!(security.password.unwrap().expose(), "hunter2");
        assert_eq!(security.certificate.map(|files| files.key), settings.broker_key);
    }

    #[test]
    fn a_name_alone_is_taken_and_a_given_one_goes_before_the_own() {
        let settings = SecuritySettings { user: Some("me".to_owned()), ..SecuritySettings::default() };
        assert_eq!(check(settings.clone(), &["localhost"], None).0.user.as_deref(), Some("me"));
        assert_eq!(check(settings, &["localhost"], Some("x")).0.user.as_deref(), Some("me"));
        assert_eq!(check(SecuritySettings::default(), &["localhost"], Some("x")).0.user.as_deref(), Some("lane-1"));
    }

    #[test]
    fn all_problems_are_reported_together_under_their_names() {
        let (folder, settings) = folder();
        let settings = SecuritySettings {
            broker_ca: Some(folder.path().join("missing")),
            broker_key: settings.broker_cert.clone(),
            ..settings
        };
        let (_, problems) = check(settings, &["mqtts://localhost"], Some("secret"));
        let named: Vec<&str> = problems.iter().filter_map(|problem| Some(problem.split_once(':')?.0)).collect();
        assert_eq!(named, ["password_file", "broker_ca", "broker_key"], "{problems:#?}");
        assert!(!problems.concat().contains("secret") && !problems.concat().contains("hunter2"), "{problems:#?}");
    }

    #[test]
    fn half_a_certificate_is_refused() {
        let (_folder, settings) = folder();
        for (half, missing) in [
            (SecuritySettings { broker_key: None, ..settings.clone() }, "broker_key:"),
            (SecuritySettings { broker_cert: None, ..settings.clone() }, "broker_cert:"),
        ] {
            let (_, problems) = check(half, &["mqtts://localhost"], None);
            assert!(problems.len() == 1 && problems[0].starts_with(missing), "{problems:?}");
        }
    }

    #[test]
    fn files_for_brokers_without_tls_are_refused() {
        let (_folder, settings) = folder();
        let (_, problems) = check(settings.clone(), &["localhost:8883"], None);
        assert_eq!(problems.iter().filter(|problem| problem.contains("mqtts://")).count(), 3, "{problems:?}");
        assert_eq!(check(settings, &["mqtts://localhost", "localhost"], None).1, Vec::<String>::new());
    }

    #[test]
    fn a_bad_password_is_a_problem() {
        let (folder, _) = folder();
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "\n").unwrap();
        let settings = SecuritySettings { password_file: Some(empty), ..SecuritySettings::default() };
        let (_, problems) = check(settings, &["localhost"], None);
        assert!(problems.len() == 1 && problems[0].contains("empty"), "{problems:?}");
        let (_, problems) = check(SecuritySettings::default(), &["localhost"], Some(""));
        assert!(problems.len() == 1 && problems[0].starts_with("THE_PASSWORD: "), "{problems:?}");
    }
}
