//! What an operator decides, over what is computed: the ingester's node with a store that answers at once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use bytes::Bytes;
use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal, End, Target};
use fogline_protocol::ids::{AgentId, Name, StreamId, Term};
use fogline_protocol::node::{CloudConfig, CloudEffect, CloudInput, CloudNode, Machine};
use fogline_protocol::store::{Commit, CommitReport, DecisionRecord, Fate, Recovered, StoreAnswer, StoreCommand};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::{Topic, Up};
use fogline_protocol::wire::{BatchHeader, Decision, DecisionAck, Message, Outcome};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const STREAM: StreamId = StreamId::from_bits(7);
const EPOCH_US: i64 = 1_700_000_000_000_000;
const MINUTE: u64 = 60;

fn at(s: u64) -> Now {
    Now {
        mono: Monotonic::from_us(s * 1_000_000),
        wall: Wall::from_us(EPOCH_US + i64::try_from(s).unwrap() * 1_000_000),
    }
}

fn id(agent: &str) -> AgentId {
    AgentId { region: Name::new("a7").unwrap(), agent: Name::new(agent).unwrap() }
}

fn target(agent: Option<&str>) -> Target {
    let agent = agent.map(|agent| Name::new(agent).unwrap());
    Target { region: Name::new("a7").unwrap(), agent, key: "limit".to_owned() }
}

/// An ingester, its state, and what agents were told.
struct Desk {
    cloud: CloudNode,
    now: u64,
    /// The newest record of each decision, by agent and number.
    decisions: BTreeMap<(AgentId, String, u64), DecisionRecord>,
    directives: BTreeMap<u64, Directive>,
    told: Vec<(AgentId, Decision)>,
    /// The terms of what agents have answered last: so they say in their hellos.
    terms: BTreeMap<AgentId, Term>,
    answers: BTreeMap<u64, Result<Directive, DirectiveRefusal>>,
    /// Agents that answer what they are told.
    answering: bool,
    next_seq: u64,
    commits: u64,
}

impl Desk {
    fn new() -> Self {
        Self::with(Recovered { term: 1, ..Recovered::default() }, 0)
    }

    fn with(recovered: Recovered, now: u64) -> Self {
        let mut cloud = CloudNode::new(CloudConfig::new(Name::new("ingest-1").unwrap(), now), recovered, at(now));
        cloud.handle(CloudInput::Connected { broker: 0 }, at(now));
        Self {
            cloud,
            now,
            decisions: BTreeMap::new(),
            directives: BTreeMap::new(),
            told: Vec::new(),
            terms: BTreeMap::new(),
            answers: BTreeMap::new(),
            answering: true,
            next_seq: 1,
            commits: 0,
        }
    }

    /// Another life that finds what this one left, after a while.
    fn restart(self, down: u64) -> Self {
        let now = self.now + down;
        let in_force = |record: &&DecisionRecord| {
            let ends = record.decided.us() + i64::try_from(record.decision.ttl_ms).unwrap() * 1000;
            record.fate == Fate::Outstanding || ends > at(now).wall.us()
        };
        let mut newest: BTreeMap<(AgentId, String), DecisionRecord> = BTreeMap::new();
        for ((id, key, _), record) in &self.decisions {
            newest.insert((id.clone(), key.clone()), record.clone());
        }
        let decisions = newest.into_values().filter(|record| in_force(&record)).collect();
        let directives = self.directives.into_values().filter(|directive| directive.ended.is_none()).collect();
        let mut next = Self::with(Recovered { term: 2, decisions, directives, ..Recovered::default() }, now);
        next.next_seq = self.next_seq;
        next.terms = self.terms;
        next
    }

    fn say(&mut self, agent: &str, channel: Up, payload: Vec<u8>) {
        let topic = Topic::Up(id(agent), channel).to_string();
        self.cloud.handle(CloudInput::Message { broker: 0, topic, payload: Bytes::from(payload) }, at(self.now));
        self.settle();
    }

