//! Every `mosquitto_sub` and `mosquitto_pub` line of `mosquitto-compat/README.md`, run as it stands there, with an ingester behind
//! Mosquitto and one behind our own broker: the lines cover all topics, what they say is understood, and what the page says
//! comes of it does.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use fogline_protocol::city::message::{Alive, Averages, Global, NodeWord, Samples, Taken};
use fogline_protocol::topic::{Down, Neighbour, Peer, Topic, Up};
use fogline_protocol::wire::{
    Ack, Ask, Batch, Beat, Decision, DecisionAck, Hello, Log, Message, Reply, Request, Status, WireError,
};
use fogline_tests::real::{Kind, Program, Recipe, Site, get, service, until};
use std::collections::BTreeSet;
use std::path::Path;

const OF_AGENTS: [&str; 10] = [
    "down/ack",
    "down/config",
    "down/limit",
    "down/notice",
    "down/reply",
    "up/ack",
    "up/hello",
    "up/readings",
    "up/request",
    "up/status",
];
const OF_OTHERS: [&str; 9] = [
    "ingest/ask",
    "ingest/beat",
    "ingest/log",
    "peers/alive",
    "peers/averages",
    "peers/global",
    "peers/node",
    "peers/samples",
    "peers/taken",
];

/// The lines of the page that begin with a program's name, out of their table cells.
fn lines(program: &str) -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mosquitto-compat/README.md");
    let page = std::fs::read_to_string(page).unwrap();
    let start = format!("| `{program} ");
    let cell = |row: &str| row.split_once(&start)?.1.strip_suffix("` |").map(|line| format!("{program} {line}"));
    page.lines().filter_map(cell).collect()
}

/// A line as a shell runs it, at this broker.
fn at(site: &Site, line: &str, more: &str) -> Recipe {
    let (program, rest) = line.split_once(' ').unwrap();
    let line = format!("exec stdbuf -oL {program} -h 127.0.0.1 -p {} {more} {rest}", site.broker.port);
    Recipe::new("sh").args(["-c", &line])
}

/// What the watching lines have seen, as topic and message.
struct Watchers(Vec<Program>);

impl Watchers {
    fn start(site: &Site) -> Self {
        let start = |line: &String| Program::start(at(site, line, "-d").ready_when("Subscribed (mid"));
        Self(lines("mosquitto_sub").iter().map(start).collect())
    }

    /// Waits until a line shows a message on this topic that has `part` in it.
    fn until_seen(&self, topic: &str, part: &str) -> String {
        let start = format!("{topic} ");
        until(&format!("{part:?} on {topic}"), || {
            let mut seen = self
                .0
                .iter()
                .flat_map(|program| program.output().text().lines().map(str::to_owned).collect::<Vec<_>>());
            seen.find(|line| line.starts_with(&start) && line.contains(part))
        })
    }
}

/// The topic and the message of a publishing line, the time filled in by the shell.
fn spelled(line: &str) -> (String, String) {
    let rest = line.strip_prefix("mosquitto_pub -q 1 -t ").expect("all begin alike");
    let echo = Recipe::new("sh").args(["-c", &format!("printf '%s\\n' {}", rest.replacen("-m ", "", 1))]);
    let (status, output) = echo.run();
    assert!(status.success(), "{output}");
    let (topic, message) = output.trim_end().split_once('\n').unwrap();
    (topic.to_owned(), message.to_owned())
}

