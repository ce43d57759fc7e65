//! OpenTelemetry: one trace from the sample to the acknowledgement, joined by agent and ingester.

use super::support::Program;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// On a machine that does much else at the same time.
const DEADLINE: Duration = Duration::from_secs(120);

#[derive(Debug, Clone)]
struct Span {
    service: String,
    trace: String,
    id: String,
    parent: Option<String>,
    name: String,
    from: u64,
    to: u64,
}

/// A collector: takes OTLP over HTTP as JSON.
fn collector() -> (String, Receiver<Span>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, spans) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            for span in request(stream) {
                if sender.send(span).is_err() {
                    return;
                }
            }
        }
    });
    (url, spans)
}

fn request(stream: TcpStream) -> Vec<Span> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap() > 0 {}
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n") && head.contains("application/json"), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    reader.into_inner().write_all(answer).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let resource = &body["resourceSpans"][0];
    let service = resource["resource"]["attributes"][0]["value"]["stringValue"].as_str().unwrap();
    let spans = resource["scopeSpans"][0]["spans"].as_array().unwrap();
    spans.iter().map(|span| Span::of(service, span)).collect()
}

impl Span {
    fn of(service: &str, span: &Value) -> Self {
        let text = |name: &str| span[name].as_str().unwrap().to_owned();
        Self {
            service: service.to_owned(),
            trace: text("traceId"),
            id: text("spanId"),
            parent: span["parentSpanId"].as_str().map(str::to_owned),
            name: text("name"),
            from: text("startTimeUnixNano").parse().unwrap(),
            to: text("endTimeUnixNano").parse().unwrap(),
        }
    }
}

#[tokio::test]
async fn one_trace_goes_from_the_sample_to_the_acknowledgement() {
    let (url, spans) = collector();
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()), ("OTEL_TRACES_SAMPLER_ARG", "1")];
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut broker = Program::start(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.line().await.unwrap().rsplit(' ').next().unwrap().to_owned();
    // The one is told by its file, the other by the environment.
    std::fs::write(path("i.toml"), format!("traces_endpoint = '{url}'\ntraces_share = 1.0\n")).unwrap();
    let ingest = ["ingest", "--broker", &address, "--http", "127.0.0.1:0", "--data-dir", &path("i"), "--config"];
    let mut ingester = Program::start(&[&ingest[..], &[&path("i.toml")]].concat());
    ingester.line().await.unwrap();
    let agent = ["agent", "run", "--name", "lane-1", "--broker", &address, "--data-dir", &path("a")];
    let _agent = Program::start_with(&[&agent[..], &["--source", "simulate"]].concat(), &env);
    let whole = tokio::task::spawn_blocking(move || whole_trace(&spans)).await.unwrap();
    let of = |name: &str| whole.get(name).unwrap_or_else(|| panic!("{name}: {whole:?}"));
    let order = ["reading", "append", "publish", "receive", "store", "acknowledge", "free"];
    for pair in order.windows(2) {
        assert!(of(pair[0]).from <= of(pair[1]).from, "{pair:?} {whole:?}");
    }
    assert!(of("acknowledge").from <= of("publish").to && of("publish").to == of("free").from, "{whole:?}");
    assert!(of("reading").to >= of("free").to && of("reading").from == of("append").from, "{whole:?}");
    for (name, parent) in [
        ("append", "reading"),
        ("publish", "reading"),
        ("free", "reading"),
        ("receive", "publish"),
        ("store", "publish"),
        ("acknowledge", "publish"),
    ] {
        assert_eq!(of(name).parent.as_deref(), Some(of(parent).id.as_str()), "{name}");
    }
    assert_eq!(of("reading").parent, None);
    assert_eq!((of("free").service.as_str(), of("store").service.as_str()), ("fogline-agent", "fogline-ingest"));
}

/// The spans of the first trace that has all seven, by name.
fn whole_trace(spans: &Receiver<Span>) -> BTreeMap<String, Span> {
    let mut traces: BTreeMap<String, BTreeMap<String, Span>> = BTreeMap::new();
    loop {
        let span = spans.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("a whole trace in time: {traces:#?}"));
        let trace = traces.entry(span.trace.clone()).or_default();
        trace.insert(span.name.clone(), span);
        if trace.len() == 7 {
            return trace.clone();
        }
    }
}

#[test]
fn a_collector_that_cannot_be_is_said_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fogline"));
    command.args(["agent", "run", "--source", "none", "--data-dir"]).arg(folder.path());
    let output = command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("give http://HOST:4318"), "{output:?}");
}
