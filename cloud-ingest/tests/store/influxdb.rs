//! InfluxDB 1.6, which Debian has, behind a few lines that give it the path of InfluxDB 2. Its parser is the one that
//! InfluxDB 2 has too; of a request with bad lines it writes the others and answers 400.

use crate::fixture::{Site, commit, commit_with};
use crate::servers::{Server, free_port, get, installed, post};
use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use fogline_ingest::store::Store as _;
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::store::{Commit, CommitReport};
use fogline_protocol::time::Wall;
use std::process::Command;
use std::sync::Arc;

const PROGRAM: &str = "/usr/bin/influxd";

struct Influx {
    url: String,
    front: String,
    _server: Server,
    _runtime: tokio::runtime::Runtime,
}

fn start() -> Influx {
    let (dir, port, rpc) = (tempfile::tempdir().unwrap(), free_port(), free_port());
    let data = dir.path().display();
    let config = format!(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n[meta]\ndir = \"{data}/meta\"\n\
         [data]\ndir = \"{data}/data\"\nwal-dir = \"{data}/wal\"\n[http]\nbind-address = \"127.0.0.1:{port}\"\n\
         [monitor]\nstore-enabled = false\n"
    );
    let file = dir.path().join("influxdb.conf");
    std::fs::write(&file, config).unwrap();
    let mut server = Server::start(Command::new(PROGRAM).arg("-config").arg(&file), dir);
    let url = format!("http://127.0.0.1:{port}");
    server.wait_for(&format!("{url}/ping"));
    post(&format!("{url}/query?q=CREATE%20DATABASE%20fogline")).unwrap();
    let (front, runtime) = front(&url);
    Influx { url, front, _server: server, _runtime: runtime }
}

/// Hands `/api/v2/write` on to `/write`.
fn front(url: &str) -> (String, tokio::runtime::Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let front = format!("http://{}", listener.local_addr().unwrap());
    let target = format!("{url}/write?db=fogline&precision=ns");
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let hand_on = move |body: Bytes| {
        let request = client.post(&target).body(body.clone());
        async move {
            let answer = request.send().await.unwrap();
            let status = StatusCode::from_u16(answer.status().as_u16()).unwrap();
            (status, answer.text().await.unwrap())
        }
    };
    let app = Router::new().route("/api/v2/write", axum::routing::post(hand_on)).layer(DefaultBodyLimit::disable());
    runtime.spawn(async move { axum::serve(listener, app).await.unwrap() });
    (front, runtime)
}

impl Influx {
    /// The rows of the first series of an answer.
    fn query(&self, query: &str) -> Vec<Vec<serde_json::Value>> {
        let url = reqwest::Url::parse_with_params(&format!("{}/query", self.url), [("db", "fogline"), ("q", query)]);
        let text = get(url.unwrap().as_str()).unwrap();
        let mut answer: serde_json::Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value(answer["results"][0]["series"][0]["values"].take()).unwrap_or_default()
    }

    fn number(&self, query: &str) -> f64 {
        self.query(query)[0][1].as_f64().unwrap()
    }
}

#[test]
fn what_is_written_can_be_read() {
    if !installed(PROGRAM) {
        return;
    }
    let influx = start();
    let first = commit(1, 1, 12_000);
    for _ in 0..2 {
        assert_eq!(Site::new(&influx.front).store.commit(&first).unwrap().stored, 12_000);
    }
    assert_eq!(influx.number("SELECT count(speed_kmh) FROM road"), 12_000.0);
    assert_eq!(influx.number("SELECT count(distinct(seq)) FROM road"), 12_000.0);
    assert_eq!(influx.number("SELECT n FROM fogline_average WHERE agent = 'r1' AND \"field\" = 'speed_kmh'"), 12_000.0);
}

#[test]
fn texts_come_back_as_they_were_written() {
    if !installed(PROGRAM) {
        return;
    }
    let influx = start();
    let texts = [r#"" hacked=1 1"#, "\\", "\\\"", "ends with \\", "x\nroad speed_kmh=1 1", "é\u{2028},= ", "\\n", ""];
    let mut readings = Readings::new();
    for (index, text) in texts.iter().enumerate() {
        let ts = Wall::from_us(i64::try_from(index).unwrap());
        let fields = [("note", Value::Text(text)), ("tiny", Value::Number(5e-324)), ("huge", Value::Number(f64::MAX))];
        readings.push(ts, "lane-1", "road", &fields).unwrap();
    }
    let mut commit: Commit = commit(1, 1, u64::try_from(texts.len()).unwrap());
    commit.points[0].readings = Arc::new(readings);
    assert_eq!(Site::new(&influx.front).store.commit(&commit), Ok(CommitReport { stored: 8, dead: 0 }));
    let rows = influx.query("SELECT note FROM road");
    let read: Vec<&str> = rows.iter().map(|row| row[1].as_str().unwrap()).collect();
    let written: Vec<String> = texts.iter().map(|text| text.replace('\n', "\\n")).collect();
    assert_eq!(read, written);
    assert_eq!(influx.query("SHOW MEASUREMENTS").len(), 2, "road and fogline_average, nothing that was smuggled in");
}

#[test]
fn a_field_of_another_type_is_a_dead_letter() {
    if !installed(PROGRAM) {
        return;
    }
    let influx = start();
    let mut site = Site::new(&influx.front);
    site.store.commit(&commit_with(1, 1, 100, |seq| seq == 100)).unwrap();
    let mut commit = commit(2, 101, 1000);
    let mut readings = Readings::new();
    for (seq, reading) in (101..).zip(commit.points[0].readings.iter()) {
        if seq == 500 {
            readings.push(reading.ts(), "lane-1", "road", &[("bad", Value::Number(1.0))]).unwrap();
        } else {
            readings.push_copy(reading).unwrap();
        }
    }
    commit.points[0].readings = Arc::new(readings);
    assert_eq!(site.store.commit(&commit), Ok(CommitReport { stored: 999, dead: 1 }));
    assert_eq!(site.dead(), [(500, "refused".to_owned())]);
    assert_eq!(influx.number("SELECT count(speed_kmh) FROM road"), 1099.0);
}
