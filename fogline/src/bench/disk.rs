//! Which file system a folder is on.

use std::path::Path;

/// File systems that write nothing to a disk.
const IN_MEMORY: [&str; 2] = ["tmpfs", "ramfs"];

/// The file system of `folder` if it keeps its files in memory; none where that is not known.
pub(crate) fn in_memory(folder: &Path) -> Option<&'static str> {
    let folder = folder.canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let kind = kind_of(&folder, &mounts)?;
    IN_MEMORY.into_iter().find(|known| *known == kind)
}

/// The kind of the innermost file system that holds `folder`. Of two on the same place the later one is seen.
fn kind_of<'a>(folder: &Path, mounts: &'a str) -> Option<&'a str> {
    let mounts = mounts.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        Some((Path::new(mount.split(' ').nth(4)?), system.split(' ').next()?))
    });
    let holding = mounts.filter(|(place, _)| folder.starts_with(place));
    holding.max_by_key(|(place, _)| place.components().count()).map(|(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
25 22 0:22 / /dev/shm rw,nosuid shared:2 - tmpfs tmpfs rw
30 22 0:40 / /srv/my\\040disk rw - xfs /dev/vdb rw
31 25 0:41 / /dev/shm rw - tmpfs again rw";

    #[test]
    fn the_innermost_file_system_counts() {
        assert_eq!(kind_of(Path::new("/home/user"), MOUNTS), Some("ext4"));
        assert_eq!(kind_of(Path::new("/dev/shm/x"), MOUNTS), Some("tmpfs"));
        assert_eq!(kind_of(Path::new("/dev/shmx"), MOUNTS), Some("ext4"));
        assert_eq!(kind_of(Path::new("relative"), MOUNTS), None);
    }
}
