//! The files of the repository are those that the program writes.

use crate::grafana;
use fogline::dashboards::files;
use fogline_tests::real::Recipe;

/// Set, the files are written in place of being compared.
const UPDATE: &str = "FOGLINE_UPDATE_DASHBOARDS";

#[test]
fn the_committed_files_are_what_the_code_gives() {
    if std::env::var_os(UPDATE).is_some() {
        assert!(command(&["--out", grafana().to_str().unwrap()]));
    }
    assert!(command(&["--check", "--out", grafana().to_str().unwrap()]), "{UPDATE}=1 writes them");
    let mut found: Vec<_> = crate::dashboards().into_iter().map(|(file, _)| format!("dashboards/{file}")).collect();
    found.push("provisioning/alerting/rules.json".to_owned());
    found.sort_unstable();
    let mut described: Vec<_> = files().into_iter().map(|file| file.path).collect();
    described.sort_unstable();
    assert_eq!(found, described, "a file that no board describes");
}

#[test]
fn a_file_that_differs_or_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    assert!(!command(&["--out", out, "--check"]), "nothing is there");
    assert!(command(&["--out", out]) && command(&["--out", out, "--check"]));
    std::fs::write(folder.path().join("dashboards/road.json"), "{}").unwrap();
    let (status, said) = Recipe::ours("fogline").args(["dashboards", "--check", "--out", out]).run();
    assert_eq!(status.code(), Some(1));
    assert!(said.contains("road.json: is not what this program writes"), "{said}");
    let (status, _) = Recipe::ours("fogline").args(["dashboards", "--out", "/nowhere/at/all"]).run();
    assert_eq!(status.code(), Some(2));
}

fn command(args: &[&str]) -> bool {
    let (status, said) = Recipe::ours("fogline").arg("dashboards").args(args.iter().copied()).run();
    if !status.success() {
        eprintln!("{said}");
    }
    status.success()
}
