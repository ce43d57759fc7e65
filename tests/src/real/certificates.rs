//! Certificates, made by `fogline tls`.

use super::program::Recipe;
use std::path::{Path, PathBuf};

/// The folder of a CA: for the agents of the demo, the ingester `ingest-1`, and a broker on this machine.
#[derive(Debug)]
pub struct Certificates {
    folder: PathBuf,
}

impl Certificates {
    /// Makes them in a new folder.
    #[must_use]
    pub fn make(folder: &Path) -> Self {
        let certificates = Self { folder: folder.to_owned() };
        certificates.run("init", &[]);
        certificates
    }

    /// Revokes those of a client, and gives a copy of its files from before.
    #[must_use]
    pub fn revoke_agent(&self, name: &str, copies: &Path) -> [String; 4] {
        let [_, certificate, _, key] = self.flags("agents", name);
        std::fs::create_dir_all(copies).unwrap();
        let (certificate_copy, key_copy) = (copies.join("cert.pem"), copies.join("key.pem"));
        std::fs::copy(certificate, &certificate_copy).unwrap();
        std::fs::copy(key, &key_copy).unwrap();
        self.run("revoke", &[name]);
        let text = |path: PathBuf| path.display().to_string();
        ["--broker-cert".to_owned(), text(certificate_copy), "--broker-key".to_owned(), text(key_copy)]
    }

    /// The flags by which a client shows its certificate.
    #[must_use]
    pub fn flags(&self, role: &str, name: &str) -> [String; 4] {
        let file = |end: &str| self.path(&format!("{role}/{name}{end}")).display().to_string();
        ["--broker-cert".to_owned(), file(".pem"), "--broker-key".to_owned(), file(".key.pem")]
    }

    /// The flags by which a client trusts the CA.
    #[must_use]
    pub fn trust(&self) -> [String; 2] {
        ["--broker-ca".to_owned(), self.path("ca.pem").display().to_string()]
    }

    /// A file of the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn run(&self, command: &str, words: &[&str]) {
        Recipe::ours("fogline").args(["tls", command]).arg(&self.folder).args(words.iter().copied()).succeed();
    }
}
