//! Tables of sources that are accepted, and everything that is told about those that are not.

use super::TYPES;
use crate::settings::{AgentArgs, AgentConfig, Settings};
use fogline_service::settings::{SettingsFile, print};
use std::time::Duration;

fn resolve(text: &str) -> Result<AgentConfig, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    let args = AgentArgs { config: Some(path.clone()), ..AgentArgs::default() };
    // The line of each is asked for elsewhere, and their order here is that of lines.
    let place = format!("{}:", path.display());
    let without = |problem: &String| {
        let located = problem.strip_prefix(&place).and_then(|rest| rest.split_once(": "));
        located.map_or_else(|| problem.clone(), |(_, problem)| problem.to_owned())
    };
    args.resolve().map_err(|error| error.problems().iter().map(without).collect())
}

#[test]
fn several_sources_stand_beside_the_flat_one() {
    let config = resolve(
        "source = 'simulate'\nkind = 'weather'\n\
         [[sources]]\ntype = 'simulate'\nkind = 'road'\nrate = 5\nevery = '2s'\n\
         [[sources]]\ntype = 'system'\nname = 'host'\nevery = '30s'\n\
         [[sources]]\ntype = 'exec'\ncommand = 'cat /proc/loadavg'\nevery = '1m'\nwindow = '10m'\nfields.value.unit = '°F'\nfields.value_c.unit = '°F'\n",
    );
    assert!(
        config.unwrap_err()[0]
            .starts_with("sources[2].fields.value.unit: the name of the field value does not say its unit")
    );
    let config = resolve(
        "source = 'simulate'\nkind = 'weather'\n\
         [[sources]]\ntype = 'simulate'\nkind = 'road'\nrate = 5\nevery = '2s'\n\
         [[sources]]\ntype = 'system'\nname = 'host'\nevery = '30s'\n\
         [[sources]]\ntype = 'exec'\ncommand = 'cat /proc/loadavg'\nevery = '1m'\nwindow = '10m'\n",
    )
    .unwrap();
    let names: Vec<&str> = config.sources.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["simulate-2", "host", "exec"]);
    assert_eq!(config.source.type_name(), "simulate");
    assert_eq!(config.sources[0].shape.every, Some(Duration::from_secs(2)));
    assert_eq!((config.sources[2].shape.every, config.sources[2].shape.window), (None, Some(Duration::from_secs(600))));
}

#[test]
fn everything_that_is_wrong_is_told_at_once_by_its_path() {
    let problems = resolve(
        "name = 'UP'\n\
         [[sources]]\ntype = 'exec'\ntimeout = 'soon'\nwindow = '1ms'\ndeadband = 'x'\n\
         [[sources]]\ntype = 'simulate'\nkind = 'rain'\nrate = 0.01\nfile = 'x.csv'\nnoise = 1\n\
         [[sources]]\ntype = 'toaster'\n\
         [[sources]]\nname = 'x'\n\
         [[sources]]\ntype = 'system'\nname = 'Bad Name'\n\
         [[sources]]\ntype = 'csv'\nfile = 'x.csv'\nwindow = '5s'\n\
         [[sources]]\ntype = 'stdin'\n[[sources]]\ntype = 'stdin'\n",
    )
    .unwrap_err();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    // In the order of the lines that they are said of: a missing key is one of the table's first line, as is what is said of all tables.
    let expected = [
        "name",
        "sources[0].command",
        "sources[0].every",
        "sources",
        "sources[0].timeout",
        "sources[0].window",
        "sources[0].deadband",
        "sources[1].kind",
        "sources[1].rate",
        "sources[1].file",
        "sources[1].noise",
        "sources[2].type",
        "sources[3].type",
        "sources[4].name",
        "sources[5].window",
    ];
    assert_eq!(keys, expected, "{problems:#?}");
}

/// Every example of the page, with the files that it names.
#[test]
fn the_examples_of_the_documentation_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("home-password"), "s3cret\n").unwrap();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sources.md")).unwrap();
    let page = page.replace("/etc/fogline", &folder.path().display().to_string());
    let mut types = std::collections::BTreeSet::new();
    for example in page.split("```toml\n").skip(1) {
        let text = example.split("```").next().unwrap();
        let config = resolve(text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"));
        types.extend(config.sources.iter().map(|entry| entry.config.type_name()));
    }
    assert!(TYPES.iter().all(|name| types.contains(name)), "{types:?}");
}

#[test]
fn what_is_printed_is_the_same_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(
        &path,
        "source = 'simulate'\n[[sources]]\ntype = 'mqtt'\npreset = 'shelly'\n[[sources.topics]]\ntopic = 'a/+'\n\
         fields.t_c = { from = '$.t', scale = 0.5 }\n[[sources]]\ntype = 'system'\nwindow = '1m'\n",
    )
    .unwrap();
    let given = || AgentArgs { config: Some(path.clone()), ..AgentArgs::default() };
    let before = given().resolve().unwrap();
    let printed = print(&SettingsFile::<Settings>::read(Some(&path)).settings);
    std::fs::write(&path, &printed).unwrap();
    let after = given().resolve().unwrap_or_else(|error| panic!("{printed}\n{error}"));
    assert_eq!(format!("{:?}", after.sources), format!("{:?}", before.sources), "{printed}");
    assert_eq!(after.source.type_name(), "simulate");
}

#[test]
fn no_source_and_tables_contradict_each_other() {
    let problems = resolve("source = 'none'\n[[sources]]\ntype = 'system'\n").unwrap_err();
    assert!(problems[0].starts_with("source: none, and there are tables"), "{problems:?}");
    let problems = resolve("rate = 5\n[[sources]]\ntype = 'system'\n").unwrap_err();
    assert!(problems[0].starts_with("rate: not for this source"), "{problems:?}");
}
