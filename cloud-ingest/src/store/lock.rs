//! Who may work on the database beside whom: a lock in a file of its own, because SQLite's own locks must let readers in.

use super::StoreError;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Which other ingesters may have the database open. Those that share it take the lead in turn: the run that took over last
/// may commit, any other one is [deposed](fogline_protocol::store::StoreFault::Deposed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// None.
    #[default]
    Alone,
    /// Those on this machine that say so too.
    OneFile,
}

/// Takes the lock beside the database at `path`. It is held as long as the file that is returned.
pub(super) fn lock(path: &Path, sharing: Sharing) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let lock = PathBuf::from(name);
    let failed = |error: std::io::Error| StoreError::Io { file: lock.clone(), detail: error.to_string() };
    let held = File::options().create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
    let taken = match sharing {
        Sharing::Alone => held.try_lock(),
        Sharing::OneFile => held.try_lock_shared(),
    };
    match (taken, sharing) {
        (Ok(()), _) => Ok(held),
        (Err(TryLockError::WouldBlock), Sharing::Alone) => Err(StoreError::InUse { file: path.to_owned(), lock }),
        (Err(TryLockError::WouldBlock), Sharing::OneFile) => Err(StoreError::NotShared { file: path.to_owned(), lock }),
        (Err(TryLockError::Error(error)), _) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_share_a_file_coexist_and_one_that_does_not_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fogline.db");
        let alone = lock(&path, Sharing::Alone).unwrap();
        assert!(matches!(lock(&path, Sharing::Alone), Err(StoreError::InUse { .. })));
        let error = lock(&path, Sharing::OneFile).unwrap_err();
        assert!(matches!(error, StoreError::NotShared { .. }) && error.to_string().contains("stop"), "{error}");
        drop(alone);
        let first = lock(&path, Sharing::OneFile).unwrap();
        let second = lock(&path, Sharing::OneFile).unwrap();
        drop(first);
        let error = lock(&path, Sharing::Alone).unwrap_err();
        assert!(matches!(error, StoreError::InUse { .. }) && error.to_string().contains("stop"), "{error}");
        drop(second);
        lock(&path, Sharing::Alone).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = lock(&dir.path().join("no/fogline.db"), Sharing::Alone).unwrap_err();
        assert!(error.to_string().contains("fogline.db.lock"), "{error}");
    }
}
