//! Help, completions, and refusals.

use super::support::Program;
use std::process::Command;

#[tokio::test]
async fn every_command_has_help_with_examples() {
    for words in [
        &["--help"] as &[&str],
        &["demo", "--help"],
        &["bench", "--help"],
        &["broker", "--help"],
        &["ingest", "--help"],
        &["agent", "--help"],
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
    for words in [["agent", "run"], ["agent", "status"], ["agent", "validate"], ["ingest", "healthcheck"]] {
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
        &["demo", "--rate", "0"],
        &["nonsense"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fogline")).args(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: "), "{words:?}: {output:?}");
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
