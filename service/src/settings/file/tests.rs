use super::super::testing::Sample;
use super::*;

fn read(text: &str) -> (Sample, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.toml");
    std::fs::write(&path, text).unwrap();
    let mut file = SettingsFile::<Sample>::read(Some(&path));
    let settings = std::mem::take(&mut file.settings);
    let checked = file.check(&Sample::default(), Vec::new());
    let place = format!("{}/", folder.path().display());
    (
        settings,
        checked.err().map_or_else(Vec::new, |error| error.problems().iter().map(|p| p.replace(&place, "")).collect()),
    )
}

#[test]
fn every_bad_key_is_reported_with_its_line_and_the_good_ones_are_kept() {
    let (settings, problems) = read("port = -1\n# a comment\nnmae = 'x'\nname = 'y'\ncolour = 1\n");
    assert_eq!(settings, Sample { name: Some("y".into()), ..Sample::default() });
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(problems[0].starts_with("sample.toml:1: port: invalid value") && problems[0].contains("Where it listens"));
    assert_eq!(problems[1], "sample.toml:3: nmae: there is no such key; did you mean name?");
    assert!(problems[2].starts_with("sample.toml:5: colour: there is no such key; take it out"), "{problems:#?}");
}

#[test]
fn what_is_no_toml_does_not_hide_the_rest() {
    let (settings, problems) = read("name = 'y'\nport = \npeers = 7\nname = 'again'\n");
    assert_eq!(settings.name.as_deref(), Some("y"));
    let lines: Vec<&str> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["sample.toml:2", "sample.toml:3", "sample.toml:4"], "{problems:#?}");
}

#[test]
fn tables_have_lines_too() {
    let (_, problems) = read("name = 'y'\n\n[[probes]]\nkind = 'disk'\nevry = 3\n");
    assert_eq!(problems, ["sample.toml:5: evry: there is no such key; did you mean every?"]);
}

#[test]
fn problems_of_values_are_found_in_the_file_unless_a_flag_goes_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.toml");
    std::fs::write(&path, "\nport = 1\npeers = ['x']\n").unwrap();
    let problems = |flags: &Sample| {
        let others = vec!["port: too small".to_owned(), "peer: x: unknown".to_owned(), "name: missing".to_owned()];
        let error = SettingsFile::<Sample>::read(Some(&path)).check(flags, others).unwrap_err();
        error.problems().to_vec()
    };
    let shown = path.display();
    let in_file =
        [format!("{shown}:2: port: too small"), format!("{shown}:3: peer: x: unknown"), "name: missing".into()];
    assert_eq!(problems(&Sample::default()), in_file);
    let flags = Sample { port: Some(0), ..Sample::default() };
    assert_eq!(problems(&flags)[1], "port: too small");
}

#[test]
fn problems_of_tables_are_found_by_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.toml");
    std::fs::write(&path, "[[probes]]\nkind = 'disk'\n\n[[probes]]\nkind = 'x'\nevery = 3\n").unwrap();
    let others = ["probes[1].every: too short", "probes[1].unit: missing", "probes[0].kind: unknown", "probes: 2"];
    let others = others.map(str::to_owned).to_vec();
    let error = SettingsFile::<Sample>::read(Some(&path)).check(&Sample::default(), others).unwrap_err();
    let shown = path.display().to_string();
    let places: Vec<&str> = error
        .problems()
        .iter()
        .map(|problem| problem.strip_prefix(&shown).unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(places, [":1:", ":2:", ":4:", ":6:"], "{error}");
}

#[test]
fn a_file_that_is_not_there_says_what_to_do() {
    let file = SettingsFile::<Sample>::read(Some(Path::new("/no/such/file.toml")));
    let error = file.check(&Sample::default(), Vec::new()).unwrap_err();
    assert!(error.problems()[0].starts_with("/no/such/file.toml: ") && error.problems()[0].contains("--config"));
}
