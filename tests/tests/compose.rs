//! The container stack, as far as it can be checked without running it: both compose files are valid, demand their secrets,
//! publish on loopback only, and start our programs with flags that they know.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MAIN: &str = "docker-compose.yml";
const MOSQUITTO: &str = "mosquitto-compat/docker-compose.mosquitto.yml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The variables of `.env.example`, which has a value for none.
fn secrets() -> Vec<String> {
    let example = read(".env.example");
    let lines = example.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.strip_suffix('=').unwrap_or_else(|| panic!("{line} has a value")).to_owned()).collect()
}

/// The stand-alone program or Docker's plugin; `None`, with a word, where neither is installed. Docker is no service that
/// the tests of a machine may require.
fn compose() -> Option<Vec<&'static str>> {
    let programs = [vec!["docker-compose"], vec!["docker", "compose"]];
    let works = |program: &Vec<&str>| {
        let version = Command::new(program[0]).args(&program[1..]).arg("version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = programs.into_iter().find(works);
    if found.is_none() {
        eprintln!("skipped: docker-compose is not installed");
    }
    found
}

/// What compose makes of the files, with these secrets set and no `.env` of the developer's.
fn config(compose: &[&str], files: &[&str], secrets: &[String]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.env");
    std::fs::write(&empty, "").unwrap();
    let mut command = Command::new(compose[0]);
    command.args(&compose[1..]).arg("--env-file").arg(&empty).current_dir(root());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder.path());
    command.envs(secrets.iter().map(|name| (name, "secret")));
    command.args(files.iter().flat_map(|file| ["-f", *file])).arg("config").output().unwrap()
}

#[test]
fn both_stacks_are_valid() {
    let Some(compose) = compose() else { return };
    for files in [&[MAIN][..], &[MAIN, MOSQUITTO]] {
        let output = config(&compose, files, &secrets());
        assert!(output.status.success(), "{files:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let image = if files.len() == 1 { "fogline-broker:local" } else { "fogline-mosquitto:local" };
        assert!(text.contains(image), "{files:?} does not run {image}");
    }
}

#[test]
fn there_are_no_default_passwords() {
    let Some(compose) = compose() else { return };
    let all = secrets();
    assert!(all.len() >= 3);
    for missing in &all {
        let others: Vec<_> = all.iter().filter(|name| *name != missing).cloned().collect();
        let output = config(&compose, &[MAIN], &others);
        assert!(!output.status.success(), "the stack starts without {missing}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(".env.example"), "{stderr}");
    }
}

#[test]
fn ports_are_published_on_loopback_only() {
    let text = read(MAIN) + &read(MOSQUITTO);
    let published: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("ports:")).collect();
    assert!(!published.is_empty());
    for line in published {
        let ports = line.split('[').nth(1).expect("ports in one line").trim_end_matches(']');
        assert!(ports.split(", ").all(|port| port.starts_with("\"127.0.0.1:")), "{line} is open to other machines");
    }
    assert!(!text.contains("network_mode: host"));
}

#[test]
fn the_images_build_without_buildkit() {
    for file in ["Dockerfile", "mosquitto-compat/Dockerfile"] {
        let text = read(file);
        assert!(!text.contains("--mount=") && !text.contains("<<EOF") && !text.contains("# syntax"), "{file}");
        let mut stages = Vec::new();
        for line in text.lines().filter_map(|line| line.strip_prefix("FROM ")) {
            let (image, stage) = line.split_once(" AS ").expect("every stage has a name");
            let pinned = image.split_once(':').is_some_and(|(_, tag)| tag != "latest");
            assert!(stages.contains(&image) || pinned, "{file}: {image} is not pinned");
            stages.push(stage);
        }
        assert!(stages.contains(&"broker") && text.contains("HEALTHCHECK"), "{file}");
    }
    assert!(read("Dockerfile").contains("\nUSER fogline\n"));
}

#[derive(Debug, Parser)]
struct Broker {
    #[command(flatten)]
    args: fogline_broker::BrokerArgs,
}

#[derive(Debug, Parser)]
struct Ingester {
    #[command(flatten)]
    args: fogline_ingest::settings::IngestArgs,
}

#[derive(Debug, Parser)]
struct Agent {
    #[command(subcommand)]
    command: fogline_agent::command::AgentCommand,
}

#[test]
fn our_programs_know_their_flags() {
    let (mut agents, mut others) = (Vec::new(), 0);
    for words in commands(&read(MAIN)) {
        match words[0].as_str() {
            "fogline-broker" => {
                Broker::try_parse_from(&words).unwrap().args.resolve().unwrap();
                others += 1;
            }
            "fogline-ingest" => {
                Ingester::try_parse_from(&words).unwrap().args.resolve().unwrap();
                others += 1;
            }
            "fogline-agent" => {
                let fogline_agent::command::AgentCommand::Run(args) = Agent::try_parse_from(&words).unwrap().command
                else {
                    panic!("{words:?} does not run an agent")
                };
                args.resolve().unwrap();
                agents.push(words.iter().find(|word| word.starts_with("--name=")).cloned().expect("a name"));
            }
            _ => {}
        }
    }
    agents.sort_unstable();
    agents.dedup();
    assert_eq!((others, agents.len()), (2, 5), "a broker, an ingester and five agents of different names: {agents:?}");
}

/// The words of every `command: [...]`, which may span lines.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lists = text.split("command: [").skip(1).map(|rest| rest.split(']').next().unwrap());
    let words = |list: &str| {
        let words = list.split(',').map(|word| word.trim().trim_matches('"').to_owned());
        words.filter(|word| !word.is_empty()).collect()
    };
    lists.map(words).collect()
}
