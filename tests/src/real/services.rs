//! Servers and tools that come from the system's packages.

use std::path::PathBuf;

/// Where servers are, whatever the search path says.
const FOLDERS: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];

/// The program called `name`. Where there is none it says so and gives none, so that the test can end; with
/// `FOGLINE_REQUIRE_SERVICES=1` the test fails.
#[must_use]
pub fn service(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from));
    let found = folders.map(|folder| folder.join(name)).find(|program| program.is_file());
    required(name, found)
}

/// What was `found` of `name`. Where that is nothing it says so, or fails the test, as [`service`] does.
#[must_use]
pub(super) fn required(name: &str, found: Option<PathBuf>) -> Option<PathBuf> {
    if found.is_none() {
        let required = std::env::var("FOGLINE_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
        assert!(!required, "{name} is required (FOGLINE_REQUIRE_SERVICES=1) and not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found
}
