//! What is done with a folder: begin it, issue, revoke.

use super::authority::{Authority, Signed, hex, hosts, serial};
use super::error::TlsToolError;
use super::folder::{Folder, Role, read, remove, write_certificate, write_key};
use super::hosts::{Host, distinct};
use super::revocation::Revocations;
use fogline_protocol::ids::Name;
use std::path::{Path, PathBuf};

/// What to issue.
#[derive(Debug, Clone)]
pub(super) struct Issue {
    /// A certificate for the broker.
    pub(super) server: bool,
    /// Hosts that it is for, beside those that it was for.
    pub(super) hosts: Vec<Host>,
    pub(super) agents: Vec<Name>,
    pub(super) ingesters: Vec<Name>,
    pub(super) operators: Vec<Name>,
    /// For how long, if the CA lives so long.
    pub(super) days: u32,
}

impl Issue {
    /// The clients.
    fn clients(&self) -> impl Iterator<Item = (Role, &Name)> {
        let of = |role: Role| {
            let names = match role {
                Role::Agent => &self.agents,
                Role::Ingester => &self.ingesters,
                Role::Operator => &self.operators,
            };
            names.iter().map(move |name| (role, name))
        };
        Role::ALL.into_iter().flat_map(of)
    }
}

/// A certificate that was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) whose: Whose,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    pub(super) serial: String,
    /// Seconds since 1970.
    pub(super) not_after: u64,
}

/// Whose certificate.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Authority,
    Server(Vec<Host>),
    Client(Role, Name),
}

/// A folder with its CA.
pub(super) struct Site {
    folder: Folder,
    authority: Authority,
}

impl Site {
    /// Begins: a CA, an empty revocation list, and what is wanted.
    pub(super) fn init(root: &Path, wanted: &Issue, force: bool) -> Result<Vec<Made>, TlsToolError> {
        check_names(wanted)?;
        let folder = Folder::create(root, force)?;
        let (server, server_key) = folder.server();
        remove(&server)?;
        remove(&server_key)?;
        let authority = Authority::create(&folder)?;
        Revocations::default().write(&folder, &authority)?;
        let (certificate, key) = (folder.ca(), folder.ca_key());
        let serial = hex(&serial(&certificate, &read(&certificate)?)?);
        let first = Made { whose: Whose::Authority, certificate, key, serial, not_after: authority.not_after() };
        let others = Self { folder, authority }.issue(wanted, force)?;
        Ok(std::iter::once(first).chain(others).collect())
    }

    /// Goes on with what [`Site::init`] has made.
    pub(super) fn open(root: &Path) -> Result<Self, TlsToolError> {
        let folder = Folder::open(root)?;
        let authority = Authority::open(&folder)?;
        Ok(Self { folder, authority })
    }

    /// Issues what is wanted: all of it, or nothing if one of them may not be.
    pub(super) fn issue(&self, wanted: &Issue, force: bool) -> Result<Vec<Made>, TlsToolError> {
        check_names(wanted)?;
        let server = wanted.server.then(|| self.folder.server());
        let files = wanted.clients().map(|(role, name)| self.folder.client(role, name)).chain(server);
        if let Some((present, _)) = files.into_iter().find(|(certificate, _)| !force && certificate.exists()) {
            return Err(TlsToolError::Exists(present));
        }
        if let Some((_, name)) = wanted.clients().find(|&(role, name)| self.is_another(role, name)) {
            return Err(TlsToolError::Twice(name.to_string()));
        }
        let server = wanted.server.then(|| self.issue_server(wanted));
        let clients = wanted.clients().map(|(role, name)| self.issue_client(role, name, wanted.days));
        server.into_iter().chain(clients).collect()
    }

    /// Revokes all that was ever issued to a client and is not revoked yet, and removes its files, so that nobody hands them
    /// out. Gives the serial numbers.
    pub(super) fn revoke(&self, name: &Name) -> Result<Vec<String>, TlsToolError> {
        let issued = self.folder.all_issued(name)?;
        if issued.is_empty() {
            return Err(TlsToolError::Unknown { name: name.to_string(), dir: self.folder.root().to_owned() });
        }
        let mut list = Revocations::open(&self.folder)?;
        let mut added = Vec::new();
        for path in issued {
            let serial = serial(&path, &read(&path)?)?;
            if list.add(serial.clone()) {
                added.push(hex(&serial));
            }
        }
        if added.is_empty() {
            return Err(TlsToolError::Revoked(name.to_string()));
        }
        list.write(&self.folder, &self.authority)?;
        for role in Role::ALL {
            let (certificate, key) = self.folder.client(role, name);
            remove(&certificate)?;
            remove(&key)?;
        }
        Ok(added)
    }

    fn issue_server(&self, wanted: &Issue) -> Result<Made, TlsToolError> {
        let (certificate, key) = self.folder.server();
        let before = if certificate.exists() { hosts(&certificate, &read(&certificate)?)? } else { Vec::new() };
        let hosts = distinct(before.into_iter().chain(wanted.hosts.iter().cloned()));
        let signed = self.authority.server(&hosts, wanted.days)?;
        write_pair(Whose::Server(hosts), (certificate, key), signed)
    }

    fn issue_client(&self, role: Role, name: &Name, days: u32) -> Result<Made, TlsToolError> {
        let signed = self.authority.client(name, days)?;
        // First of all: what is out must be revocable.
        write_certificate(&self.folder.issued(name, &signed.serial), &signed.certificate)?;
        write_pair(Whose::Client(role, name.clone()), self.folder.client(role, name), signed)
    }

    /// Whether the name is that of a client of another role.
    fn is_another(&self, role: Role, name: &Name) -> bool {
        Role::ALL.into_iter().any(|other| other != role && self.folder.client(other, name).0.exists())
    }
}

/// A reader between the two writes sees a pair that does not match, and comes again.
fn write_pair(whose: Whose, (certificate, key): (PathBuf, PathBuf), signed: Signed) -> Result<Made, TlsToolError> {
    write_key(&key, &signed.key)?;
    write_certificate(&certificate, &signed.certificate)?;
    Ok(Made { whose, certificate, key, serial: signed.serial, not_after: signed.not_after })
}

fn check_names(wanted: &Issue) -> Result<(), TlsToolError> {
    let is_another = |(role, name)| wanted.clients().any(|(other, same)| other != role && same == name);
    let twice = wanted.clients().find(|client| is_another(*client));
    twice.map_or(Ok(()), |(_, name)| Err(TlsToolError::Twice(name.to_string())))
}
