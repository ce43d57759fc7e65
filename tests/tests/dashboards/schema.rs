//! The boards, by the schema of `@grafana/schema`.

use crate::grafana;
use fogline_tests::real::service;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is needed for it, with its versions.
const FILES: [&str; 3] = ["package.json", "schema.ts", "check.mjs"];

#[test]
fn every_dashboard_fits_grafana_s_schema() {
    let (Some(npm), Some(node)) = (service("npm"), service("node")) else { return };
    let Some(folder) = installed(&npm) else { return };
    let check = |boards: &Path| run(Command::new(&node).arg("check.mjs").arg(boards).current_dir(&folder));
    let (fits, said) = check(&grafana().join("dashboards"));
    assert!(fits, "{said}");
    assert!(said.contains("8 boards"), "{said}");

    // It would find what is wrong.
    let wrong = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(grafana().join("dashboards/fleet.json")).unwrap();
    for (right, bad) in [
        ("\"schemaVersion\": 41", "\"schemaVersion\": \"41\""),
        ("\"spanNulls\"", "\"spanNull\""),
        ("\"cellHeight\": \"sm\"", "\"cellHeight\": \"small\""),
    ] {
        assert!(text.contains(right), "{right}");
        std::fs::write(wrong.path().join("fleet.json"), text.replace(right, bad)).unwrap();
        let (fits, said) = check(wrong.path());
        assert!(!fits, "{bad} is taken: {said}");
    }
}

/// A folder with the packages, kept for the next run. None, with a word, where they are not there and cannot be had.
fn installed(npm: &Path) -> Option<PathBuf> {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("dashboards-schema");
    std::fs::create_dir_all(&folder).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards");
    for file in FILES {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline"];
    let (done, said) = run(Command::new(npm).args(args).current_dir(&folder));
    if done {
        return Some(folder);
    }
    let required = std::env::var("FOGLINE_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
    assert!(!required, "npm cannot install (FOGLINE_REQUIRE_SERVICES=1): {said}");
    eprintln!("skipped: npm cannot install what knows the schema");
    None
}

/// Whether it succeeded, and what it said.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}
