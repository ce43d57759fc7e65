//! Those that share a database take the same agents. A run that takes over ends every other one (its commits are refused), so
//! ingesters of two realms would depose each other for ever; and where they have no region in common they do not hear each other.

use super::StoreError;
use fogline_protocol::realm::Realm;
use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For how long another one may write down what it takes, and how often to look meanwhile.
const PATIENCE: (u32, Duration) = (50, Duration::from_millis(20));

/// Says which agents those take that share the database at `path`, or finds that they take the same. It holds as long as the
/// file that is returned.
///
/// # Errors
/// [`StoreError::OtherRealm`] when others share it that take other agents; [`StoreError::Io`].
pub(crate) fn share_as(path: &Path, realm: &Realm) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".realm");
    let note = PathBuf::from(name);
    let failed = |error: std::io::Error| StoreError::Io { file: note.clone(), detail: error.to_string() };
    let mut held = File::options().create(true).truncate(false).read(true).write(true).open(&note).map_err(failed)?;
    let (tries, pause) = PATIENCE;
    for _ in 0..tries {
        match held.try_lock() {
            Ok(()) => {
                write(&mut held, realm).and_then(|()| held.lock_shared()).map_err(failed)?;
                // On the way from one lock to the other somebody else may have had it.
                return same(held, path, realm).map_err(failed)?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        match held.try_lock_shared() {
            Ok(()) => return same(held, path, realm).map_err(failed)?,
            // It is being written.
            Err(TryLockError::WouldBlock) => std::thread::sleep(pause),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(failed(TryLockError::WouldBlock.into()))
}

fn write(held: &mut File, realm: &Realm) -> std::io::Result<()> {
    held.set_len(0)?;
    held.rewind()?;
    held.write_all(realm.to_string().as_bytes())
}

fn same(mut held: File, path: &Path, realm: &Realm) -> std::io::Result<Result<File, StoreError>> {
    let mut theirs = String::new();
    held.rewind()?;
    held.read_to_string(&mut theirs)?;
    let ours = realm.to_string();
    if theirs == ours {
        return Ok(Ok(held));
    }
    Ok(Err(StoreError::OtherRealm { file: path.to_owned(), theirs, ours }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_share_a_file_take_the_same_agents() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fogline.db");
        let take = |text: &str| share_as(&path, &text.parse().unwrap());
        let first = take("a7,a8").unwrap();
        let second = take("a7,a8").unwrap();
        drop(first);
        let error = take("a7").unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, StoreError::OtherRealm { .. }) && text.contains("a7,a8") && text.contains("--data-dir"),
            "{text}"
        );
        drop(second);
        let _other = take("1/2").unwrap();
        assert!(take("2/2").is_err(), "nobody is left of those before");
    }
}
