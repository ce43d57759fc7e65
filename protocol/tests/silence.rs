//! Who is silent, and who is not: an agent that leaves a broker, or stays.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use bytes::Bytes;
use fogline_protocol::clock::{BootId, Stamps};
use fogline_protocol::delivery::lanes::Order;
use fogline_protocol::failover::{FAILOVER_AFTER, FailoverConfig, Move, MoveReason};
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::node::{ClockConfig, EdgeConfig, EdgeEffect, EdgeInput, EdgeNode, Machine, Publish};
use fogline_protocol::queue::{
    FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, QueueState, QueueUsage, Run, Segment,
};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::{Down, Topic};
use fogline_protocol::wire::{Ack, Hello, Message, State};
use std::time::Duration;

const STREAM: StreamId = StreamId::from_bits(7);
const READING: &[u8] = br#"{"ts_us":1,"sensor":"s","kind":"road","fields":{"speed_kmh":1.0}}"#;

fn now(ms: u64) -> Now {
    Now { mono: Monotonic::from_us(ms * 1000), wall: Wall::from_us(i64::try_from(ms).unwrap() * 1000) }
}

fn id() -> AgentId {
    AgentId { region: Name::new("north").unwrap(), agent: Name::new("lane-1").unwrap() }
}

/// An agent with one reading in its queue.
struct Edge {
    node: EdgeNode,
    now_ms: u64,
    said: Vec<Publish>,
    moved: Option<Move>,
}

impl Edge {
    fn connected(brokers: usize) -> Self {
        let limits = QueueLimits { readings: 100, bytes: 1 << 20, max_age_us: None, policy: FullPolicy::DropOldest };
        let config = EdgeConfig {
            id: id(),
            agent_version: "0".to_owned(),
            limits,
            commit_every: Duration::ZERO,
            failover: FailoverConfig { brokers, failover_after: FAILOVER_AFTER, prefer_primary_after: None },
            clock: ClockConfig::new(BootId::from_bits(1)),
            seed: 3,
            order: Order::FreshFirst,
            questions: Vec::new(),
            trial: Duration::from_secs(120),
        };
        let state = QueueState {
            opening: 1,
            segments: vec![Segment { first: 1, stream: STREAM, clock: 0, stamps: Stamps::Given }],
            next: 2,
            oldest: Some(1),
            gaps: Vec::new(),
            usage: QueueUsage { readings: 1, bytes: 10, ..QueueUsage::default() },
            decisions: Vec::new(),
            positions: Vec::new(),
        };
        let mut edge = Self { node: EdgeNode::new(config, &state, now(0)), now_ms: 0, said: Vec::new(), moved: None };
        edge.handle(EdgeInput::Connected { broker: 0, connection: 1 });
        edge
    }

    fn handle(&mut self, input: EdgeInput) {
        self.node.handle(input, now(self.now_ms));
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(effect) = self.node.poll_effect() {
            match effect {
                EdgeEffect::Publish(publish) => self.said.push(publish),
                EdgeEffect::UseBroker(to) => assert_eq!(self.moved.replace(to), None, "said twice"),
                EdgeEffect::Queue(QueueCommand::Load(Load { from, .. })) => {
                    let run = Run { first: from, times: vec![Wall::from_us(1)], json: READING.to_vec() };
                    self.node.handle(EdgeInput::Queue(QueueAnswer::Loaded(Ok(Some(run)))), now(self.now_ms));
                }
                EdgeEffect::Queue(_)
                | EdgeEffect::Accepted { .. }
                | EdgeEffect::InForce { .. }
                | EdgeEffect::Tune(_) => {}
            }
        }
    }

    /// Lets time pass, but for a move.
    fn run_until(&mut self, ms: u64) {
        while let Some(wake) = self.node.poll_timeout().filter(|wake| wake.us() <= ms * 1000) {
            if self.moved.is_some() {
                return;
            }
            self.now_ms = self.now_ms.max(wake.us().div_ceil(1000));
            self.node.handle_timeout(now(self.now_ms));
            self.drain();
        }
        self.now_ms = ms;
    }

    fn hears(&mut self, payload: Vec<u8>) {
        let topic = Topic::Down(id(), Down::Ack).to_string();
        self.handle(EdgeInput::Message { topic, payload: Bytes::from(payload) });
    }

    fn hears_state(&mut self, state: State) {
        self.hears(Ack { hello: None, credit: 50_000, state, streams: Vec::new(), reply: None }.encode());
    }

