//! The folder: where what is, and who may read it.
//!
//! ```text
//! ca.pem  ca-key.pem             the CA
//! server.pem  server-key.pem     the broker
//! agents/NAME.pem  NAME.key.pem  an agent; ingesters/ and operators/ likewise
//! crl.pem                        what is revoked
//! issued/NAME.SERIAL.pem         each certificate that a client was ever given, so that all of them can be revoked
//! ```

use super::error::{TlsToolError, broken, io};
use fogline_protocol::ids::Name;
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The folder and all in it are the owner's alone.
const FOLDER_MODE: u32 = 0o700;
const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;

/// Largest file of ours in bytes; a revocation list of ten thousand clients has 400 KiB.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// Whose certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Agent,
    Ingester,
    Operator,
}

impl Role {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Agent, Self::Ingester, Self::Operator];

    const fn folder(self) -> &'static str {
        match self {
            Self::Agent => "agents",
            Self::Ingester => "ingesters",
            Self::Operator => "operators",
        }
    }
}

/// A folder that this process has for itself until it drops this.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    _lock: File,
}

impl Folder {
    /// A folder for a new CA: new, empty, or that of an earlier CA, which only `force` removes.
    pub(super) fn create(root: &Path, force: bool) -> Result<Self, TlsToolError> {
        make_folder(root)?;
        let folder = Self::lock(root)?;
        let ca = folder.ca();
        if ca.exists() {
            if !force {
                return Err(TlsToolError::Exists(ca));
            }
        } else if std::fs::read_dir(root).map_err(io(root))?.next().is_some() {
            return Err(TlsToolError::NotEmpty(root.to_owned()));
        }
        std::fs::set_permissions(root, Permissions::from_mode(FOLDER_MODE)).map_err(io(root))?;
        for path in folder.places() {
            make_folder(&path)?;
            remove_certificates(&path)?;
        }
        Ok(folder)
    }

    /// The folder of a CA.
    pub(super) fn open(root: &Path) -> Result<Self, TlsToolError> {
        let ca = root.join("ca.pem");
        if !ca.exists() {
            return Err(TlsToolError::NoAuthority { path: ca, dir: root.to_owned() });
        }
        let folder = Self::lock(root)?;
        // One that was made before there were certificates for operators has no place for them.
        folder.places().try_for_each(|path| make_folder(&path))?;
        Ok(folder)
    }

    /// Where the certificates of clients are.
    fn places(&self) -> impl Iterator<Item = PathBuf> {
        let names = Role::ALL.map(Role::folder).into_iter().chain(["issued"]);
        names.map(|name| self.root.join(name))
    }

    fn lock(root: &Path) -> Result<Self, TlsToolError> {
        let lock = File::open(root).map_err(io(root))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(TlsToolError::Busy(root.to_owned())),
            Err(error) => Err(io(root)(error.into())),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.root.join("ca.pem")
    }

    pub(super) fn ca_key(&self) -> PathBuf {
        self.root.join("ca-key.pem")
    }

    pub(super) fn revoked(&self) -> PathBuf {
        self.root.join("crl.pem")
    }

    /// Certificate and key of the broker.
    pub(super) fn server(&self) -> (PathBuf, PathBuf) {
        (self.root.join("server.pem"), self.root.join("server-key.pem"))
    }

    /// Certificate and key of a client. Names have no dots, so that no name's certificate is another one's key.
    pub(super) fn client(&self, role: Role, name: &Name) -> (PathBuf, PathBuf) {
        let folder = self.root.join(role.folder());
        (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key.pem")))
    }

    /// The copy of a certificate of a client. Names have no dots.
    pub(super) fn issued(&self, name: &Name, serial: &str) -> PathBuf {
        self.root.join("issued").join(format!("{name}.{serial}.pem"))
    }

    /// The copies of all certificates of a client.
    pub(super) fn all_issued(&self, name: &Name) -> Result<Vec<PathBuf>, TlsToolError> {
        let folder = self.root.join("issued");
        let prefix = format!("{name}.");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(io(&folder))? {
            let entry = entry.map_err(io(&folder))?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// Writes what everybody may know.
pub(super) fn write_certificate(path: &Path, pem: &str) -> Result<(), TlsToolError> {
    write(path, pem, CERTIFICATE_MODE).map_err(io(path))
}

/// Writes what its owner alone may know.
pub(super) fn write_key(path: &Path, pem: &str) -> Result<(), TlsToolError> {
    write(path, pem, KEY_MODE).map_err(io(path))
}

/// All of it or nothing of it is there, whatever happens meanwhile, and at no moment may anybody else read a key.
fn write(path: &Path, pem: &str, mode: u32) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(pem.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

/// A file of ours.
pub(super) fn read(path: &Path) -> Result<String, TlsToolError> {
    if std::fs::metadata(path).map_err(io(path))?.len() > MAX_FILE_BYTES {
        return Err(broken(path, "longer than any file of ours"));
    }
    std::fs::read_to_string(path).map_err(io(path))
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), TlsToolError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io(path)(error)),
        _ => Ok(()),
    }
}

fn make_folder(path: &Path) -> Result<(), TlsToolError> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(io(path))
}

fn remove_certificates(folder: &Path) -> Result<(), TlsToolError> {
    for entry in std::fs::read_dir(folder).map_err(io(folder))? {
        let path = entry.map_err(io(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            remove(&path)?;
        }
    }
    Ok(())
}
