//! The fault lab, as the program that people start: a short run by a fixed seed, or by `FOGLINE_LAB_SEED`; and what becomes of the
//! lab when it is interrupted, and when there is something to find.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use fogline_lab::{Options, play};
use fogline_tests::real::service;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A run that found a bug leaves its seed here, with the faults that it takes.
const SEED: &str = "4";
/// How long the lab may take to end what it has started.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, built beside this test.
fn fogline() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_tested-fogline"))
}

/// The lab with its temporary files in `folder`.
fn lab(folder: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(fogline());
    command.arg("lab").args(args).env("TMPDIR", folder).env_remove("FOGLINE_LAB_SEED");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Processes with this folder in their command line.
fn processes_in(folder: &Path) -> Vec<String> {
    let words = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let lines = std::fs::read_dir("/proc").unwrap().filter_map(|entry| words(entry.unwrap()));
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(folder.to_str().unwrap())).collect()
}

fn assert_that_nothing_is_left(folder: &Path) {
    assert_eq!(processes_in(folder), [""; 0]);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.is_empty(), "{files:?}");
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap();
    assert!(!mounts.contains(folder.to_str().unwrap()), "{mounts}");
}

#[test]
fn two_minutes_of_faults_lose_nothing() {
    faults_lose_nothing("fogline", "2");
}

#[test]
fn a_minute_of_faults_loses_nothing_through_mosquitto() {
    if service("mosquitto").is_some() {
        faults_lose_nothing("mosquitto", "1");
    }
}

fn faults_lose_nothing(broker: &str, minutes: &str) {
    let folder = tempfile::tempdir().unwrap();
    let seed = std::env::var("FOGLINE_LAB_SEED").unwrap_or_else(|_| SEED.to_owned());
    let args = ["--broker", broker, "--minutes", minutes, "--seed", &seed, "--json"];
    let output = lab(folder.path(), &args).wait_with_output().unwrap();
    let account: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("{error}: {}", String::from_utf8_lossy(&output.stderr));
    });
    // The folder of a bad run is to be looked into.
    if account["good"] != true {
        let kept = folder.keep();
        panic!("seed {seed}, see {}\n{}", kept.display(), serde_json::to_string_pretty(&account).unwrap());
    }
    assert!(output.status.success());
    assert_eq!(account["seed"].to_string(), seed);
    assert!(account["readings"]["accepted"].as_u64().unwrap() > 500, "{account}");
    assert_eq!(account["readings"]["lost"], 0);
    assert!(account["faults"].as_array().unwrap().len() > 3, "{account}");
    assert!(account["decisions"]["applied"].as_u64().unwrap() > 0, "{account}");
    assert_that_nothing_is_left(folder.path());
}

#[test]
fn an_interrupted_lab_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = lab(folder.path(), &["--minutes", "2", "--faults", "pause-agent,disk-full,kill-broker"]);
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    // Something is held, or its disk is full, or it is down.
    assert!(told.any(|line| line.unwrap().contains("SIGSTOP")), "it strikes");
    assert!(!processes_in(folder.path()).is_empty());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "the lab does not end");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(130));
    assert_that_nothing_is_left(folder.path());
}

/// A program that does `first` before it becomes an ingester.
fn with_a_bug(folder: &Path, first: &str) -> PathBuf {
    let path = folder.join("fogline");
    let script = format!("#!/bin/sh\n[ \"$1\" = ingest ] && {{ {first}; }}\nexec '{}' \"$@\"\n", fogline().display());
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_forgets_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let forgets = r#"for word; do [ -f "$word/fogline.db" ] && rm -f "$word"/fogline.db*; done"#;
    let options = Options {
        length: Duration::from_secs(15),
        faults: Some(vec!["kill-ingester".to_owned()]),
        ..Options::new(with_a_bug(folder.path(), forgets), 1)
    };
    let account = play(&options).await.unwrap();
    assert!(!account.good && account.readings.lost > 0, "{account}");
    let kept = account.folder.expect("a bad run is kept");
    assert!(kept.join("logs/ingest-a.log").exists());
    std::fs::remove_dir_all(kept).unwrap();
}