    fn hello(&mut self, agent: &str) {
        let term = json!(self.terms.get(&id(agent)));
        let hello = format!(
            r#"{{"v":1,"hello":1,"agent_version":"0","term":{term},"streams":[{{"stream":"0000000000000007","floor":1,"next":1}}]}}"#
        );
        self.say(agent, Up::Hello, hello.into_bytes());
    }

    /// A car passes now.
    fn car(&mut self, agent: &str, kmh: u32) {
        let header =
            BatchHeader { stream: STREAM, floor: 1, first: self.next_seq, gaps: Vec::new(), clock: 0, time: None };
        self.next_seq += 1;
        let ts = at(self.now).wall.us();
        let reading = format!(r#"{{"ts_us":{ts},"sensor":"s","kind":"road","fields":{{"speed_kmh":{kmh}}}}}"#);
        self.say(agent, Up::Readings, header.encode(reading.as_bytes()));
    }

    fn direct(&mut self, ticket: u64, agent: Option<&str>, set: Option<(u32, u64)>) {
        let set = set.map(|(kmh, until)| (json!({ "limit_kmh": kmh }), Some(at(until).wall.us())));
        let change = DirectiveChange { target: target(agent), set, by: Some("anna".to_owned()) };
        self.cloud.handle(CloudInput::Direct { ticket, change }, at(self.now));
        self.settle();
    }

    fn pass(&mut self, s: u64) {
        for _ in 0..s {
            self.now += 1;
            self.cloud.handle_timeout(at(self.now));
            self.settle();
        }
    }

    fn settle(&mut self) {
        while let Some(effect) = self.cloud.poll_effect() {
            match effect {
                CloudEffect::Publish { publish, .. } => self.heard(&publish.topic, &publish.payload),
                CloudEffect::Store(StoreCommand::Commit(commit)) => self.keep(&commit),
                CloudEffect::Store(StoreCommand::Recall(id, stream)) => {
                    self.cloud.handle(CloudInput::Store(StoreAnswer::Recalled(id, stream, Ok(None))), at(self.now));
                }
                CloudEffect::Store(other) => panic!("{other:?}"),
                CloudEffect::Directed { ticket, result } => {
                    self.answers.insert(ticket, result);
                }
            }
        }
    }

    fn keep(&mut self, commit: &Commit) {
        for record in &commit.decisions {
            let name = (record.agent.clone(), record.decision.key.clone(), record.decision.seq);
            self.decisions.insert(name, record.clone());
        }
        self.directives.extend(commit.directives.iter().map(|directive| (directive.id, directive.clone())));
        self.commits = commit.id;
        let done = StoreAnswer::Committed(commit.id, Ok(CommitReport { stored: 0, dead: 0 }));
        self.cloud.handle(CloudInput::Store(done), at(self.now));
    }

    fn heard(&mut self, topic: &str, payload: &[u8]) {
        let Ok(Topic::Down(to, _)) = Topic::parse(topic) else { panic!("{topic}") };
        let Ok(decision) = Decision::decode(payload) else { return };
        self.told.push((to.clone(), decision.clone()));
        if self.answering {
            let Decision { key, term, seq, decided_us, .. } = decision;
            self.terms.insert(to.clone(), term.clone());
            let answer =
                DecisionAck { key, term, seq, decided_us, outcome: Outcome::Applied, highest: None, reason: None };
            self.say(to.agent.as_str(), Up::Ack, answer.encode());
        }
    }

    /// What an agent was told last.
    fn body(&self, agent: &str) -> Value {
        self.told
            .iter()
            .rev()
            .find(|(to, _)| *to == id(agent))
            .map_or(Value::Null, |(_, decision)| decision.body.clone())
    }

    /// The limit that an agent was told last; 0: that there is none.
    fn limit(&self, agent: &str) -> f64 {
        self.body(agent)["limit_kmh"].as_f64().unwrap_or(0.0)
    }

    /// A window passes in which cars drive so fast.
    fn window(&mut self, kmh: u32) {
        self.car("lane-1", kmh);
        self.car("lane-1", kmh);
        self.pass(7);
    }
}

#[test]
fn a_directive_stands_before_what_is_computed_and_gives_way_at_once() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    desk.window(100);
    assert!((desk.limit("lane-1") - 100.0).abs() < 1e-9);
    desk.direct(1, None, Some((80, 20 * MINUTE)));
    let set = desk.answers[&1].clone().unwrap();
    assert_eq!((set.by.as_deref(), set.until_us), (Some("anna"), Some(at(20 * MINUTE).wall.us())));
    let body = desk.body("lane-1");
    assert_eq!(
        (&body["limit_kmh"], &body["by"], &body["directive"]),
        (&json!(80.0), &json!("operator"), &json!(set.id))
    );
    for _ in 0..3 {
        desk.window(120);
        assert!((desk.limit("lane-1") - 80.0).abs() < 1e-9, "{}", desk.body("lane-1"));
    }
    desk.direct(2, None, None);
    assert_eq!(desk.answers[&2].clone().unwrap().ended.unwrap().how, End::Cleared);
    let body = desk.body("lane-1");
    assert!(body["limit_kmh"] == json!(120.0) && body["mean_kmh"] == json!(120.0), "without a further reading: {body}");
    desk.direct(3, None, None);
    assert!(matches!(desk.answers[&3], Err(DirectiveRefusal::NotSet(_))));
}

