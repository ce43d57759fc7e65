//! The units in `packaging/systemd`, as systemd's own tools see them.

use fogline_tests::real::service;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Of 10: below 2 systemd calls a unit "OK", and nothing that these programs need raises it above this.
const EXPOSURE_MAX: &str = "1.5";

fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/systemd");
    let units: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|unit| unit.unwrap().path()).collect();
    assert_eq!(units.len(), 4, "{units:?}");
    units
}

/// Status and everything said.
fn analyze(words: &[&str], unit: &Path) -> (bool, String) {
    let output = Command::new("systemd-analyze").args(words).arg(unit).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn systemd_understands_every_line() {
    if service("systemd-analyze").is_none() {
        return;
    }
    for unit in units() {
        let (_, said) = analyze(&["verify", "--man=no"], &unit);
        // The programs themselves are not installed here.
        let complaints: Vec<&str> = said.lines().filter(|line| !line.contains("is not executable")).collect();
        assert!(complaints.is_empty(), "{}: {complaints:#?}", unit.display());
    }
}

#[test]
fn systemd_finds_them_hardened() {
    if service("systemd-analyze").is_none() {
        return;
    }
    let threshold = EXPOSURE_MAX.replace('.', "");
    for unit in units() {
        let (safe, said) = analyze(&["security", "--offline=true", &format!("--threshold={threshold}")], &unit);
        assert!(safe, "{}: {said}", unit.display());
    }
}
