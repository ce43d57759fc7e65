//! The container stack, as far as it can be checked without running it: the compose file is valid with every profile, demands its
//! secrets, publishes three ports on loopback, keeps each service in its place, and gives our programs settings that they know; the first
//! run makes secrets and logins once. `tests/compose.sh` runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

use clap::{Args, Command as Flags, Parser};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
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

#[test]
fn the_images_build_without_buildkit_and_from_named_versions() {
    let text = read("Dockerfile");
    assert!(!text.contains("--mount=") && !text.contains("<<EOF") && !text.contains("# syntax"));
    let mut stages = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("FROM ")) {
        let (image, stage) = line.split_once(" AS ").expect("every stage has a name");
        let pinned = image == "scratch" || image.split_once(':').is_some_and(|(_, tag)| tag != "latest");
        assert!(stages.contains(&image) || pinned, "{image} is not pinned");
        stages.push(stage);
    }
    for program in ["broker", "ingest", "agent", "fogline", "setup", "load"] {
        assert!(stages.contains(&program), "no image for {program}");
    }
    assert_eq!(text.matches("\nUSER 10001:10001\n").count(), 2, "the two bases of the images have a user");
    for line in read(MAIN).lines().filter_map(|line| line.trim().strip_prefix("image: ")) {
        assert!(line.split_once(':').is_some_and(|(_, tag)| tag != "latest"), "{line} is not pinned");
    }
}

/// Whoever adds a crate to the workspace has to tell the image of it.
#[test]
fn the_image_knows_all_manifests() {
    let (workspace, docker, ignore) = (read("Cargo.toml"), read("Dockerfile"), read(".dockerignore"));
    let members = workspace.lines().find(|line| line.starts_with("members = ")).unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        assert!(docker.contains(&format!("COPY {member}/Cargo.toml {member}/\n")), "{member} is not in Dockerfile");
        assert!(ignore.lines().any(|line| line.trim_start_matches('!').split('/').next() == Some(member)), "{member}");
    }
}

/// Files that a folder holds, at any depth.
fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// A file of another folder that a program holds is asked for by the image too.
#[test]
fn the_image_knows_what_is_compiled_in() {
    let (workspace, docker, ignore) = (read("Cargo.toml"), read("Dockerfile"), read(".dockerignore"));
    let members = workspace.lines().find(|line| line.starts_with("members = ")).unwrap().split('"').skip(1).step_by(2);
    let sources =
        members.filter(|member| *member != "tests").flat_map(|member| all_files(&root().join(member).join("src")));
    let mut found = 0;
    for source in sources.filter(|path| path.extension().is_some_and(|end| end == "rs") && !path.ends_with("tests.rs"))
    {
        let text = std::fs::read_to_string(&source).unwrap();
        for name in text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let file = source.parent().unwrap().join(name).canonicalize().unwrap();
            let file = file.strip_prefix(root().canonicalize().unwrap()).unwrap().to_str().unwrap().to_owned();
            let folder = file.split('/').next().unwrap();
            let whole = docker.contains(&format!("COPY {folder}/ {folder}/\n"));
            assert!(
                whole || docker.contains(&format!("COPY {file} ")),
                "{file} of {} is not in Dockerfile",
                source.display()
            );
            let named = |line: &str| line == format!("!{folder}") || line == format!("!{file}");
            assert!(ignore.lines().any(named), "{file} of {} is left out by .dockerignore", source.display());
            found += 1;
        }
    }
    assert!(found > 0);
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