#[test]
fn a_directive_ends_by_itself() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    desk.direct(1, None, Some((80, 30)));
    desk.pass(20);
    desk.window(120);
    assert!((desk.limit("lane-1") - 80.0).abs() < 1e-9);
    desk.pass(4);
    assert!((desk.limit("lane-1") - 120.0).abs() < 1e-9, "{}", desk.body("lane-1"));
    let kept = desk.directives.values().next().unwrap();
    assert_eq!(kept.ended.as_ref().unwrap().how, End::Expired);
}

#[test]
fn where_nothing_is_computed_an_agent_is_told_that_nothing_is_decided() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    desk.direct(1, Some("lane-1"), Some((80, 10 * MINUTE)));
    desk.direct(2, Some("lane-1"), None);
    assert_eq!(desk.body("lane-1"), json!({ "limit_kmh": null }));
    let ttl_ms = desk.told.last().unwrap().1.ttl_ms;
    assert_eq!(ttl_ms, 10 * MINUTE * 1000, "as long as the other one would have lasted");
}

#[test]
fn whoever_comes_after_its_end_is_not_told_of_it() {
    let mut desk = Desk::new();
    desk.direct(1, None, Some((80, MINUTE)));
    desk.now += MINUTE;
    desk.hello("lane-1");
    assert_eq!(desk.told, []);
}

#[test]
fn an_agent_that_says_no_hello_because_an_earlier_life_has_answered_it_is_told_all_the_same() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    let mut desk = desk.restart(1);
    desk.direct(1, None, Some((80, 10 * MINUTE)));
    assert_eq!(desk.told, [], "nobody is known");
    desk.car("lane-1", 100);
    assert_eq!(desk.body("lane-1")["limit_kmh"], 80.0);
}

#[test]
fn an_agent_whose_queue_file_is_a_new_one_is_told_again() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    desk.direct(1, None, Some((80, 10 * MINUTE)));
    desk.told.clear();
    desk.hello("lane-1");
    assert_eq!(desk.told, [], "it has answered");
    desk.terms.clear();
    desk.hello("lane-1");
    assert_eq!(desk.body("lane-1")["limit_kmh"], 80.0, "it has never heard of any decision");
    desk.told.clear();
    desk.pass(30);
    assert_eq!(desk.told, [], "once is enough");
}

