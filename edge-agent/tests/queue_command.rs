//! `fogline-agent queue` on real files, as a person uses it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Lines of a source; the newest is last.
fn readings(count: u32) -> String {
    let line = |at| {
        format!(
            "{{\"ts_us\":{},\"sensor\":\"lane-1\",\"kind\":\"road\",\"fields\":{{\"speed_kmh\":{at},\"note\":\"a, \\\"b\\\"\"}}}}\n",
            1_577_145_601_420_000_u64 + u64::from(at)
        )
    };
    (0..count).map(line).collect()
}

struct Agent {
    folder: tempfile::TempDir,
}

impl Agent {
    /// A stopped agent whose queue holds so many readings: no broker ever took one.
    fn with(count: u32) -> Self {
        let agent = Self { folder: tempfile::tempdir().unwrap() };
        agent.feed("lane-1", &readings(count), &[]);
        agent
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn queue_file(&self) -> PathBuf {
        self.data().join("queue.db")
    }

    /// Runs the agent until it has queued these lines.
    fn feed(&self, name: &str, lines: &str, more: &[&str]) {
        let file = self.folder.path().join("lines.jsonl");
        fs::write(&file, lines).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fogline-agent"));
        command.args([
            "run",
            "--name",
            name,
            "--source",
            "stdin",
            "--until",
            "queued",
            "--broker",
            "mqtt://127.0.0.1:9",
        ]);
        command.arg("--data-dir").arg(self.data()).args(more).stdin(Stdio::from(fs::File::open(file).unwrap()));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn queue(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fogline-agent"));
        command.arg("queue").args(arguments).arg("--data-dir").arg(self.data()).output().unwrap()
    }

    /// What it prints when all is well.
    fn prints(&self, arguments: &[&str]) -> String {
        let output = self.queue(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.prints(&[arguments, &["--json"]].concat())).unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn what_is_in_a_queue_is_shown() {
    let agent = Agent::with(1_500);
    let shown = agent.json(&["ls"]);
    assert_eq!((&shown["readings"], &shown["next"], &shown["running"]), (&1_500.into(), &1_501.into(), &false.into()));
    assert_eq!((&shown["streams"][0]["first"], &shown["streams"][0]["last"]), (&1.into(), &1_500.into()));
    assert_eq!((&shown["damaged"], &shown["gaps"]), (&0.into(), &serde_json::json!([])));
    let table = agent.prints(&["ls"]);
    assert!(table.contains("readings      1,500 in "), "{table}");
    let peeked = agent.prints(&["peek", "--from", "700", "--count", "2"]);
    let lines: Vec<serde_json::Value> = peeked.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["seq"], &lines[1]["seq"]), (2, &700.into(), &701.into()));
    assert_eq!(lines[0]["reading"]["fields"]["speed_kmh"], 699.0);
    assert_eq!(lines[0]["stream"], shown["streams"][0]["stream"]);
    assert!(agent.prints(&["verify"]).contains("1,500: each is as it was written"));
    let missing = Command::new(env!("CARGO_BIN_EXE_fogline-agent"))
        .args(["queue", "ls", "--data-dir", text(&agent.file("nothing"))])
        .output()
        .unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no queue"));
}

#[test]
fn damage_is_named_and_gone_when_the_agent_has_run() {
    let agent = Agent::with(1_500);
    let path = agent.queue_file();
    let mut bytes = fs::read(&path).unwrap();
    let needle = br#""speed_kmh":777"#;
    let at = bytes.windows(needle.len()).position(|window| window == needle).unwrap();
    bytes[at + needle.len() - 1] = b'8';
    fs::write(&path, &bytes).unwrap();
    let output = agent.queue(&["verify", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let verdict: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(verdict["broken"], serde_json::json!([[778, 778]]));
    assert!(agent.prints(&["peek", "--from", "778", "--count", "1"]).contains("\"why\":\"checksum\""));
    // A page.
    let page = at / 2_048 * 2_048;
    bytes[page..page + 2_048].fill(0xA5);
    fs::write(&path, &bytes).unwrap();
    let output = agent.queue(&["verify"]);
    assert_eq!(output.status.code(), Some(1));
    agent.feed("lane-1", &readings(1), &[]);
    let verdict = agent.json(&["verify"]);
    assert_eq!(verdict["sound"], true, "the start has healed it");
    let shown = agent.json(&["ls"]);
    let lost = shown["damaged"].as_u64().unwrap();
    assert!((1..=14).contains(&lost), "{shown}");
    assert_eq!(shown["readings"], 1_501 - lost);
    assert_eq!(shown["set_aside"].as_array().unwrap().len(), 1);
    assert!(agent.prints(&["ls"]).contains("queue.db.damaged-1"));
}

#[test]
fn what_is_exported_can_be_replayed() {
    let agent = Agent::with(250);
    let (lines, table) = (agent.file("all.jsonl"), agent.file("all.csv"));
    agent.prints(&["export", "--output", text(&lines)]);
    agent.prints(&["export", "--format", "csv", "--output", text(&table)]);
    assert_eq!(fs::read_to_string(&lines).unwrap().lines().count(), 250);
    let csv = fs::read_to_string(&table).unwrap();
    assert_eq!(csv.lines().count(), 501, "a row for each field");
    assert!(csv.contains("road,note,\"a, \"\"b\"\"\"\n"), "{csv}");
    let again = agent.queue(&["export", "--output", text(&lines)]);
    assert_eq!(again.status.code(), Some(1), "no file is overwritten");
    assert!(agent.prints(&["replay", text(&lines), "--dry-run"]).contains("250 readings could be appended"));
    assert_eq!(agent.json(&["replay", text(&lines)])["readings"], 250);
    let shown = agent.json(&["ls"]);
    assert_eq!((&shown["readings"], &shown["next"]), (&500.into(), &501.into()));
    assert_eq!(shown["streams"].as_array().unwrap().len(), 2, "new readings are in a new stream");
    let mended = fs::read_to_string(&lines).unwrap().replacen("\"reading\":{", "\"text\":{", 1) + "nonsense\n";
    fs::write(&lines, mended).unwrap();
    let refused = agent.queue(&["replay", text(&lines)]);
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        error.contains("line 1: ") && error.contains("line 251: ") && error.contains("nothing was appended"),
        "{error}"
    );
    assert_eq!(agent.json(&["ls"])["readings"], 500);
}

#[test]
fn what_is_purged_is_a_gap_and_counted() {
    let agent = Agent::with(100);
    let refused = agent.queue(&["purge", "--all"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--yes"));
    assert_eq!(agent.queue(&["purge", "--yes"]).status.code(), Some(2), "of what?");
    assert_eq!(agent.json(&["purge", "--through", "30", "--yes"])["readings"], 30);
    let shown = agent.json(&["ls"]);
    assert_eq!((&shown["readings"], &shown["dropped"], &shown["oldest"]), (&70.into(), &30.into(), &31.into()));
    assert_eq!(shown["gaps"], serde_json::json!([[1, 30]]));
    assert_eq!(agent.json(&["purge", "--older-than", "1h", "--yes"])["readings"], 70, "they are of 2019");
    assert_eq!(agent.json(&["purge", "--all", "--yes"])["readings"], 0);
    assert_eq!(agent.json(&["ls"])["gaps"], serde_json::json!([[1, 100]]));
    assert!(agent.prints(&["verify"]).contains("each is as it was written"));
}

#[test]
fn the_queue_is_the_file_and_not_the_configuration() {
    let agent = Agent::with(20);
    let before = agent.json(&["ls"]);
    let moved = agent.file("elsewhere");
    fs::rename(agent.data(), &moved).unwrap();
    fs::rename(&moved, agent.data()).unwrap();
    let other = ["--broker", "mqtt://127.0.0.1:10", "--queue-readings", "1000", "--queue-max-age", "90000d"];
    agent.feed("lane-1", &readings(5), &other);
    let after = agent.json(&["ls"]);
    assert_eq!((&after["readings"], &after["openings"]), (&25.into(), &2.into()));
    assert_eq!(after["streams"][0], before["streams"][0], "the same stream, whatever the settings say");
    let moved = Agent { folder: tempfile::tempdir().unwrap() };
    fs::rename(agent.data(), moved.data()).unwrap();
    assert_eq!(moved.json(&["ls"])["streams"], after["streams"]);
}

#[test]
fn a_running_agent_is_asked() {
    let agent = Agent::with(40);
    let mut running = Command::new(env!("CARGO_BIN_EXE_fogline-agent"))
        .args(["run", "--name", "lane-1", "--source", "none", "--broker", "mqtt://127.0.0.1:9"])
        .arg("--data-dir")
        .arg(agent.data())
        .spawn()
        .unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !agent.data().join("agent.sock").exists() {
        assert!(std::time::Instant::now() < deadline, "the agent does not start");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(agent.json(&["ls"])["running"], true);
    let lines = agent.file("all.jsonl");
    agent.prints(&["export", "--output", text(&lines)]);
    assert_eq!(agent.json(&["replay", text(&lines)])["readings"], 40);
    assert_eq!(agent.json(&["purge", "--through", "40", "--yes"])["readings"], 40);
    let shown = agent.json(&["ls"]);
    assert_eq!((&shown["readings"], &shown["oldest"]), (&40.into(), &41.into()));
    assert_eq!(shown["gaps"], serde_json::json!([[1, 40]]));
    assert!(agent.prints(&["verify"]).contains("40: each is as it was written"));
    running.kill().unwrap();
    running.wait().unwrap();
    assert_eq!(agent.json(&["ls"])["readings"], 40, "what was said to be done outlives a kill");
}
