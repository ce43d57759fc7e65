//! `fogline audit`, beside a running site and after it.

use super::support::Program;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Readings that are stored before anything is done to them.
const ENOUGH: u64 = 300;

/// A broker, an ingester and an agent, all of them this program.
struct Site {
    agent: Program,
    ingester: Program,
    _broker: Program,
    folder: TempDir,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mut broker = Program::start(&["broker", "--listen", "127.0.0.1:0"]);
        let line = broker.line().await.expect("the broker is ready");
        let address = line.rsplit(' ').next().unwrap().to_owned();
        let mut ingester =
            Program::start(&["ingest", "--broker", &address, "--http", "127.0.0.1:0", "--data-dir", &path("ingest")]);
        ingester.line().await.expect("the ingester is ready");
        let (name, queue) = ("lane-1", path("lane-1"));
        let agent = Program::start(&[
            "agent",
            "run",
            "--region",
            "north",
            "--name",
            name,
            "--broker",
            &address,
            "--data-dir",
            &queue,
            "--source",
            "simulate",
            "--kind",
            "road",
            "--rate",
            "200",
        ]);
        Self { agent, ingester, _broker: broker, folder }
    }

    /// Audits again and again while everything runs, and gives the first account with so many readings.
    fn until_stored(&self, enough: u64) -> Value {
        for _ in 0..600 {
            let account = self.passes();
            if account["total"]["stored"].as_u64().unwrap() >= enough {
                return account;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("{enough} readings are stored in time");
    }

    /// Stops the agent and the ingester in order; what is left are their files.
    async fn stopped() -> Files {
        let site = Self::start().await;
        site.until_stored(ENOUGH);
        for program in [site.agent, site.ingester] {
            program.signal(Signal::TERM);
            assert!(program.end().await.1.success());
        }
        Files { folder: site.folder }
    }

    fn passes(&self) -> Value {
        // Before the agent has made its queue there is nothing to audit.
        let queue = self.folder.path().join("lane-1/queue.db");
        while !queue.exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        passes(self.folder.path())
    }
}

/// What a site leaves behind.
struct Files {
    folder: TempDir,
}

impl Files {
    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Changes the ingester's file.
    fn change(&self, sql: &str) {
        let changed = Connection::open(self.path().join("ingest/fogline.db")).unwrap().execute_batch(sql);
        changed.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn fails(&self) -> Value {
        let output = audit(self.path(), &["--json"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

fn audit(folder: &Path, words: &[&str]) -> Output {
    let path = |name: &str| -> PathBuf { folder.join(name) };
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
    command.arg("audit").arg("--data-dir").arg(path("ingest")).arg("--queue").arg(path("lane-1")).args(words);
    command.output().unwrap()
}

fn passes(folder: &Path) -> Value {
    let output = audit(folder, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn a_running_site_raises_no_alarm() {
    let mut site = Site::start().await;
    let account = site.until_stored(ENOUGH);
    assert_eq!((&account["passed"], &account["total"]["unknown"]), (&json!(true), &json!(0)), "{account}");
    assert_eq!((&account["agents"][0]["agent"], &account["agents"][0]["queues"]), (&json!("north/lane-1"), &json!(1)));

    // Without anybody to store them, readings are in the queue.
    site.ingester.signal(Signal::KILL);
    while site.ingester.line().await.is_some() {}
    let queued = loop {
        let account = site.passes();
        let queued = account["total"]["queued"].as_u64().unwrap();
        if queued >= ENOUGH {
            break queued;
        }
    };
    let text = String::from_utf8(audit(site.folder.path(), &[]).stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("agent") && lines[1].starts_with("north/lane-1"), "{text}");
    assert!(lines.last().unwrap().starts_with("nothing lost, nothing stored twice: "), "{text}");
    site.agent.signal(Signal::TERM);
    assert!(site.agent.end().await.1.success());
    assert!(passes(site.folder.path())["total"]["queued"].as_u64().unwrap() >= queued);
}

#[tokio::test]
async fn readings_that_are_taken_away_are_lost_and_copies_are_found() {
    let files = Site::stopped().await;
    let whole = passes(files.path());
    let stored = whole["total"]["stored"].as_u64().unwrap();

    files.change("CREATE TABLE aside AS SELECT * FROM reading WHERE seq IN (1, 100, 101, 102)");
    files.change("DELETE FROM reading WHERE seq IN (1, 100, 101, 102)");
    let account = files.fails();
    assert_eq!((&account["total"]["lost"], &account["total"]["stored"]), (&json!(4), &json!(stored - 4)), "{account}");
    let ranges: Vec<_> = account["agents"][0]["lost_ranges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|range| (range["first"].as_u64().unwrap(), range["last"].as_u64().unwrap()))
        .collect();
    assert_eq!((ranges, &account["missing"]), (vec![(1, 1), (100, 102)], &json!(0)));
    let text = String::from_utf8(audit(files.path(), &[]).stdout).unwrap();
    assert!(text.contains("lost: 1 of stream ") && text.contains(", 100-102 of stream "), "{text}");
    assert!(text.contains("\n4 lost, 0 stored twice, of "), "{text}");

    files.change("INSERT INTO reading SELECT * FROM aside");
    files.change("INSERT INTO reading (ts_us, clock, series, stream, seq, fields) SELECT ts_us, clock, series, stream, seq, fields FROM aside WHERE seq > 100");
    let account = files.fails();
    assert_eq!((&account["total"]["lost"], &account["total"]["duplicates"]), (&json!(0), &json!(2)), "{account}");
    let twice = &account["agents"][0]["duplicate_ranges"][0];
    assert_eq!((&twice["first"], &twice["last"]), (&json!(101), &json!(102)));
}

#[tokio::test]
async fn dead_letters_and_gaps_account_for_readings_until_they_are_cut() {
    let files = Site::stopped().await;
    files.change("INSERT INTO dead_letter (at_us, stream, seq, clock, reason, detail, reading) SELECT 0, stream, seq, 0, 'refused', '', '{}' FROM reading WHERE seq BETWEEN 10 AND 19");
    files.change("INSERT INTO dead_count VALUES ('refused', 10)");
    files.change("INSERT INTO gap SELECT stream, 30, 49, 0 FROM reading WHERE seq = 30; UPDATE stream SET lost = 20");
    let still_stored = &passes(files.path())["total"];
    assert_eq!((&still_stored["dead"], &still_stored["dropped"]), (&json!(0), &json!(0)), "stored counts first");

    files.change("DELETE FROM reading WHERE seq BETWEEN 10 AND 19 OR seq BETWEEN 30 AND 49");
    // They were never stored, then.
    files.change("UPDATE state SET stored_total = stored_total - 30");
    let kept = &passes(files.path())["total"];
    assert_eq!((&kept["dead"], &kept["dropped"], &kept["lost"]), (&json!(10), &json!(20), &json!(0)), "{kept}");

    files.change("DELETE FROM dead_letter WHERE seq < 13");
    let account = files.fails();
    assert_eq!((&account["total"]["lost"], &account["total"]["dead"]), (&json!(3), &json!(7)), "{account}");
    assert_eq!(account["dead_letters_deleted"], 3);
    files.change("UPDATE gap SET last = 45; UPDATE stream SET lost = 16");
    assert_eq!(files.fails()["total"]["lost"], 7);
}

#[tokio::test]
async fn a_store_that_was_emptied_is_seen_with_and_without_the_queue() {
    let files = Site::stopped().await;
    let whole = &passes(files.path())["total"];
    let [stored, accepted] = ["stored", "accepted"].map(|key| whole[key].as_u64().unwrap());
    files.change("DELETE FROM reading");
    let emptied = &files.fails()["total"];
    // What was stored and not acknowledged yet is still in the queue.
    let [lost, queued] = ["lost", "queued"].map(|key| emptied[key].as_u64().unwrap());
    assert!(lost > 0 && lost + queued == accepted, "{emptied}");
    std::fs::remove_file(files.path().join("lane-1/queue.db")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
    let output = command.args(["audit", "--json", "--data-dir"]).arg(files.path().join("ingest/fogline.db")).output();
    let output = output.unwrap();
    let account: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &account["missing"]), (Some(1), &json!(stored)), "{account}");
}

#[test]
fn what_cannot_be_audited_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let output = audit(folder.path(), &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("error: cannot audit a queue: ") && text.contains("lane-1"), "{text}");
    let output = Command::new(env!("CARGO_BIN_EXE_fogline"))
        .args(["audit", "--data-dir"])
        .arg(folder.path().join("none.db"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && text.contains("none.db"), "{text}");
}
