//! A limit is shown in every way that there is, and the default limit again when its time is over.

use fogline_tests::real::{Agent, AgentRecipe, Broker, Kind, Watcher, free_port, get, publish_by_hand, until};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;

const TOPIC: &str = "fogline/north/lane-1/limit";

/// What an ingester would say.
fn decide(broker: &Broker, seq: u64, limit_kmh: u32, ttl_ms: u64) -> bool {
    let decision = json!({
        "v": 1, "key": "limit", "term": { "counter": 1, "ingester": "ingest-1" }, "seq": seq, "decided_us": 7,
        "ttl_ms": ttl_ms, "body": { "limit_kmh": limit_kmh },
    });
    publish_by_hand(broker, "fogline/v1/north/lane-1/down/limit", &decision.to_string())
}

fn shown(agent: &Agent) -> Option<(f64, bool)> {
    let limit = agent.status()?.get("limit")?.clone();
    Some((limit.get("limit_kmh")?.as_f64()?, limit.get("default")?.as_bool()?))
}

fn until_shown(agent: &Agent, limit: (f64, bool)) {
    until(&format!("the limit {limit:?}"), || (shown(agent) == Some(limit)).then_some(()));
}

fn until_written(path: &Path, text: &str) {
    until(&format!("the command wrote {text:?}"), || {
        (std::fs::read_to_string(path).unwrap_or_default() == text).then_some(())
    });
}

fn metric(http: SocketAddr, name: &str) -> Option<f64> {
    let (_, page) = get(http, "/metrics")?;
    page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn a_limit_is_shown_everywhere_and_ends_with_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::Embedded, folder.path()) else { return };
    let Some(mut local) = Broker::start(Kind::Mosquitto, folder.path()) else { return };
    let Some(sign) = Watcher::start(&local, TOPIC) else { return };
    let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let written = folder.path().join("written");
    let command = format!("echo $FOGLINE_LIMIT_KMH $FOGLINE_LIMIT_DEFAULT >> {}", written.display());
    let agent = AgentRecipe::new(&broker, "lane-1", &folder.path().join("lane-1"))
        .args(["--source", "none", "--default-limit", "120", "--local-broker", &local.address()])
        .args(["--http", &http.to_string(), "--on-limit", &command])
        .start();
    let by_default = sign.message(TOPIC, r#""default":true"#);
    assert_eq!(by_default, json!({ "v": 1, "limit_kmh": 120.0, "default": true, "until_us": null }));
    until_written(&written, "120 true\n");
    until("the agent is connected", || (metric(http, "fogline_agent_connected")? > 0.0).then_some(()));

    if !decide(&broker, 1, 80, 3_600_000) {
        return;
    }
    until_shown(&agent, (80.0, false));
    let decided = sign.message(TOPIC, r#""limit_kmh":80"#);
    assert!(decided["until_us"].as_i64().is_some() && decided["default"] == Value::Bool(false), "{decided}");
    until_written(&written, "120 true\n80 false\n");
    assert_eq!(metric(http, "fogline_agent_limit_kmh"), Some(80.0));

    // It remembers nothing, and is told again without a new decision.
    local.bounce();
    let Some(sign) = Watcher::start(&local, TOPIC) else { return };
    assert_eq!(sign.message(TOPIC, r#""limit_kmh":80"#), decided);

    assert!(decide(&broker, 2, 90, 1_000));
    assert_eq!(sign.message(TOPIC, r#""limit_kmh":90"#)["default"], Value::Bool(false));
    assert_eq!(sign.message(TOPIC, r#""default":true"#), by_default, "its time is over");
    until_shown(&agent, (120.0, true));
    until_written(&written, "120 true\n80 false\n90 false\n120 true\n");
    assert_eq!(metric(http, "fogline_agent_limit_default"), Some(1.0));
}

#[test]
fn a_limit_that_was_in_force_is_shown_from_the_start_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::Embedded, folder.path()) else { return };
    let written = folder.path().join("written");
    let command = format!("echo $FOGLINE_LIMIT_KMH >> {}", written.display());
    let mut agent = AgentRecipe::new(&broker, "lane-1", &folder.path().join("lane-1"))
        .args(["--source", "none", "--on-limit", &command])
        .start();
    until("the agent is connected", || agent.status()?.pointer("/live/connected")?.as_bool()?.then_some(()));
    if !decide(&broker, 1, 70, 3_600_000) {
        return;
    }
    until_written(&written, "130\n70\n");
    agent.program.kill();
    assert_eq!(shown(&agent), Some((70.0, false)), "while it is down");
    agent.program.restart();
    until_written(&written, "130\n70\n70\n");
}

#[test]
fn the_pages_say_how_the_agent_is() {
    let folder = tempfile::tempdir().unwrap();
    let Some(broker) = Broker::start(Kind::Embedded, folder.path()) else { return };
    let http = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let _agent = AgentRecipe::new(&broker, "lane-1", &folder.path().join("lane-1"))
        .watches_a_road("20")
        .args(["--http", &http.to_string()])
        .start();
    until("readings wait", || (metric(http, "fogline_agent_queue_readings")? > 0.0).then_some(()));
    let page = |path: &str| get(http, path).expect("the agent answers");
    assert_eq!((page("/healthz").0, page("/readyz").0, page("/nothing").0), (200, 200, 404));
    let metrics = page("/metrics").1;
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("fogline_") && value.parse::<f64>().is_ok(), "{line}");
        let named = name.split('{').next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().fold(named, |name, end| name.strip_suffix(end).unwrap_or(name));
        assert!(metrics.contains(&format!("# TYPE {family} ")), "{line}");
    }
    for wanted in [
        "fogline_agent_unsent",
        "fogline_agent_in_flight",
        "fogline_agent_source_offered_total",
        "fogline_agent_messages_refused_total",
        "fogline_agent_latency_seconds_bucket{le=\"+Inf\"}",
        "fogline_agent_ingester_state{state=\"unknown\"}",
    ] {
        assert!(metric(http, wanted).is_some(), "{wanted}: {metrics}");
    }
}
