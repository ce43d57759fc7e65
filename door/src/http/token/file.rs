//! The file of tokens: one line for each, `NAME ROLE SHA256`; empty lines and lines with `#` first are for people.
//!
//! It holds nothing that gives access: from the digest of 256 random bits nobody comes back to them. Who can *write* it
//! gives himself access.

use super::{Caller, Entry, NewToken, Role, is_name};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Most tokens of a file: each request is compared with all.
const TOKENS_MAX: usize = 256;
/// That many tokens have some 40 KiB; the rest is for remarks.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The first lines of a new file.
const HEAD: &str = "# Tokens of HTTP: NAME ROLE SHA256. Made and removed with `fogline token`.\n";

/// What is wrong with a file of tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It cannot be read: make it with the first token, or let this program's user read it.
    #[error(
        "the file of tokens {}: {source}; make the first with `fogline token add NAME --role viewer --tokens FILE`, and let this \
         program's user read the file", path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is larger than any file of tokens, or has more tokens.
    #[error("the file of tokens {}: more than {TOKENS_MAX} tokens or {FILE_BYTES_MAX} bytes; remove some", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A line is none.
    #[error("the file of tokens {}, line {line}: {fault}; correct the line or remove it", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// Two lines have the same name.
    #[error("the file of tokens {}: {name} is there twice; remove one of them", path.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// The name cannot be one.
    #[error("{0:?} is no name: use 1 to 63 of a-z, 0-9, - and _, the first a letter or digit")]
    Name(String),
    /// There is a token of this name: remove it first, or choose another name.
    #[error("the file of tokens {}: {name} is there already; remove it first, or choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// There is no token of this name.
    #[error("the file of tokens {}: there is no {name}; see `fogline token list`", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// It cannot be written.
    #[error("the file of tokens {}: cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Somebody else writes it, or a command ended before it was done.
    #[error("{} is there: another command writes the tokens now, or one ended early; then remove that file", .0.display())]
    Busy(PathBuf),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a token")]
    NoRandomness,
}

/// Makes a token, and adds it to the file, which is made when there is none. Servers take it within seconds.
///
/// # Errors
/// When the name cannot be one or is there, the file is wrong, or cannot be written.
pub fn add(path: &Path, name: &str, role: Role) -> Result<NewToken, TokenFileError> {
    if !is_name(name) {
        return Err(TokenFileError::Name(name.to_owned()));
    }
    let token = NewToken::generate().ok_or(TokenFileError::NoRandomness)?;
    rewrite(path, |text| {
        let mut text = text.unwrap_or_else(|| HEAD.to_owned());
        let entries = parse(path, &text)?;
        if entries.iter().any(|entry| entry.caller.name == name) {
            return Err(TokenFileError::Exists { path: path.to_owned(), name: name.to_owned() });
        }
        if entries.len() >= TOKENS_MAX {
            return Err(TokenFileError::TooLarge { path: path.to_owned() });
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(format!("{text}{}\n", Entry::new(name, role, &token)))
    })?;
    Ok(token)
}

/// Removes the token of a name. Servers refuse it within seconds.
///
/// # Errors
/// When there is none, the file is wrong, or cannot be written.
pub fn remove(path: &Path, name: &str) -> Result<(), TokenFileError> {
    rewrite(path, |text| {
        let text = text.ok_or_else(|| unreadable(path, io::ErrorKind::NotFound.into()))?;
        let entries = parse(path, &text)?;
        if !entries.iter().any(|entry| entry.caller.name == name) {
            return Err(TokenFileError::Unknown { path: path.to_owned(), name: name.to_owned() });
        }
        let others = text.split_inclusive('\n').filter(|line| line.split_ascii_whitespace().next() != Some(name));
        Ok(others.collect())
    })
}

/// Names and roles, in the order of the file.
///
/// # Errors
/// When the file is wrong or cannot be read.
pub fn list(path: &Path) -> Result<Vec<Caller>, TokenFileError> {
    Ok(load(path)?.into_iter().map(|entry| entry.caller).collect())
}

/// What the file holds.
pub(in crate::http) fn load(path: &Path) -> Result<Vec<Entry>, TokenFileError> {
    parse(path, &read(path)?)
}

fn read(path: &Path) -> Result<String, TokenFileError> {
    let mut text = String::new();
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|source| unreadable(path, source))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
        return Err(TokenFileError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

fn unreadable(path: &Path, source: io::Error) -> TokenFileError {
    TokenFileError::Read { path: path.to_owned(), source }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Entry>, TokenFileError> {
    let mut entries: Vec<Entry> = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let content = content.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        // The line is not repeated: somebody may have put the token itself there.
        let entry: Entry =
            content.parse().map_err(|fault| TokenFileError::Line { path: path.to_owned(), line, fault })?;
        if entries.iter().any(|other| other.caller.name == entry.caller.name) {
            return Err(TokenFileError::Twice { path: path.to_owned(), name: entry.caller.name });
        }
        entries.push(entry);
        if entries.len() > TOKENS_MAX {
            return Err(TokenFileError::TooLarge { path: path.to_owned() });
        }
    }
    Ok(entries)
}

/// Replaces the file in one step by what `change` makes of its text; none when there is no file. One at a time: the new
/// file is beside the old one while it is written, and can be made only once.
fn rewrite(
    path: &Path,
    change: impl FnOnce(Option<String>) -> Result<String, TokenFileError>,
) -> Result<(), TokenFileError> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let file = OpenOptions::new().write(true).create_new(true).open(&new).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => TokenFileError::Busy(new.clone()),
        _ => TokenFileError::Write { path: path.to_owned(), source },
    })?;
    let replaced = read_if_there(path).and_then(change).and_then(|text| {
        put(file, &text, &new, path).map_err(|source| TokenFileError::Write { path: path.to_owned(), source })
    });
    if replaced.is_err() {
        // Ours, and of no use: the next command would find it busy.
        fs::remove_file(&new).ok();
    }
    replaced
}

fn read_if_there(path: &Path) -> Result<Option<String>, TokenFileError> {
    match read(path) {
        Ok(text) => Ok(Some(text)),
        Err(TokenFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn put(mut file: File, text: &str, new: &Path, path: &Path) -> io::Result<()> {
    file.write_all(text.as_bytes())?;
    keep_access(&file, path)?;
    file.sync_all()?;
    fs::rename(new, path)
}

/// Who could read and write the file still can: an administrator adds tokens to the file of a service's user.
#[cfg(unix)]
fn keep_access(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let Ok(old) = fs::metadata(path) else { return Ok(()) };
    let own = file.metadata()?;
    if (own.uid(), own.gid()) != (old.uid(), old.gid()) {
        fchown(file, Some(old.uid()), Some(old.gid()))?;
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn keep_access(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}
