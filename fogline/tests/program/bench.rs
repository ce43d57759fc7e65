//! `fogline bench`.

use super::support::{Program, processes_that_name, until};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

/// Runs a benchmark that must pass, and see to it that nothing is left of it.
async fn bench(words: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let all: Vec<&str> = ["bench", "--json", "--data-dir", path].iter().chain(words).copied().collect();
    let (lines, status) = Program::start(&all).end().await;
    assert_eq!((lines.len(), status.code()), (1, Some(0)), "{lines:?}");
    assert_left_nothing(folder.path());
    serde_json::from_str(&lines[0]).unwrap()
}

fn assert_left_nothing(folder: &Path) {
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "files were left behind");
    assert_eq!(processes_that_name(folder), 0, "processes were left behind");
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_account(report: &Value) {
    let check = &report["check"];
    assert_eq!(check["passed"], true, "{check}");
    assert!(
        number(&check["acknowledged"]) > 0 && number(&check["acknowledged"]) <= number(&check["stored"]),
        "{check}"
    );
    assert_eq!(number(&check["duplicates"]), 0, "{check}");
}

#[tokio::test]
async fn a_steady_rate_arrives_and_is_accounted_for() {
    let report = bench(&["--agents", "2", "--rate", "200", "--seconds", "3"]).await;
    assert_account(&report);
    let steady = &report["steady"];
    assert!((100..=400).contains(&number(&steady["stored_per_s"])), "{steady}");
    let latency = &steady["latency"];
    assert!(number(&latency["count"]) > 0 && number(&latency["p50_us"]) <= number(&latency["p999_us"]), "{latency}");
    let kinds: Vec<(&str, u64)> = report["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|usage| (usage["kind"].as_str().unwrap(), number(&usage["processes"])))
        .collect();
    assert_eq!(kinds, [("broker", 1), ("ingester", 1), ("agent", 2)]);
    assert!(report["processes"].as_array().unwrap().iter().all(|usage| number(&usage["peak_bytes"]) > 0));
}

#[tokio::test]
async fn a_backlog_drains_and_is_accounted_for() {
    let report = bench(&["--backlog", "5000", "--rate", "50"]).await;
    assert_account(&report);
    assert!(number(&report["check"]["acknowledged"]) >= 5000, "{report}");
    assert_eq!(number(&report["drain"]["readings"]), 5000);
    assert!(number(&report["drain"]["latency_new"]["count"]) > 0, "{report}");
}

#[tokio::test]
async fn a_backlog_among_others_shows_both_lanes() {
    let report = bench(&["--backlog", "5000", "--agents", "3", "--rate", "60"]).await;
    assert_account(&report);
    let drain = &report["drain"];
    assert!(number(&drain["latency_new"]["count"]) > 0 && number(&drain["latency_others"]["count"]) > 0, "{drain}");
    assert!(number(&drain["limits"]["decided"]) > 0, "{drain}");
    assert_eq!(number(&drain["limits"]["from_late_readings"]), 0, "{drain}");
}

/// A tenth of the thousand agents would do; so does a twentieth.
#[tokio::test]
async fn an_overload_slows_agents_and_loses_nothing() {
    let report = bench(&["--overload", "--agents", "50", "--rate", "2500", "--seconds", "10"]).await;
    assert_account(&report);
    let overload = &report["overload"];
    assert_eq!(number(&overload["sampled"]), 25_000);
    assert_eq!(number(&report["check"]["stored"]), 25_000, "all of it drained");
    assert!(number(&overload["waiting"]) > 10_000, "most of it waited in the queues: {overload}");
    assert!(number(&overload["stored_per_s"]) > 300, "of 500 that the store takes: {overload}");
    assert_eq!(number(&overload["reconnects"]) + number(&overload["slow_consumers"]), 0, "{overload}");
}

#[tokio::test]
async fn a_storm_is_over_in_time() {
    let report = bench(&["--storm", "--agents", "50", "--seconds", "2"]).await;
    assert_account(&report);
    let storm = &report["storm"];
    assert_eq!(number(&storm["acknowledged"]["count"]), 50);
    assert!(number(&storm["acknowledged"]["max_us"]) < 30_000_000, "{storm}");
    assert!(number(&storm["most_at_once"]) < 50, "they come back at different times: {storm}");
}

#[tokio::test]
async fn a_store_that_forgets_is_accounted_for_by_the_ingester() {
    let report = bench(&["--store", "null", "--agents", "1", "--rate", "100", "--seconds", "1"]).await;
    assert_eq!(report["check"]["passed"], true, "{report}");
    assert!(report["check"]["duplicates"].is_null());
}

#[tokio::test]
async fn takeovers_are_timed_and_everything_is_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let words = ["bench", "--failover", "--rounds", "1", "--agents", "2", "--rate", "60", "--json", "--data-dir", path];
    let (lines, status) = Program::start(&words).end().await;
    assert_left_nothing(folder.path());
    let report: Value = serde_json::from_str(&lines[0]).unwrap();
    let failover = &report["failover"];
    let times = failover["times"].as_array().unwrap();
    let struck: Vec<&str> = times.iter().map(|times| times["strike"].as_str().unwrap()).collect();
    assert_eq!(struck, ["leader killed", "leader stopped in order", "broker killed", "broker and leader killed"]);
    assert!(times.iter().all(|times| number(&times["max_ms"]) > 0 && times["min_ms"] == times["max_ms"]), "{failover}");
    assert_eq!((&failover["passed"], number(&failover["limits"]["went_back"])), (&true.into(), 0), "{failover}");
    assert!(number(&failover["total"]["stored"]) > 0, "{failover}");
    // Whether the goals are met is the machine's matter, and the status must say so.
    let met = times.iter().all(|times| times["met"] == true);
    assert_eq!(status.code(), Some(i32::from(!met)), "{failover}");
}

#[tokio::test]
async fn an_interrupted_benchmark_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let program =
        Program::start(&["bench", "--agents", "3", "--seconds", "600", "--data-dir", folder.path().to_str().unwrap()]);
    // Itself, the ingester and three agents; the broker has no files.
    until("processes", || processes_that_name(folder.path()) == 5).await;
    program.signal(Signal::INT);
    let (lines, status) = program.end().await;
    assert_eq!((lines.len(), status.code()), (0, Some(130)));
    until("no processes", || processes_that_name(folder.path()) == 0).await;
}
