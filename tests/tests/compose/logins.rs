//! The first run: secrets and logins are made once, and each service has its own.

use super::{root, secrets};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the step that writes `.env`, in a copy of what it needs.
fn first_run(folder: &Path) -> String {
    std::fs::create_dir_all(folder.join("compose")).unwrap();
    for file in ["compose/first-run.sh", ".env.example"] {
        std::fs::copy(root().join(file), folder.join(file)).unwrap();
    }
    let mut command = Command::new("sh");
    command.arg("compose/first-run.sh").current_dir(folder).env_clear().env("PATH", "/usr/bin:/bin");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(folder.join(".env")).unwrap()
}

#[test]
fn the_first_run_makes_secrets_once() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = first_run(one.path());
    let mode = std::fs::metadata(one.path().join(".env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(first_run(one.path()), first, "the second run changes something");

    let value = |text: &str, name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}=")).map(str::to_owned));
        line.unwrap_or_else(|| panic!("no {name}"))
    };
    let other = first_run(two.path());
    let mut all = Vec::new();
    for name in secrets() {
        let secret = value(&first, &name);
        assert!(secret.trim_start_matches("fogline_").len() == 64, "{name} is no secret of 256 bits");
        all.extend([secret, value(&other, &name)]);
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "a secret is there twice");

    let without: String = first
        .lines()
        .filter(|line| !line.starts_with("FOGLINE_GRAFANA_PASSWORD="))
        .fold(String::new(), |text, line| text + line + "\n");
    std::fs::write(one.path().join(".env"), &without).unwrap();
    let mended = first_run(one.path());
    assert!(mended.starts_with(&without), "what was there has changed");
    assert_eq!(value(&mended, "FOGLINE_GRAFANA_PASSWORD").len(), 64, "what a newer version wants is added");
}

/// Runs the setup service's script on this machine, with these words, on volumes in `site`.
fn setup(site: &Path, words: &[&str]) -> Output {
    let programs = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tested-fogline"), programs.path().join("fogline")).unwrap();
    let path = format!("{}:/usr/bin:/bin", programs.path().display());
    let mut command = Command::new("sh");
    command.arg(root().join("compose/setup/setup.sh")).args(words).env_clear().env("PATH", path);
    command.env("FOGLINE_SITE", site).env("FOGLINE_OPERATOR_TOKEN", "fogline_chosen").output().unwrap()
}

/// Every file below a folder, with what is in it.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn logins_are_made_once_and_each_service_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path();
    let output = setup(site, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = files(site);
    for path in made.keys() {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        let public = path.extension().is_some_and(|kind| kind == "pem") && !path.to_string_lossy().contains("key");
        assert!(public || mode & 0o077 == 0, "{} is open to others: {mode:o}", path.display());
    }
    let keys = |volume: &str| -> Vec<String> {
        let names = made.keys().filter_map(|path| path.strip_prefix(site.join(volume)).ok());
        names.map(|path| path.display().to_string()).filter(|name| name.contains("key")).collect()
    };
    assert_eq!(keys("road"), ["login/client.key.pem"]);
    assert_eq!(keys("broker"), ["server-key.pem"]);
    assert_eq!(keys("nodes").len(), 5);
    assert!(keys("prometheus").is_empty());
    assert_ne!(made[&site.join("road/login/client.key.pem")], made[&site.join("power/login/client.key.pem")]);

    let again = setup(site, &["first-run"]);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert!(files(site) == made, "the second run changes something");
}

#[test]
fn devices_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path();
    assert!(setup(site, &[]).status.success());
    let (users, list) = (site.join("broker/users"), site.join("broker/crl.pem"));
    let (before, revoked) = (std::fs::read_to_string(&users).unwrap(), std::fs::read(&list).unwrap());

    let archive = setup(site, &["add-agent", "stack-test-lane", "a7"]);
    assert!(archive.status.success(), "{}", String::from_utf8_lossy(&archive.stderr));
    let text = String::from_utf8_lossy(&archive.stdout).into_owned();
    for file in ["ca.pem", "client.pem", "client.key.pem"] {
        assert!(text.contains(&format!("stack-test-lane/{file}")), "no {file} in the archive");
    }
    assert!(std::fs::read_to_string(&users).unwrap().contains("stack-test-lane agent a7 "));

    assert!(setup(site, &["revoke", "stack-test-lane"]).status.success());
    assert_eq!(std::fs::read_to_string(&users).unwrap(), before);
    assert_ne!(std::fs::read(&list).unwrap(), revoked);
    assert_eq!(setup(site, &["nonsense"]).status.code(), Some(2));
}
