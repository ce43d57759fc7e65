//! The container stack, as far as it can be checked without running it: the compose file is valid with every profile, demands its
//! secrets, publishes three ports on loopback, keeps each service in its place, and gives our programs settings that they know; the first
//! run makes secrets and logins once. `tests/compose.sh` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

mod images;
mod logins;

use clap::{Args, Command as Flags, Parser};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const MAIN: &str = "docker-compose.yml";
/// What can be switched on, beside what is always there.
const PROFILES: [&str; 6] =
    ["fogline", "fogline,sites", "fogline,load", "mosquitto", "nats", "fogline,sites,load,tools"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

/// The settings of `.env.example` that have no value: the secrets.
fn secrets() -> Vec<String> {
    let example = read(".env.example");
    let lines = example.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.strip_suffix('=')).map(str::to_owned).collect()
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

/// What compose makes of the file, with these secrets set and no `.env` of the developer's.
fn config(compose: &[&str], profiles: &str, secrets: &[String]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.env");
    std::fs::write(&empty, "").unwrap();
    let mut command = Command::new(compose[0]);
    command.args(&compose[1..]).arg("--env-file").arg(&empty).current_dir(root());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", folder.path());
    command.env("COMPOSE_PROFILES", profiles).envs(secrets.iter().map(|name| (name, "secret")));
    command.args(["-f", MAIN, "config"]).output().unwrap()
}

/// What compose prints of each service, a line each, without indentation.
fn services(compose: &[&str], profiles: &str) -> BTreeMap<String, Vec<String>> {
    let output = config(compose, profiles, &secrets());
    assert!(output.status.success(), "{profiles}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut services: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut inside, mut name) = (false, String::new());
    for line in text.lines() {
        let depth = line.len() - line.trim_start().len();
        match depth {
            0 => inside = line == "services:",
            2 if inside && line.ends_with(':') => name = line.trim().trim_end_matches(':').to_owned(),
            _ if inside => services.entry(name.clone()).or_default().push(line.trim().to_owned()),
            _ => {}
        }
    }
    services
}

#[test]
fn the_stack_is_valid_with_every_profile() {
    let Some(compose) = compose() else { return };
    for profiles in PROFILES {
        let services = services(&compose, profiles);
        for name in [
            "setup",
            "broker-ready",
            "ingester",
            "road",
            "weather",
            "power",
            "parking",
            "city-nodes",
            "influxdb",
            "grafana",
        ] {
            assert!(services.contains_key(name), "{profiles}: no {name}");
        }
    }
}

#[test]
fn there_are_no_default_passwords() {
    let Some(compose) = compose() else { return };
    let all = secrets();
    assert!(all.len() >= 4);
    for missing in &all {
        let others: Vec<_> = all.iter().filter(|name| *name != missing).cloned().collect();
        let output = config(&compose, "fogline", &others);
        assert!(!output.status.success(), "the stack starts without {missing}");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("compose/first-run.sh"), "{stderr}");
    }
}

#[test]
fn every_service_is_kept_in_its_place() {
    let Some(compose) = compose() else { return };
    for (name, lines) in services(&compose, "fogline,mosquitto,nats,sites,load,tools") {
        let has = |part: &str| lines.iter().any(|line| line.starts_with(part));
        for part in [
            "read_only: true",
            "cap_drop:",
            "- ALL",
            "- no-new-privileges:true",
            "mem_limit:",
            "pids_limit:",
            "restart:",
        ] {
            assert!(has(part), "{name} has no {part}");
        }
        for part in ["privileged:", "cap_add:", "network_mode: host", "user: root", "user: '0", "pid:", "ipc:"] {
            assert!(!has(part), "{name} has {part}");
        }
        assert!(!lines.iter().any(|line| line.contains("docker.sock")), "{name} rules the machine");
    }
}

#[test]
fn three_ports_are_published_and_on_loopback() {
    let text = read(MAIN);
    let published: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("ports: [\"")).collect();
    let on_loopback = |line: &&&str| line.contains("_BIND:-127.0.0.1}:");
    assert!(published.iter().filter(on_loopback).count() == published.len(), "{published:#?}");
    // A broker of each kind, of which one runs; the control room; Grafana.
    let brokers = published.iter().filter(|line| line.contains("FOGLINE_BROKER_BIND")).count();
    assert_eq!(published.len() - brokers, 2, "{published:#?}");
    let example = read(".env.example");
    assert!(example.contains("FOGLINE_BROKER_BIND=127.0.0.1\n") && example.contains("FOGLINE_WEB_BIND=127.0.0.1\n"));
}

#[derive(Debug, Parser)]
struct Agent {
    #[command(subcommand)]
    command: fogline_agent::command::AgentCommand,
}

#[derive(Debug, Parser)]
struct Ingester {
    #[command(flatten)]
    args: fogline_ingest::settings::IngestArgs,
}

#[test]
fn our_programs_know_their_flags() {
    let Some(compose) = compose() else { return };
    let mut kinds = Vec::new();
    for (name, lines) in services(&compose, "fogline,sites") {
        let words = command(&lines);
        let image = lines.iter().find_map(|line| line.strip_prefix("image: ")).unwrap();
        let with = |program: &str| std::iter::once(program.to_owned()).chain(words.clone());
        match image {
            "fogline-agent:local" => {
                let Agent { command: fogline_agent::command::AgentCommand::Run(args) } =
                    Agent::try_parse_from(with("fogline-agent")).unwrap()
                else {
                    panic!("{name} does not run an agent")
                };
                args.resolve().unwrap();
                kinds.push(name);
            }
            "fogline-ingest:local" => drop(Ingester::try_parse_from(with("fogline-ingest")).unwrap()),
            _ => {}
        }
    }
    assert_eq!(kinds, ["parking", "power", "road", "weather"], "with the city five kinds");
}

/// The words of a service's command, as compose prints them.
fn command(lines: &[String]) -> Vec<String> {
    let after = lines.iter().skip_while(|line| *line != "command:").skip(1);
    let words = after.map_while(|line| line.strip_prefix("- ")).map(|word| word.trim_matches(['\'', '"']).to_owned());
    words.collect()
}

#[test]
fn our_programs_know_their_variables() {
    let healthcheck = |program: Flags| fogline_ingest::command::HealthcheckArgs::augment_args(program);
    let programs = [
        ("FOGLINE_BROKER_", fogline_broker::BrokerArgs::augment_args(Flags::new("broker"))),
        ("FOGLINE_INGEST_", fogline_ingest::settings::IngestArgs::augment_args(Flags::new("ingest"))),
        ("FOGLINE_INGEST_", healthcheck(Flags::new("healthcheck"))),
        ("FOGLINE_AGENT_", fogline_agent::settings::AgentArgs::augment_args(Flags::new("agent"))),
    ];
    let known: Vec<_> = programs
        .iter()
        .flat_map(|(_, program)| program.get_arguments().filter_map(|arg| arg.get_env()?.to_str()))
        .chain(["FOGLINE_INGEST_INFLUXDB_TOKEN", "FOGLINE_AGENT_PASSWORD"])
        .collect();
    let text = read(MAIN);
    let keys = text.lines().filter_map(|line| line.trim().split_once(": ").map(|(key, _)| key));
    let ours: Vec<_> = keys.filter(|key| programs.iter().any(|(prefix, _)| key.starts_with(prefix))).collect();
    assert!(ours.len() > 20, "{ours:?}");
    for key in ours {
        assert!(known.contains(&key), "no program knows {key}");
    }
}
