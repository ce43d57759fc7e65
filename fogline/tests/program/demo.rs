//! `fogline demo`.

use super::support::Program;
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

/// Longer than a start, a takeover and a return take on a machine that does much else.
const SECONDS_MAX: usize = 90;

fn number(line: &Value, name: &str) -> u64 {
    line[name].as_u64().unwrap_or_else(|| panic!("{name} in {line}"))
}

/// Runs the demo for a while: the first line, those of each second, and the last one.
async fn demo(data_dir: &Path, seconds: &str) -> (Value, Vec<Value>, Value) {
    let program = Program::demo(&["--for", seconds, "--json", "--data-dir", data_dir.to_str().unwrap()]).await;
    let (lines, status) = program.end().await;
    assert_eq!(status.code(), Some(0), "{lines:?}");
    let mut lines: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (first, last) = (lines.remove(0), lines.pop().unwrap());
    assert_eq!((first["event"].as_str(), last["event"].as_str()), (Some("started"), Some("ended")));
    assert!(lines.iter().all(|line| line["event"] == "second"), "{lines:?}");
    (first, lines, last)
}

#[tokio::test]
async fn it_stores_acknowledges_and_limits_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    // A limit follows when a window of 5 seconds and a second's grace are over.
    let (first, seconds, last) = demo(folder.path(), "9").await;
    let watch = first["watch"].as_str().unwrap();
    assert!(
        watch.starts_with("mosquitto_sub -q 1 -h 127.0.0.1 -p ") && watch.ends_with(" -v -t 'fogline/v1/#'"),
        "{watch}"
    );
    assert!(first["http"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let stored: Vec<u64> = seconds.iter().map(|line| number(line, "stored")).collect();
    assert!(stored.is_sorted() && stored.first() < stored.last(), "{stored:?}");
    for line in seconds.iter().chain([&last]) {
        assert!(number(line, "acknowledged") <= number(line, "stored"), "{line}");
        assert!(number(line, "stored") <= number(line, "readings"), "{line}");
    }
    let limits =
        |line: &Value| line["agents"].as_array().unwrap().iter().filter(|agent| agent["limit_kmh"].is_f64()).count();
    assert_eq!(seconds.iter().map(limits).max(), Some(3), "{seconds:?}");
    assert_eq!(number(&last, "readings"), number(&last, "acknowledged") + number(&last, "queued"), "{last}");

    let (_, seconds, again) = demo(folder.path(), "3").await;
    assert!(number(&seconds[0], "stored") >= number(&last, "stored"), "it begins with what is stored: {seconds:?}");
    assert!(number(&again, "acknowledged") >= number(&last, "readings"), "what was queued was sent: {last} {again}");
}

#[tokio::test]
async fn it_stops_when_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let mut program = Program::demo(&["--json", "--data-dir", folder.path().to_str().unwrap()]).await;
        while program.json().await["event"] != "second" {}
        program.signal(signal);
        let (lines, status) = program.end().await;
        assert_eq!(status.code(), Some(0));
        assert!(lines.last().unwrap().contains("\"event\":\"ended\""), "{lines:?}");
    }
}

#[tokio::test]
async fn without_a_terminal_it_prints_lines() {
    let folder = tempfile::tempdir().unwrap();
    let (lines, status) =
        Program::demo(&["--for", "2", "--data-dir", folder.path().to_str().unwrap()]).await.end().await;
    assert!(status.success());
    assert!(lines[0].starts_with("control    http://127.0.0.1:"), "{lines:?}");
    assert!(lines[1].contains("mosquitto_sub -q 1 -h 127.0.0.1 -p "), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("stopped: "), "{lines:?}");
    assert!(!lines.concat().contains('\x1b'), "{lines:?}");
}

/// Reads on until a line shows what is wanted.
async fn until_shown(program: &mut Program, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..SECONDS_MAX {
        let line = program.json().await;
        if wanted(&line) {
            return line;
        }
    }
    panic!("{what} is not shown within {SECONDS_MAX} seconds");
}

#[tokio::test]
async fn of_two_sites_one_is_killed_and_the_other_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().to_str().unwrap();
    let words = ["--sites", "2", "--json", "--data-dir", data_dir, "--pull", "S1@12,s1@30"];
    let mut program = Program::demo(&words).await;
    let started = program.json().await;
    assert_eq!(started["brokers"].as_array().map(Vec::len), Some(2), "{started}");
    let led_by = |line: &Value, name: &str, site: u64| {
        let agents = line["agents"].as_array().is_some_and(|agents| agents.iter().all(|agent| agent["broker"] == site));
        line["leader"] == name && agents && line["agents"][0]["state"] == "ok"
    };
    let before = until_shown(&mut program, "site 1 leads", |line| led_by(line, "ingest-1", 1)).await;
    assert_eq!(
        (&before["sites"][0]["ingester"], &before["sites"][1]["ingester"]),
        (&"leads".into(), &"stands by".into())
    );

    let pulled = until_shown(&mut program, "the plug", |line| line["event"] == "pulled").await;
    assert_eq!(pulled["plug"], "S1");
    let after = until_shown(&mut program, "site 2 leads", |line| led_by(line, "ingest-2", 2)).await;
    assert_eq!((&after["sites"][0]["broker"], &after["sites"][0]["ingester"]), (&"stopped".into(), &"stopped".into()));
    assert!(number(&after, "term") > number(&before, "term"), "{before} {after}");
    let back = |line: &Value| line["sites"][0]["ingester"] == "stands by" && line["sites"][0]["broker"] == "up";
    let back = until_shown(&mut program, "site 1 stands by", back).await;
    assert_eq!((&back["leader"], &back["term"]), (&after["leader"], &after["term"]), "a newcomer does not depose");
    assert!(number(&back, "stored") > number(&after, "stored"), "{after} {back}");

    program.signal(Signal::TERM);
    let (lines, status) = program.end().await;
    assert_eq!(status.code(), Some(0), "{lines:?}");
    let last: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(number(&last, "readings"), number(&last, "acknowledged") + number(&last, "queued"), "{last}");
}
