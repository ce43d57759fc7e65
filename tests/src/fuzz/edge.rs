//! An edge node over the simulator's queue: readings, acknowledgements and decisions that may be nonsense, a disk that fails,
//! connections that come and go. What it sends is in order, and only while it is connected.

use super::input::Input;
use crate::hostile::id;
use crate::sim::disk::SimDisk;
use fogline_protocol::clock::BootId;
use fogline_protocol::delivery::BATCH_MAX_BYTES;
use fogline_protocol::delivery::lanes::Order;
use fogline_protocol::failover::{FAILOVER_AFTER, FailoverConfig};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::node::{ClockConfig, EdgeConfig, EdgeEffect, EdgeInput, EdgeNode, Machine, Publish};
use fogline_protocol::queue::{FullPolicy, QueueAnswer, QueueCommand, QueueFault, QueueLimits};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::{Down, Topic, Up};
use fogline_protocol::wire::{Ack, Batch, DecisionAck, Hello, Message, State, Status, StreamAck};
use std::time::Duration;

/// Effects that follow one input, at most: more would be a loop.
const EFFECTS_MAX: usize = 10_000;

struct Desk {
    id: AgentId,
    node: EdgeNode,
    disk: SimDisk,
    fails: bool,
    connected: bool,
    connections: u64,
    now_us: u64,
    hello: Option<Hello>,
    streams: Vec<StreamId>,
    tickets: u64,
}

/// Readings, messages, faults and time.
pub fn edge_node(data: &[u8]) {
    let mut input = Input::new(data);
    let policy = [FullPolicy::DropOldest, FullPolicy::DropNewest, FullPolicy::Block][input.below(3) as usize];
    let limits = QueueLimits { readings: 20 + input.below(256), bytes: 1 << 20, max_age_us: None, policy };
    let mut desk = Desk::new(limits);
    while !input.is_over() {
        desk.step(&mut input);
    }
}

impl Desk {
    fn new(limits: QueueLimits) -> Self {
        let mut disk = SimDisk::new(limits);
        let state = disk.open();
        let (id, commit_every) = (id("edge"), Duration::from_millis(50));
        let failover = FailoverConfig { brokers: 1, failover_after: FAILOVER_AFTER, prefer_primary_after: None };
        let agent_version = "1".to_owned();
        let clock = ClockConfig::new(BootId::from_bits(1));
        let config = EdgeConfig {
            id: id.clone(),
            agent_version,
            limits,
            commit_every,
            failover,
            clock,
            order: Order::FreshFirst,
            questions: Vec::new(),
            trial: Duration::from_secs(120),
            seed: 1,
        };
        let node = EdgeNode::new(config, &state, now(1));
        let (hello, streams) = (None, Vec::new());
        Self { id, node, disk, fails: false, connected: false, connections: 0, now_us: 1, hello, streams, tickets: 0 }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(9) {
            0 | 1 => self.read(1 + input.below(30)),
            2 => {
                self.connected = input.below(3) > 0;
                self.connections += 1;
                let connection = self.connections;
                self.handle(if self.connected {
                    EdgeInput::Connected { broker: 0, connection }
                } else {
                    EdgeInput::Disconnected
                });
            }
            3 => self.fails = input.below(3) == 0,
            4 => {
                let payload = input.bytes(200).to_vec();
                self.hear(if payload.len().is_multiple_of(2) { Down::Ack } else { Down::Limit }, payload);
            }
            5 | 6 => self.acknowledge(input),
            7 => self.decide(input),
            _ => {
                self.now_us += input.below(6_000) * 1_000;
                self.node.handle_timeout(now(self.now_us));
                self.work();
            }
        }
    }

    fn read(&mut self, count: u64) {
        if !self.node.wants_readings() {
            return;
        }
        let mut readings = Readings::new();
        for n in 0..count {
            let ts = Wall::from_us(i64::try_from(self.now_us + n).unwrap());
            readings.push(ts, "lane-1", "road", &[("speed_kmh", Value::Number(90.0))]).unwrap();
        }
        self.tickets += 1;
        self.handle(EdgeInput::Readings { ticket: self.tickets, readings, position: None });
    }

