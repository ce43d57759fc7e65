//! `fogline analyst` against an ingester that runs.

use super::support::{Program, until};
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// 2023-11-14.
const EPOCH_US: i64 = 1_700_000_000_000_000;

struct Site {
    _broker: Program,
    broker: String,
    ingester: Program,
    url: String,
    folder: TempDir,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut running = Program::start(&["broker", "--listen", "127.0.0.1:0"]);
        let line = running.line().await.expect("the broker is ready");
        let broker = line.rsplit(' ').next().unwrap().to_owned();
        let (ingester, url) = ingester(&broker, folder.path()).await;
        Self { _broker: running, broker, ingester, url, folder }
    }

    async fn restart(self) -> Self {
        self.ingester.signal(Signal::TERM);
        assert!(self.ingester.end().await.1.success());
        let (ingester, url) = ingester(&self.broker, self.folder.path()).await;
        Self { ingester, url, ..self }
    }

    /// Status, output and errors of `fogline analyst WORDS`.
    fn analyst(&self, words: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
        let output = command.args(["analyst", "--api", &self.url]).args(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn answer(&self, words: &[&str]) -> String {
        let (status, out, err) = self.analyst(words);
        assert_eq!((status, err.as_str()), (0, ""), "{words:?}");
        out
    }

    fn json(&self, words: &[&str]) -> Value {
        serde_json::from_str(&self.answer(&[words, &["--json"]].concat())).unwrap()
    }

    async fn post(&self, path: &str, body: &Value) {
        let request = reqwest::Client::new().post(format!("{}{path}", self.url)).body(body.to_string());
        assert!(request.send().await.unwrap().status().is_success(), "{path} {body}");
    }
}

async fn ingester(broker: &str, folder: &Path) -> (Program, String) {
    let data = folder.join("ingest");
    let words = ["ingest", "--broker", broker, "--http", "127.0.0.1:0", "--data-dir", data.to_str().unwrap()];
    let mut ingester = Program::start(&words);
    let line = ingester.line().await.expect("the ingester is ready");
    let url = line.rsplit(' ').next().unwrap().to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    until("the ingester leads", || {
        let mut check = Command::new(env!("CARGO_BIN_EXE_fogline"));
        check.args(["ingest", "healthcheck", "--http", &address]).stderr(Stdio::null()).status().unwrap().success()
    })
    .await;
    (ingester, url)
}

fn node(id: &str, u: u32, v: u32) -> Value {
    json!({ "id": id, "host": "127.0.0.1", "ports": { "http": 8080 }, "u": u, "v": v })
}

fn average(id: &str, window: i64, mean: f64) -> Value {
    let from_us = EPOCH_US + window * 5_000_000;
    let to_us = from_us + 5_000_000;
    json!({ "id": id, "ts_us": to_us, "from_us": from_us, "to_us": to_us, "mean_ugm3": mean, "n": 3 })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analyst_is_told_what_there_is() {
    let site = Site::start().await;
    let (status, out, err) = site.analyst(&["nodes"]);
    assert_eq!((status, out.as_str()), (1, ""));
    assert!(err.starts_with("error: no node is connected: start some"), "{err}");
    assert_eq!(site.answer(&["latest", "5"]), "none yet\n");
    assert_eq!((site.json(&["latest", "5"]), site.json(&["stats", "5"])), (json!([]), Value::Null));

    site.post("/api/nodes", &node("node-1", 10, 20)).await;
    site.post("/api/nodes", &node("b", 90, 5)).await;
    for (window, mean) in [(0, 10.0), (1, 20.0)] {
        site.post("/api/measurements", &average("global", window, mean)).await;
        site.post("/api/measurements", &average("node-1", window, mean * 2.0)).await;
    }
    let site = site.restart().await;
    let nodes = "\
node    host       ports      u   v
b       127.0.0.1  http=8080  90   5
node-1  127.0.0.1  http=8080  10  20
";
    assert_eq!(site.answer(&["nodes"]), nodes);
    assert_eq!(site.json(&["nodes"]), json!([node("b", 90, 5), node("node-1", 10, 20)]));
    assert_eq!(site.answer(&["nearest", "0", "0"]), "node-1  at 10,20, 30 away, 127.0.0.1\n");
    let latest = "\
window ends (UTC)        seconds  PM-10 µg/m³  values
2023-11-14 22:13:30.000      5.0         20.0       3
2023-11-14 22:13:25.000      5.0         10.0       3
";
    assert_eq!(site.answer(&["latest", "5"]), latest);
    assert_eq!(site.json(&["node", "node-1", "1"]), json!([average("node-1", 1, 40.0)]));
    assert_eq!(site.json(&["stats", "9"]), json!({ "n": 2, "mean_ugm3": 15.0, "stddev_ugm3": 5.0 }));
    assert!(site.answer(&["node-stats", "node-1", "9"]).contains("30.00"));
    assert_eq!(site.answer(&["node", "b", "5"]), "none yet\n");
    let (status, _, err) = site.analyst(&["node", "c", "5"]);
    assert!(status == 1 && err.starts_with("error: there is no node \"c\""), "{err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn averages_that_an_agent_uploads_are_told_too_and_as_many_as_there_may_be() {
    let site = Site::start().await;
    let queue = site.folder.path().join("node-1");
    let mut agent = Command::new(env!("CARGO_BIN_EXE_fogline"));
    agent.args([
        "agent",
        "run",
        "--region",
        "north",
        "--name",
        "node-1",
        "--source",
        "stdin",
        "--broker",
        &site.broker,
    ]);
    let mut agent = agent.arg("--data-dir").arg(&queue).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = agent.stdin.take().unwrap();
    for (sensor, mean) in [("node-1", 21.5), ("global", 20.5)] {
        let fields = json!({ "pm10_ugm3": mean, "n": 3, "from_us": EPOCH_US });
        let reading = json!({ "ts_us": EPOCH_US + 5_000_000, "sensor": sensor, "kind": "city", "fields": fields });
        writeln!(input, "{reading}").unwrap();
    }
    input.flush().unwrap();
    let found = RefCell::new(Value::Null);
    until("the average is uploaded", || {
        *found.borrow_mut() = site.json(&["latest", "5"]);
        found.borrow().as_array().is_some_and(|averages| !averages.is_empty())
    })
    .await;
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert_eq!(found.into_inner(), json!([average("global", 0, 20.5)]));
    assert_eq!(site.json(&["node", "node-1", "5"]), json!([average("node-1", 0, 21.5)]));
    site.post("/api/measurements", &average("node-1", 0, 21.5)).await;
    assert_eq!(site.json(&["node", "node-1", "5"]).as_array().unwrap().len(), 1, "the same one, by the other way");

    let db = Connection::open(site.folder.path().join("ingest/fogline.db")).unwrap();
    db.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    db.execute_batch(
        "WITH RECURSIVE k (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM k WHERE k < 2000)
         INSERT INTO city_measurement SELECT 'global', 1700000005000000 + k * 5000000, 1700000000000000 + k * 5000000, 20.123456789, 3
         FROM k",
    )
    .unwrap();
    assert_eq!(site.json(&["latest", "1000"]).as_array().unwrap().len(), 1000);
}

#[test]
fn nobody_who_answers_is_a_failure_that_says_what_to_do() {
    // Nobody listens on port 1.
    for (api, words) in
        [("http://127.0.0.1:1", "no answer from 127.0.0.1:1"), ("http://no.such.invalid", "is not known")]
    {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
        let output = command.args(["analyst", "--api", api, "nodes"]).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{err}");
        assert!(err.starts_with("error: ") && err.contains(words) && err.contains("--api"), "{err}");
    }
}
