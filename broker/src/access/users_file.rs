//! Changing the file of users while others read it, and while others change it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::users::{User, Users, name_in};

/// [`MAX_USERS`](super::users) lines with passwords.
pub(crate) const MAX_BYTES: u64 = 32 * 1024 * 1024;

const HEADER: &str =
    "# The users of a Fogline broker: name, role, regions, secret. Changed with `fogline-broker user`.\n";

/// Why the users could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UsersFileError {
    /// The file, or what is needed beside it, cannot be read or written.
    #[error("{path}: {source}; run this as the owner of the file and of its folder", path = path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no file.
    #[error("there is no file {path}: name the right one, or add a user to make it", path = _0.display())]
    Missing(PathBuf),
    /// The file has errors, so it was left as it is.
    #[error("{path} is left as it is, because it has errors: {problems}", path = path.display())]
    Bad {
        /// Which file.
        path: PathBuf,
        /// Lines and remedies.
        problems: String,
    },
    /// There is such a user.
    #[error("there is a user {0} already: remove it first (its connections end), or choose another name")]
    Duplicate(String),
    /// There is no such user.
    #[error("there is no user {0}: see `fogline-broker user list`")]
    Unknown(String),
}

/// The users in the file, which has to be there.
pub(crate) fn read(path: &Path) -> Result<Users, UsersFileError> {
    if fs::exists(path).is_ok_and(|exists| !exists) {
        return Err(UsersFileError::Missing(path.to_owned()));
    }
    parse(path, &text(path)?)
}

/// Adds a line for `user`.
pub(crate) fn add(path: &Path, user: &User) -> Result<(), UsersFileError> {
    change(path, |text, users| {
        if users.get(&user.name).is_some() {
            return Err(UsersFileError::Duplicate(user.name.to_string()));
        }
        let start = if text.is_empty() { HEADER } else { text };
        let end = if start.ends_with('\n') { "" } else { "\n" };
        Ok(format!("{start}{end}{}", user.line()))
    })
}

/// Removes the line of the user called `name`.
pub(crate) fn remove(path: &Path, name: &str) -> Result<(), UsersFileError> {
    change(path, |text, users| {
        if users.get(name).is_none() {
            return Err(UsersFileError::Unknown(name.to_owned()));
        }
        Ok(text.split_inclusive('\n').filter(|line| name_in(line) != Some(name)).collect())
    })
}

/// One change at a time: a lock on a file beside it is held from reading to replacing. The file itself cannot be locked, as
/// the next one would wait for the file that was replaced.
fn change(
    path: &Path,
    edit: impl FnOnce(&str, &Users) -> Result<String, UsersFileError>,
) -> Result<(), UsersFileError> {
    // A link stays a link, and what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let lock_path = with_suffix(&path, ".lock");
    let locked = private().write(true).create(true).truncate(false).open(&lock_path).and_then(|file| {
        file.lock()?;
        Ok(file)
    });
    let _lock = locked.map_err(|source| UsersFileError::Io { path: lock_path, source })?;
    let old = text(&path)?;
    let new = edit(&old, &parse(&path, &old)?)?;
    // What could not be read again would lock everybody out.
    parse(&path, &new)?;
    replace(&path, &new).map_err(|source| UsersFileError::Io { path, source })
}

fn text(path: &Path) -> Result<String, UsersFileError> {
    match read_bounded(path, MAX_BYTES) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        outcome => outcome.map_err(|source| UsersFileError::Io { path: path.to_owned(), source }),
    }
}

/// The text of a file of at most `max` bytes.
pub(crate) fn read_bounded(path: &Path, max: u64) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(max + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length <= max) {
        Ok(text)
    } else {
        Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max} bytes")))
    }
}

fn parse(path: &Path, text: &str) -> Result<Users, UsersFileError> {
    Users::parse(text).map_err(|problems| UsersFileError::Bad { path: path.to_owned(), problems: problems.join("; ") })
}

