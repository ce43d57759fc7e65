//! A disk small enough to be filled: a file system in memory, mounted over a folder of the run.

use crate::LabError;
use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// What fills the disk.
const BALLAST: &str = "ballast";
/// Written at once while filling.
const CHUNK_BYTES: usize = 64 * 1024;

/// A mounted small disk. Unmounted when dropped.
#[derive(Debug)]
pub(crate) struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    /// Mounts one of `mib` MiB over `folder`, which is made.
    ///
    /// # Errors
    /// [`LabError::File`] when it cannot be made or mounted.
    pub(crate) fn mount(folder: &Path, mib: u64) -> Result<Self, LabError> {
        std::fs::create_dir_all(folder).map_err(|error| LabError::file(folder, &error))?;
        let options = CString::new(format!("size={mib}m,mode=700")).unwrap_or_default();
        mount("fogline-lab", folder, "tmpfs", MountFlags::NODEV | MountFlags::NOSUID, options.as_c_str())
            .map_err(|error| LabError::file(folder, &format!("no small disk can be mounted: {error}")))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Takes all room but so many bytes.
    ///
    /// # Errors
    /// [`LabError::File`] for anything but a full disk.
    pub(crate) fn fill(&self, left_bytes: u64) -> Result<(), LabError> {
        let path = self.folder.join(BALLAST);
        let failed = |error: std::io::Error| LabError::file(&path, &error);
        let mut ballast = File::options().create(true).append(true).open(&path).map_err(failed)?;
        // In large pieces first, then to the last byte that there is.
        for size in [CHUNK_BYTES, 4096, 1] {
            let chunk = vec![0; size];
            loop {
                match ballast.write(&chunk) {
                    Ok(0) => break,
                    Ok(_) => {}
                    Err(error) if error.raw_os_error() == Some(Errno::NOSPC.raw_os_error()) => break,
                    Err(error) => return Err(failed(error)),
                }
            }
        }
        let kept = ballast.metadata().map_err(failed)?.len().saturating_sub(left_bytes);
        if left_bytes > 0 { ballast.set_len(kept).map_err(failed) } else { Ok(()) }
    }

    /// Gives the room back.
    pub(crate) fn free(&self) {
        // Not there: not filled.
        std::fs::remove_file(self.folder.join(BALLAST)).ok();
    }

    /// Unmounts it, and leaves what was on it in the folder below.
    ///
    /// # Errors
    /// [`LabError::File`] when it cannot be copied.
    pub(crate) fn keep(self) -> Result<(), LabError> {
        self.free();
        let folder = self.folder.clone();
        let failed = |error: std::io::Error| LabError::file(&folder, &error);
        let copy = tempfile::tempdir().map_err(failed)?;
        copy_files(&folder, copy.path()).map_err(failed)?;
        drop(self);
        copy_files(copy.path(), &folder).map_err(failed)
    }
}

/// Copies the files of a folder and of those in it; sockets and the like have nothing to copy.
fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            std::fs::create_dir_all(&target)?;
            copy_files(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Somebody may still look into it: it then goes when they are done.
        if unmount(&self.folder, UnmountFlags::empty()).is_err() {
            unmount(&self.folder, UnmountFlags::DETACH).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_takes_nothing_until_it_is_freed() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: mounting needs root");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("disk");
        let disk = SmallDisk::mount(&place, 1).unwrap();
        disk.fill(0).unwrap();
        let error = std::fs::write(place.join("more"), [0; 100]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        disk.free();
        std::fs::write(place.join("more"), [0; 100]).unwrap();
        drop(disk);
        assert!(!place.join("more").exists());
    }
}
