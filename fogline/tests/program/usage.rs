//! Help, completions, and refusals.

use super::support::Program;
use std::process::Command;

#[tokio::test]
async fn every_command_has_help_with_examples() {
    for words in [
        &["--help"] as &[&str],
        &["demo", "--help"],
        &["bench", "--help"],
        &["audit", "--help"],
        &["analyst", "--help"],
        &["parking", "--help"],
        &["broker", "--help"],
        &["ingest", "--help"],
        &["agent", "--help"],
        &["doctor", "--help"],
        &["token", "--help"],
        &["tls", "--help"],
        &["top", "--help"],
        &["completions", "--help"],
    ] {
        let (lines, status) = Program::start(words).end().await;
        assert!(status.success(), "{words:?}");
        assert!(lines.iter().any(|line| line == "Examples:"), "{words:?}: {lines:?}");
        assert!(lines.iter().any(|line| line.starts_with("  fogline ")), "{words:?}: {lines:?}");
    }
}

#[tokio::test]
async fn what_the_programs_can_do_has_examples_too() {
    for words in [
        ["agent", "run"],
        ["agent", "status"],
        ["doctor", "agent"],
        ["doctor", "ingest"],
        ["doctor", "broker"],
        ["ingest", "healthcheck"],
        ["parking", "forget"],
        ["analyst", "nodes"],
        ["analyst", "nearest"],
        ["analyst", "latest"],
        ["analyst", "node"],
        ["analyst", "stats"],
        ["analyst", "node-stats"],
        ["tls", "init"],
        ["tls", "issue"],
        ["tls", "revoke"],
    ] {
        let (lines, status) = Program::start(&[&words[..], &["--help"]].concat()).end().await;
        assert!(status.success() && lines.iter().any(|line| line == "Examples:"), "{words:?}: {lines:?}");
    }
}

#[tokio::test]
async fn shells_get_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let (lines, status) = Program::start(&["completions", shell]).end().await;
        assert!(status.success() && lines.iter().any(|line| line.contains("--backlog")), "{shell}");
    }
}

#[test]
fn refusals_are_on_standard_error_and_end_with_2() {
    for words in [
        &["bench", "--agents", "0"] as &[&str],
        &["bench", "--agents", "100", "--rate", "1"],
        &["bench", "--store", "influxdb"],
        &["audit", "--nonsense"],
        &["audit", "--influxdb-bucket", "b"],
        &["audit", "--influxdb-url", "https://influx:8086"],
        &["audit", "--influxdb-url", "http://user:s3cret@influx:8086"],
        &["audit", "--influxdb-url", "http://influx:8086", "--influxdb-token-file", "/no/such"],
        &["analyst", "latest", "0"],
        &["analyst", "--api", "https://gate.example", "nodes"],
        &["analyst", "--api", "http://anna:s3cret@gate.example", "nodes"],
        &["demo", "--rate", "0"],
        &["top", "--api", "gate"],
        &["top"],
        &["nonsense"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fogline")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: "), "{words:?}: {output:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cret"), "{words:?}: {output:?}");
    }
}

#[test]
fn a_data_directory_that_cannot_be_made_is_a_failure_that_names_it() {
    for words in [["demo", "--data-dir", "/dev/null/x"], ["bench", "--data-dir", "/dev/null/x"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_fogline")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("/dev/null/x"), "{output:?}");
    }
}

#[test]
fn a_token_is_printed_once_and_only_its_digest_kept() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
        let output = command.arg("token").args(words).arg("--tokens").arg(&tokens).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, token) = run(&["add", "grafana", "--role", "viewer"]);
    assert_eq!((code, token.lines().count()), (Some(0), 1), "{token}");
    assert!(!std::fs::read_to_string(&tokens).unwrap().contains(token.trim()));
    assert_eq!(run(&["add", "grafana", "--role", "viewer"]), (Some(1), String::new()));
    assert_eq!(run(&["list"]), (Some(0), "grafana viewer\n".to_owned()));
    assert_eq!(run(&["remove", "grafana"]), (Some(0), String::new()));
    assert_eq!(run(&["list"]), (Some(0), String::new()));
}