#[test]
fn an_agents_own_directive_counts_before_its_regions() {
    let mut desk = Desk::new();
    ["lane-1", "lane-2"].into_iter().for_each(|agent| desk.hello(agent));
    desk.direct(1, Some("lane-1"), Some((100, 10 * MINUTE)));
    desk.direct(2, None, Some((80, 10 * MINUTE)));
    let limits = |desk: &Desk| ["lane-1", "lane-2"].map(|agent| desk.body(agent)["limit_kmh"].clone());
    assert_eq!(limits(&desk), [json!(100.0), json!(80.0)]);
    desk.direct(3, Some("lane-1"), None);
    assert_eq!(limits(&desk), [json!(80.0), json!(80.0)], "what is left of it is the region's");
    desk.direct(4, None, Some((90, 10 * MINUTE)));
    assert_eq!(limits(&desk), [json!(90.0), json!(90.0)]);
    assert_eq!(desk.directives.values().filter(|kept| kept.ended.is_none()).count(), 1);
}

#[test]
fn an_agent_that_comes_later_is_told_and_told_once() {
    let mut desk = Desk::new();
    desk.direct(1, None, Some((80, 60 * MINUTE)));
    desk.hello("lane-9");
    assert!((desk.limit("lane-9") - 80.0).abs() < 1e-9);
    let told = desk.told.len();
    desk.hello("lane-9");
    desk.pass(20);
    assert_eq!(desk.told.len(), told, "it has answered");
}

#[test]
fn an_agent_that_is_away_is_told_when_it_is_back_also_of_the_end() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    desk.direct(1, None, Some((80, 120 * MINUTE)));
    desk.answering = false;
    desk.pass(20 * MINUTE);
    desk.direct(2, None, None);
    desk.pass(20 * MINUTE);
    desk.told.clear();
    desk.answering = true;
    desk.hello("lane-1");
    assert_eq!(desk.body("lane-1"), json!({ "limit_kmh": null }), "although it was forgotten twice over");
}

#[test]
fn whoever_missed_a_shorter_directive_does_not_keep_to_the_longer_one_before_it() {
    for gone in [2, 30 * MINUTE] {
        let mut desk = Desk::new();
        desk.hello("lane-1");
        desk.direct(1, None, Some((80, 60 * MINUTE)));
        desk.answering = false;
        desk.direct(2, None, Some((60, 1)));
        desk.pass(gone);
        desk.told.clear();
        desk.answering = true;
        desk.hello("lane-1");
        assert_eq!(desk.body("lane-1"), json!({ "limit_kmh": null }), "after {gone} s");
    }
}

#[test]
fn a_directive_outlives_the_ingester_and_so_does_its_end() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    desk.direct(1, None, Some((80, 10 * MINUTE)));
    let mut desk = desk.restart(MINUTE);
    desk.hello("lane-1");
    assert_eq!(desk.told, [], "it has answered the one before");
    desk.window(120);
    assert_eq!(desk.told, [], "what is computed waits");
    desk.direct(1, None, None);
    assert!((desk.limit("lane-1") - 120.0).abs() < 1e-9);

    desk.answering = false;
    desk.direct(2, None, Some((70, desk.now + 5 * MINUTE)));
    let mut desk = desk.restart(6 * MINUTE);
    desk.hello("lane-1");
    desk.pass(2);
    assert_ne!(desk.body("lane-1")["limit_kmh"], json!(70.0), "its time was over meanwhile");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut desk = Desk::new();
    desk.hello("lane-1");
    for (ticket, set) in [(1, (20, 60)), (2, (140, 60)), (3, (80, 0)), (4, (80, 25 * 60 * MINUTE))] {
        desk.direct(ticket, None, Some(set));
        assert!(matches!(desk.answers[&ticket], Err(DirectiveRefusal::Value(_))), "{set:?}");
    }
    assert_eq!((desk.told.len(), desk.directives.len()), (0, 0));
}