    fn acknowledge(&mut self, input: &mut Input<'_>) {
        let known = self.streams.get(input.below(4) as usize).copied();
        let stream = known.unwrap_or(StreamId::from_bits(7));
        let (through, first) = (input.below(300), input.below(300));
        let ranges = if first > through { vec![(first, first + input.below(20)).into()] } else { Vec::new() };
        let hello = self.hello.as_ref().map(|hello| hello.hello).filter(|_| input.below(2) == 0);
        let state = [State::Ok, State::Busy, State::StoreDown][input.below(3) as usize];
        let credit = input.below(65_536) << input.below(8);
        self.hear(
            Down::Ack,
            Ack { hello, credit, state, streams: vec![StreamAck { stream, through, ranges }], reply: None }.encode(),
        );
    }

    fn decide(&mut self, input: &mut Input<'_>) {
        let (counter, seq, ttl) = (1 + input.below(4), 1 + input.below(6), 1 + input.below(5_000));
        let decision = format!(
            r#"{{"v":1,"key":"limit","term":{{"counter":{counter},"ingester":"i"}},"seq":{seq},"ttl_ms":{ttl},"body":{{}}}}"#
        );
        self.hear(Down::Limit, decision.into_bytes());
    }

    fn hear(&mut self, channel: Down, payload: Vec<u8>) {
        let topic = Topic::Down(self.id.clone(), channel).to_string();
        self.handle(EdgeInput::Message { topic, payload: payload.into() });
    }

    fn handle(&mut self, input: EdgeInput) {
        self.node.handle(input, now(self.now_us));
        self.work();
    }

    fn work(&mut self) {
        for _ in 0..EFFECTS_MAX {
            match self.node.poll_effect() {
                Some(EdgeEffect::Queue(command)) => self.ask(command),
                Some(EdgeEffect::Publish(publish)) => self.said(&publish),
                Some(EdgeEffect::Accepted { ticket }) => assert!(ticket <= self.tickets),
                Some(EdgeEffect::InForce { .. } | EdgeEffect::Tune(_)) => {}
                Some(EdgeEffect::UseBroker(to)) => panic!("there is one broker: {to:?}"),
                None => return,
            }
        }
        panic!("SPINS");
    }

    fn ask(&mut self, command: QueueCommand) {
        let fault = QueueFault::Io("the test says so".to_owned());
        let answer = match command {
            QueueCommand::Append(_) if self.fails => QueueAnswer::Appended(Err(fault)),
            QueueCommand::Load(_) if self.fails => QueueAnswer::Loaded(Err(fault)),
            QueueCommand::Free(_) if self.fails => QueueAnswer::Freed(Err(fault)),
            QueueCommand::SaveDecision(_) if self.fails => QueueAnswer::DecisionSaved(Err(fault)),
            command => self.disk.execute(command, now(self.now_us).wall),
        };
        self.disk.sync();
        self.node.handle(EdgeInput::Queue(answer), now(self.now_us));
    }

    fn said(&mut self, publish: &Publish) {
        assert!(self.connected, "said without a connection: {}", publish.topic);
        assert!(publish.payload.len() <= BATCH_MAX_BYTES, "{} bytes", publish.payload.len());
        match Topic::parse(&publish.topic) {
            Ok(Topic::Up(_, Up::Readings)) => drop(Batch::decode(&publish.payload).unwrap()),
            Ok(Topic::Up(_, Up::Status)) => drop(Status::decode(&publish.payload).unwrap()),
            Ok(Topic::Up(_, Up::Ack)) => drop(DecisionAck::decode(&publish.payload).unwrap()),
            Ok(Topic::Up(_, Up::Hello)) => {
                let hello = Hello::decode(&publish.payload).unwrap();
                self.streams = hello.streams.iter().map(|open| open.stream).collect();
                self.hello = Some(hello);
            }
            other => panic!("{other:?}"),
        }
    }
}

fn now(us: u64) -> Now {
    Now { mono: Monotonic::from_us(us), wall: Wall::from_us(i64::try_from(us).unwrap()) }
}
