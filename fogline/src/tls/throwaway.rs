//! Certificates for a while, in a folder that goes away.

use super::error::{TlsToolError, io};
use super::folder::write_key;
use super::hosts::of_this_machine;
use super::site::{Issue, Made, Site, Whose};
use fogline_door::tls::{ClientCertificates, TlsConfig};
use fogline_protocol::ids::Name;
use fogline_runtime::link::ClientCertificate;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Longer than anybody lets a demo run.
const DAYS: u32 = 30;

/// A CA for this machine, and what it has signed. The folder is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Throwaway {
    folder: TempDir,
    made: Vec<Made>,
}

impl Throwaway {
    /// Makes it in the folder for temporary files. Only its owner can look into it.
    ///
    /// # Errors
    /// When it cannot be written, or when two clients have one name.
    pub(crate) fn make(agents: Vec<Name>, ingesters: Vec<Name>, operators: Vec<Name>) -> Result<Self, TlsToolError> {
        let place = std::env::temp_dir();
        let folder = tempfile::Builder::new().prefix("fogline-").tempdir_in(&place).map_err(io(&place))?;
        let wanted =
            Issue { server: true, hosts: of_this_machine().collect(), agents, ingesters, operators, days: DAYS };
        let made = Site::init(folder.path(), &wanted, false)?;
        Ok(Self { folder, made })
    }

    /// Everything that was made.
    #[cfg(test)]
    pub(super) fn made(&self) -> &[Made] {
        &self.made
    }

    /// The folder.
    pub(crate) fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The certificate by which all others are known to be good.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// For a broker that lets in who has a certificate, and nobody else.
    pub(crate) fn broker(&self) -> TlsConfig {
        TlsConfig {
            client_ca: Some(self.ca()),
            crl: Some(self.dir().join("crl.pem")),
            client_certificates: ClientCertificates::Required,
            ..TlsConfig::new(self.dir().join("server.pem"), self.dir().join("server-key.pem"))
        }
    }

    /// The certificate of a client; none if it was given none.
    pub(crate) fn client(&self, name: &str) -> Option<ClientCertificate> {
        let is_its = |one: &&Made| matches!(&one.whose, Whose::Client(_, own) if own.as_str() == name);
        let Made { certificate, key, .. } = self.made.iter().find(is_its)?;
        Some(ClientCertificate { certificate: certificate.clone(), key: key.clone() })
    }

    /// Writes one more file, which its owner alone may read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn put(&self, name: &str, text: &str) -> Result<PathBuf, TlsToolError> {
        let path = self.dir().join(name);
        write_key(&path, text)?;
        Ok(path)
    }
}
