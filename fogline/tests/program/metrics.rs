//! Every metric is described in `docs/operations.md`, and every one that is described is served.

use super::support::{Program, until};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const PAGE: &str = include_str!("../../../docs/operations.md");

/// Type and labels.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

fn get(address: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}

/// What a page of metrics says: names by `# TYPE`, labels by the samples.
fn served(page: &str) -> Metrics {
    let mut found = Metrics::new();
    for line in page.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            found.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((name, rest)) = line.split_once('{').filter(|_| !line.starts_with('#')) {
            let base = found
                .keys()
                .find(|known| name == *known || name.strip_suffix("_bucket").is_some_and(|base| base == known.as_str()))
                .cloned();
            let base = base.unwrap_or_else(|| panic!("{name} has no type"));
            let labels = rest.split("\",").filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
            found.get_mut(&base).unwrap().1.extend(labels);
        }
    }
    found
}

/// What the tables say: rows that begin with a metric.
fn described() -> Metrics {
    let mut found = Metrics::new();
    for row in PAGE.lines().filter(|line| line.starts_with("| `fogline_")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, says, _] = cells[..] else { panic!("a row of five cells: {row}") };
        assert!(!says.is_empty(), "{row}");
        let labels = labels.split(',').map(|label| label.trim().trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        let twice = found.insert(name.trim_matches('`').to_owned(), (kind.to_owned(), labels));
        assert!(twice.is_none(), "{name} is described twice");
    }
    found
}

fn promtool(page: &str) {
    let mut command = Command::new("promtool");
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut check) = command.spawn() else {
        let required = std::env::var("FOGLINE_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
        assert!(
            !required,
            "promtool is required (FOGLINE_REQUIRE_SERVICES=1) and not installed: apt-get install prometheus"
        );
        return eprintln!("skipped: promtool is not installed");
    };
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}

#[tokio::test]
async fn the_tables_and_the_programs_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let port = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (broker_http, agent_http) = (port(), port());
    let mut broker = Program::start(&["broker", "--listen", "127.0.0.1:0", "--http", &broker_http]);
    let address = broker.line().await.unwrap().rsplit(' ').next().unwrap().to_owned();
    let mut ingester =
        Program::start(&["ingest", "--broker", &address, "--http", "127.0.0.1:0", "--data-dir", &path("i")]);
    let url = ingester.line().await.unwrap().rsplit(' ').next().unwrap().to_owned();
    let ingester_http = url.strip_prefix("http://").unwrap().to_owned();
    // Each of several sources has metrics of its own.
    let config = path("agent.toml");
    std::fs::write(&config, "[[sources]]\ntype = \"simulate\"\nkind = \"weather\"\n").unwrap();
    let to = ["--broker", &address, "--http", &agent_http, "--data-dir", &path("a"), "--source", "simulate"];
    let _agent = Program::start(&[&["agent", "run", "--name", "lane-1", "--config", &config], &to[..]].concat());
    // It is heard only then, and only what was refused has a reason.
    let heard = || {
        get(&agent_http, "/metrics").is_some_and(|page| page.contains("\nfogline_agent_ingester_heard_age_seconds "))
    };
    until("the agent hears the ingester", heard).await;
    refuse_something(&address);
    let refused = || get(&ingester_http, "/metrics").is_some_and(|page| page.contains("refused_total{"));
    until("the ingester refuses what makes no sense", refused).await;
    let refused = || get(&broker_http, "/metrics").is_some_and(|page| page.contains("refusals_total{"));
    until("the broker refuses what may not be", refused).await;
    let mut all = Metrics::new();
    for address in [&broker_http, &ingester_http, &agent_http] {
        let page = get(address, "/metrics").unwrap();
        promtool(&page);
        all.extend(served(&page));
    }
    let described = described();
    for (name, metric) in &all {
        assert_eq!(described.get(name), Some(metric), "{name} is not described so in docs/operations.md");
    }
    let gone: Vec<&String> = described.keys().filter(|name| !all.contains_key(*name)).collect();
    assert!(gone.is_empty(), "docs/operations.md describes what nobody serves: {gone:?}");
}

/// A hello that is none, from an agent that is not there; and a subscription that the broker does not grant.
fn refuse_something(broker: &str) {
    use rumqttc::{Connect, Packet, Publish, QoS, Subscribe};
    let mut stream = TcpStream::connect(broker).unwrap();
    let mut publish = Publish::new("fogline/v1/local/nobody/up/hello", QoS::AtLeastOnce, "nonsense");
    publish.pkid = 1;
    let mut subscribe = Subscribe::new("test/nosubscribe", QoS::AtLeastOnce);
    subscribe.pkid = 2;
    let packets = [Packet::Connect(Connect::new("nobody")), Packet::Publish(publish), Packet::Subscribe(subscribe)];
    let mut bytes = bytes::BytesMut::new();
    for packet in packets {
        packet.write(&mut bytes, 4096).unwrap();
    }
    stream.write_all(&bytes).unwrap();
    // CONNACK, PUBACK and SUBACK: what was sent has been dealt with.
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    stream.read_exact(&mut [0; 4 + 4 + 5]).unwrap();
}