fn everything_in_the_readme_works(kind: Kind) {
    if service("mosquitto_sub").is_none() || service("mosquitto_pub").is_none() || service("stdbuf").is_none() {
        return;
    }
    let Some(site) = Site::start(kind) else { return };
    let watchers = Watchers::start(&site);
    // An ingester speaks of itself.
    watchers.until_seen("fogline/v1/ingest/ingest/ingest-1/beat", r#""role":"leading""#);
    let mut channels = BTreeSet::new();
    for line in lines("mosquitto_pub") {
        let (topic, message) = spelled(&line);
        let parsed = Topic::parse(&topic).unwrap();
        assert_eq!(understand(&parsed, message.as_bytes()), Ok(()), "{message}");
        channels.insert(channel(&parsed));
        let (status, output) = at(&site, &line, "").run();
        assert!(status.success(), "{line}: {output}");
        // The time may be a second later.
        watchers.until_seen(&topic, &message[..message.find("ts_us").unwrap_or(message.len())]);
        what_comes_of(&site, &watchers, &parsed);
    }
    let all: BTreeSet<String> = OF_AGENTS.into_iter().chain(OF_OTHERS).map(str::to_owned).collect();
    assert_eq!(channels, all, "there is a line for each topic");
    assert_eq!(lines("mosquitto_sub").len(), all.len(), "and one to watch it");
    assert!(site.ingester.leads(), "the ingester goes on");
}

/// What the page says comes of a message, where that is something.
fn what_comes_of(site: &Site, watchers: &Watchers, topic: &Topic) {
    let ack = "fogline/v1/a7/by-hand/down/ack";
    match topic {
        Topic::Up(_, Up::Readings) => {
            watchers.until_seen(ack, r#""through":1"#);
            assert_eq!(site.ingester.database().stored("by-hand"), 1);
        }
        Topic::Up(_, Up::Hello) => drop(watchers.until_seen(ack, r#""hello":1"#)),
        Topic::Up(_, Up::Status) => until("the agent is listed", || {
            get(site.ingester.http(), "/api/v1/agents").filter(|(_, page)| page.contains("by-hand")).map(drop)
        }),
        Topic::Up(_, Up::Request) => until("the question is answered", || {
            let seen = |program: &Program| {
                let text = program.output().text();
                text.lines().any(|line| line.contains("by-hand/down/") && line.contains("occupancy"))
            };
            watchers.0.iter().any(seen).then_some(())
        }),
        _ => {}
    }
}

#[test]
fn everything_in_the_readme_works_with_mosquitto() {
    everything_in_the_readme_works(Kind::Mosquitto);
}

#[test]
fn everything_in_the_readme_works_with_our_broker() {
    everything_in_the_readme_works(Kind::Embedded);
}

/// Every message of the protocol has its line: a new one does not compile here until it is thought of.
fn understand(topic: &Topic, payload: &[u8]) -> Result<(), WireError> {
    match topic {
        Topic::Up(_, Up::Hello) => Hello::decode(payload).map(drop),
        Topic::Up(_, Up::Readings) => Batch::decode(payload).map(drop),
        Topic::Up(_, Up::Status) => Status::decode(payload).map(drop),
        Topic::Up(_, Up::Ack) => DecisionAck::decode(payload).map(drop),
        Topic::Up(_, Up::Request) => Request::decode(payload).map(drop),
        Topic::Down(_, Down::Ack) => Ack::decode(payload).map(drop),
        Topic::Down(_, Down::Limit | Down::Notice | Down::Config) => Decision::decode(payload).map(drop),
        Topic::Down(_, Down::Reply) => Reply::decode(payload).map(drop),
        Topic::Peers(_, Neighbour::Node, _) => NodeWord::decode(payload).map(drop),
        Topic::Peers(_, Neighbour::Global, _) => Global::decode(payload).map(drop),
        Topic::Peers(_, Neighbour::Samples, _) => Samples::decode(payload).map(drop),
        Topic::Peers(_, Neighbour::Alive, _) => Alive::decode(payload).map(drop),
        Topic::Peers(_, Neighbour::Averages, _) => Averages::decode(payload).map(drop),
        Topic::Peers(_, Neighbour::Taken, _) => Taken::decode(payload).map(drop),
        Topic::Ingest(_, _, Peer::Beat) => Beat::decode(payload).map(drop),
        Topic::Ingest(_, _, Peer::Log) => Log::decode(payload).map(drop),
        Topic::Ingest(_, _, Peer::Ask) => Ask::decode(payload).map(drop),
    }
}

fn channel(topic: &Topic) -> String {
    match topic {
        Topic::Up(_, up) => format!("up/{}", up.as_str()),
        Topic::Down(_, down) => format!("down/{}", down.as_str()),
        Topic::Peers(_, channel, _) => format!("peers/{}", channel.as_str()),
        Topic::Ingest(_, _, peer) => format!("ingest/{}", peer.as_str()),
    }
}
