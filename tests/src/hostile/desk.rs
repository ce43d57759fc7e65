//! A cloud node with a store that does what the test wants, and an agent that behaves.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test says what went wrong by panicking")]

use super::{Counts, id};
use fogline_protocol::delivery::ranges::RangeSet;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::node::{CloudConfig, CloudEffect, CloudInput, CloudNode, Machine};
use fogline_protocol::store::{Commit, CommitReport, Progress, Recovered, StoreAnswer, StoreCommand, StoreFault};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::{Topic, Up};
use fogline_protocol::wire::{Ack, BatchHeader, Message as _};
use std::collections::{BTreeMap, VecDeque};

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Does what it is asked for, at once.
    Works,
    /// Does not answer.
    Hangs,
    /// Answers that it could not.
    Fails,
}

/// The node, its store, and what it said.
#[derive(Debug)]
pub struct Desk {
    /// The node.
    pub node: CloudNode,
    /// How the store is.
    pub mood: Mood,
    /// The node's clocks.
    pub now: Now,
    mono_us: u64,
    progress: BTreeMap<(AgentId, StreamId), Progress>,
    asked: VecDeque<StoreCommand>,
    /// The points that it took: none may come twice.
    points: BTreeMap<(AgentId, StreamId), RangeSet>,
    /// The newest acknowledgement of each stream: everything up to here.
    pub through: BTreeMap<(AgentId, StreamId), u64>,
    /// Readings that the store took.
    pub stored: u64,
}

impl Desk {
    /// A connected node with so much memory for readings, before an empty store that works.
    #[must_use]
    pub fn new(memory_bytes: u64) -> Self {
        let config = CloudConfig { memory_bytes, ..CloudConfig::new(Name::new("ingest-1").unwrap(), 1) };
        let now = Now { mono: Monotonic::from_us(1), wall: Wall::from_us(1_700_000_000_000_000) };
        let mut node = CloudNode::new(config, Recovered { term: 1, ..Recovered::default() }, now);
        node.handle(CloudInput::Connected { broker: 0 }, now);
        let (progress, through) = (BTreeMap::new(), BTreeMap::new());
        let (asked, points) = (VecDeque::new(), BTreeMap::new());
        Self { node, mood: Mood::Works, now, mono_us: 1, progress, asked, points, through, stored: 0 }
    }

    /// A message comes in, some time after the one before.
    pub fn hear(&mut self, topic: String, payload: Vec<u8>) {
        self.pass(50);
        self.node.handle(CloudInput::Message { broker: 0, topic, payload: payload.into() }, self.now);
        self.work();
    }

    /// Time passes.
    pub fn pass(&mut self, us: u64) {
        let wall = Wall::from_us(self.now.wall.us() + i64::try_from(us).unwrap());
        self.mono_us += us;
        self.now = Now { mono: Monotonic::from_us(self.mono_us), wall };
        if self.node.poll_timeout().is_some_and(|at| at <= self.now.mono) {
            self.node.handle_timeout(self.now);
            self.work();
        }
    }

    /// Time passes until nothing is on its way any more.
    pub fn settle(&mut self) {
        for _ in 0..200 {
            self.work();
            self.pass(100_000);
        }
        assert_eq!((self.node.snapshot().held_bytes, self.asked.len()), (0, 0), "all of it is done");
    }

    /// Does what the node asks for. What the store does may make it ask for more.
    pub fn work(&mut self) {
        loop {
            while let Some(effect) = self.node.poll_effect() {
                match effect {
                    CloudEffect::Publish { publish, .. } => self.said(&publish.topic, &publish.payload),
                    CloudEffect::Directed { .. } => {}
                    CloudEffect::Store(command) => self.asked.push_back(command),
                }
            }
            if self.mood == Mood::Hangs {
                return;
            }
            let Some(command) = self.asked.pop_front() else { return };
            let answer = self.store(&command);
            self.node.handle(CloudInput::Store(answer), self.now);
        }
    }

    fn store(&mut self, command: &StoreCommand) -> StoreAnswer {
        let fault = || StoreFault::Transient("the test says so".to_owned());
        let fails = self.mood == Mood::Fails;
        match command {
            StoreCommand::Commit(commit) if fails => StoreAnswer::Committed(commit.id, Err(fault())),
            StoreCommand::Recall(agent, stream) if fails => StoreAnswer::Recalled(agent.clone(), *stream, Err(fault())),
            StoreCommand::Commit(commit) => StoreAnswer::Committed(commit.id, Ok(self.keep(commit))),
            StoreCommand::Recall(agent, stream) => {
                let progress = self.progress.get(&(agent.clone(), *stream)).cloned();
                StoreAnswer::Recalled(agent.clone(), *stream, Ok(progress))
            }
            StoreCommand::TakeOver(_) | StoreCommand::Export(_) | StoreCommand::Adopt(_) => {
                unreachable!("the node itself asks for none of these")
            }
        }
    }

    fn keep(&mut self, commit: &Commit) -> CommitReport {
        let stored = commit.points.iter().map(|points| points.iter().count() as u64).sum();
        for points in &commit.points {
            let known = self.points.entry((points.agent.clone(), points.stream)).or_default();
            for range in &points.fresh {
                assert_eq!(known.missing(*range), [*range], "TWICE: {} {}", points.agent, points.stream);
                known.insert(*range);
            }
        }
        for change in &commit.progress {
            self.progress.insert((change.agent.clone(), change.stream), change.progress.clone());
        }
        self.stored += stored;
        CommitReport { stored, dead: 0 }
    }

    fn said(&mut self, topic: &str, payload: &[u8]) {
        let Ok(Topic::Down(agent, _)) = Topic::parse(topic) else { panic!("{topic}") };
        if let Ok(ack) = Ack::decode(payload) {
            for stream in ack.streams {
                self.through.insert((agent.clone(), stream.stream), stream.through);
            }
        }
    }

    /// Recalls and commits that the store has not answered.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.asked.len()
    }

    /// Messages that were counted, taken and refused together.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counters = self.node.snapshot().counters;
        let all = counters.taken.iter().chain(&counters.refused);
        all.map(|(word, count)| ((*word).to_owned(), *count)).collect()
    }
}

/// An agent that behaves: one stream, batches one after the other, and again what was not acknowledged.
#[derive(Debug)]
pub struct Good {
    /// Who it is.
    pub agent: AgentId,
    /// Its stream.
    pub stream: StreamId,
    /// Batches said.
    pub said: u64,
    next: u64,
}

impl Good {
    /// An agent with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { agent: id(name), stream: StreamId::from_bits(0xfeed), said: 0, next: 1 }
    }

    /// Says the batch after the last acknowledged one.
    pub fn speak(&mut self, desk: &mut Desk) {
        self.next = self.acknowledged(desk) + 1;
        let header =
            BatchHeader { stream: self.stream, floor: self.next, first: self.next, gaps: vec![], clock: 1, time: None };
        let reading = r#"{"ts_us":1577145601420000,"sensor":"meter","kind":"power","fields":{"power_w":1}}"#;
        self.said += 1;
        desk.hear(Topic::Up(self.agent.clone(), Up::Readings).to_string(), header.encode(reading.as_bytes()));
    }

    /// All up to here is acknowledged.
    #[must_use]
    pub fn acknowledged(&self, desk: &Desk) -> u64 {
        desk.through.get(&(self.agent.clone(), self.stream)).copied().unwrap_or(0)
    }
}