/// All of the new file or all of the old one, also after a loss of power.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Mode 0600 from the start.
    let mut file = tempfile::Builder::new().prefix(".users-").tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    give_to_its_owner(file.as_file(), path, folder)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// What root changes, or makes in the folder of the broker's own account, that account must be able to read.
#[cfg(unix)]
fn give_to_its_owner(new: &File, path: &Path, folder: &Path) -> io::Result<()> {
    use rustix::fs::{Gid, Uid, fchown};
    use std::os::unix::fs::MetadataExt;

    let own = new.metadata()?;
    let owner = match fs::metadata(path) {
        // Nobody else could give a new file away.
        Err(error) if error.kind() == io::ErrorKind::NotFound && own.uid() == 0 => fs::metadata(folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        outcome => outcome?,
    };
    if (owner.uid(), owner.gid()) == (own.uid(), own.gid()) {
        return Ok(());
    }
    Ok(fchown(new, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())))?)
}

/// Elsewhere the folder's rights are inherited.
#[cfg(not(unix))]
fn give_to_its_owner(_: &File, _: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// Writes a token to a new file, for its owner only.
///
/// # Errors
/// What the system says, also if there is such a file already.
pub(crate) fn write_token(path: &Path, token: &str) -> io::Result<()> {
    let mut file = private().write(true).create_new(true).open(path)?;
    let written = writeln!(file, "{token}").and_then(|()| file.sync_all());
    if written.is_err() {
        fs::remove_file(path)?;
    }
    written
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Role, secret::Secret};

    fn agent(name: &str) -> User {
        User::new(name, Role::Agent, vec!["north".to_owned()], Secret::of_token(name.as_bytes())).unwrap()
    }

    fn names(path: &Path) -> Vec<String> {
        read(path).unwrap().sorted().iter().map(|user| user.name.to_string()).collect()
    }

    #[test]
    fn comments_and_order_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let kept = format!("# mine\n{}\n  # also mine\n", agent("b").line());
        fs::write(&path, kept.trim_end()).unwrap();
        add(&path, &agent("a")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}{}", agent("a").line()));
        remove(&path, "a").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), kept);
    }

    #[test]
    fn duplicates_and_strangers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        add(&path, &agent("a")).unwrap();
        assert!(matches!(add(&path, &agent("a")), Err(UsersFileError::Duplicate(_))));
        assert!(matches!(remove(&path, "b"), Err(UsersFileError::Unknown(_))));
        assert_eq!(names(&path), ["a"]);
    }

    #[test]
    fn a_file_with_errors_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        fs::write(&path, "nonsense\n").unwrap();
        assert!(matches!(add(&path, &agent("a")), Err(UsersFileError::Bad { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "nonsense\n");
    }

    #[test]
    fn many_at_once_lose_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let path = &path;
                scope.spawn(move || (0..8).for_each(|n| add(path, &agent(&format!("a{thread}-{n}"))).unwrap()));
            }
        });
        assert_eq!(names(&path).len(), 32);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it_and_a_link_stays_one() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("users"), folder.path().join("link"));
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&path, &link).unwrap();
        add(&link, &agent("a")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let token = folder.path().join("token");
        write_token(&token, "t").unwrap();
        assert_eq!(fs::metadata(&token).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(write_token(&token, "u").is_err(), "a token is never overwritten");
        assert_eq!(fs::read_to_string(&token).unwrap(), "t\n");
    }

    /// As `/var/lib/fogline-broker` belongs to the account of the service, which is not root.
    #[cfg(unix)]
    #[test]
    fn what_root_makes_belongs_to_whom_the_folder_belongs() {
        use std::os::unix::fs::{MetadataExt, chown};
        let folder = tempfile::tempdir().unwrap();
        let owner = fs::metadata(folder.path()).unwrap().uid();
        let service = if owner == 0 { 61_184 } else { owner };
        chown(folder.path(), Some(service), None).unwrap();
        let path = folder.path().join("users");
        add(&path, &agent("a")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), service, "when it is new");
        add(&path, &agent("b")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().uid(), service, "when it is changed");
    }
}