    fn hello_is_answered(&mut self) {
        let said = self.said.iter().rfind(|publish| publish.topic.ends_with("/up/hello")).unwrap();
        let hello = Hello::decode(&said.payload).unwrap().hello;
        self.hears(
            Ack { hello: Some(hello), credit: 50_000, state: State::Ok, streams: Vec::new(), reply: None }.encode(),
        );
    }

    fn batches(&self) -> usize {
        self.said.iter().filter(|publish| publish.topic.ends_with("/up/readings")).count()
    }
}

fn is_silence(to: Option<Move>) -> bool {
    to.is_some_and(|to| to.broker == 1 && matches!(to.reason, MoveReason::Silent(time) if time >= FAILOVER_AFTER))
}

#[test]
fn an_unanswered_hello_is_a_silence() {
    let mut edge = Edge::connected(2);
    edge.run_until(9_999);
    assert_eq!(edge.moved, None);
    edge.run_until(60_000);
    assert!(is_silence(edge.moved) && edge.now_ms <= 11_300, "{:?} at {}", edge.moved, edge.now_ms);
    edge.handle(EdgeInput::Disconnected);
    edge.moved = None;
    edge.handle(EdgeInput::Connected { broker: 1, connection: 2 });
    assert_eq!((edge.node.snapshot().broker, edge.node.snapshot().moves), (Some(1), 1));
}

#[test]
fn readings_without_an_answer_are_a_silence_however_often_they_are_sent_again() {
    let mut edge = Edge::connected(2);
    edge.hello_is_answered();
    assert_eq!(edge.batches(), 1);
    edge.run_until(60_000);
    assert!(is_silence(edge.moved) && edge.now_ms <= 11_300, "{:?} at {}", edge.moved, edge.now_ms);
    assert!(edge.batches() > 2);
}

#[test]
fn whoever_says_that_it_waits_is_not_silent() {
    for state in [State::Busy, State::StoreDown, State::Ok] {
        let mut edge = Edge::connected(2);
        for second in (2..600).step_by(2) {
            edge.hears_state(state);
            edge.run_until(second * 1000);
        }
        assert_eq!(edge.moved, None, "{state:?}");
    }
}

#[test]
fn words_that_make_no_sense_are_none() {
    let mut edge = Edge::connected(2);
    for second in (2..60).step_by(2) {
        edge.run_until(second * 1000);
        if edge.moved.is_none() {
            edge.hears(b"{\"v\":1}".to_vec());
        }
    }
    assert!(is_silence(edge.moved));
}

#[test]
fn an_agent_of_which_everything_is_acknowledged_stays() {
    let mut edge = Edge::connected(2);
    edge.hello_is_answered();
    let ack = r#"{"v":1,"credit":50000,"state":"ok","streams":[{"stream":"0000000000000007","through":1}]}"#;
    edge.hears(ack.as_bytes().to_vec());
    edge.run_until(3_600_000);
    assert_eq!(edge.moved, None);
}

#[test]
fn with_one_broker_an_agent_stays() {
    let mut edge = Edge::connected(1);
    edge.run_until(600_000);
    assert_eq!(edge.moved, None);
}

#[test]
fn an_ingester_that_knows_nothing_of_the_agent_is_told_at_once_and_not_too_often() {
    let mut edge = Edge::connected(2);
    let hellos = |edge: &Edge| edge.said.iter().filter(|publish| publish.topic.ends_with("/up/hello")).count();
    edge.hello_is_answered();
    assert_eq!((hellos(&edge), edge.batches()), (1, 1));
    edge.run_until(1_000);
    assert_eq!((hellos(&edge), edge.batches()), (1, 1), "it waits for an answer");
    edge.hears_state(State::Busy);
    assert_eq!((hellos(&edge), edge.batches()), (1, 1), "one that is busy has its reading");
    edge.hears_state(State::Ok);
    assert_eq!((hellos(&edge), edge.batches()), (2, 2), "its predecessor had it");
    edge.run_until(1_500);
    edge.hears_state(State::Ok);
    assert_eq!((hellos(&edge), edge.batches()), (2, 2));
    edge.run_until(4_000);
    let (said, sent) = (hellos(&edge), edge.batches());
    edge.hears_state(State::Ok);
    assert_eq!((hellos(&edge), edge.batches()), (said + 1, sent + 1), "one takeover soon after another");
    // And one at which the hello itself waits.
    edge.handle(EdgeInput::Disconnected);
    edge.handle(EdgeInput::Connected { broker: 1, connection: 2 });
    edge.run_until(6_500);
    let before = hellos(&edge);
    edge.hears_state(State::Ok);
    assert_eq!(hellos(&edge), before + 1);
}
