//! Entries and exits of cars through an ingester that hears them late, again and in any order, and is replaced meanwhile: each
//! stay is billed once, and rightly.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use bytes::Bytes;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::node::{CloudConfig, CloudEffect, CloudInput, CloudNode, Machine};
use fogline_protocol::reading::{Readings, Value};
use fogline_protocol::rng::Rng;
use fogline_protocol::store::{Clarification, CommitReport, Progress, Recovered, Stay, StoreAnswer, StoreCommand};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::usecase::parking::PlateKey;
use fogline_protocol::wire::{Ack, BatchHeader, Hello, Message, OpenStream};
use std::collections::BTreeMap;
use std::time::Duration;

const HOUR_US: i64 = 3_600_000_000;
/// The old stream ends here, the new one begins.
const OLD_LAST: u64 = 12;
const LAST: u64 = 24;

fn agent() -> AgentId {
    AgentId { region: Name::new("city").unwrap(), agent: Name::new("garages").unwrap() }
}

fn stream_of(seq: u64) -> StreamId {
    StreamId::from_bits(if seq <= OLD_LAST { 1 } else { 2 })
}

/// Three cars that come and go: car n drives in at 6k + n and out three readings later. What reading `seq` says.
fn movement(seq: u64) -> (&'static str, String, i64) {
    let place = (seq - 1) % 6;
    let event = if place < 3 { "entry" } else { "exit" };
    (event, format!("B-FG {}", place % 3), i64::try_from(seq).unwrap() * HOUR_US / 2)
}

/// What is kept, whoever leads.
#[derive(Default)]
struct Kept {
    progress: BTreeMap<StreamId, Progress>,
    stays: BTreeMap<(StreamId, u64), Stay>,
    clarifications: Vec<Clarification>,
    plates_seen: String,
}

struct World {
    node: CloudNode,
    kept: Kept,
    rng: Rng,
    ms: u64,
    term: u64,
    acked: BTreeMap<StreamId, Progress>,
    hellos: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let now = at(0);
        let node = node(1, &Kept::default(), now);
        let (kept, acked) = (Kept::default(), BTreeMap::new());
        Self { node, kept, rng: Rng::new(seed), ms: 0, term: 1, acked, hellos: 0 }
    }

    fn now(&self) -> Now {
        at(self.ms)
    }

    fn publish(&mut self, channel: &str, payload: Vec<u8>) {
        let topic = format!("fogline/v1/{}/up/{channel}", agent());
        self.node.handle(CloudInput::Message { broker: 0, topic, payload: Bytes::from(payload) }, self.now());
        self.work();
    }

    fn hello(&mut self) {
        self.hellos += 1;
        let open = |first: u64, last: u64| {
            let done = self.acked.get(&stream_of(first)).map_or(0, |progress| progress.through);
            let stream = stream_of(first);
            (done < last).then_some(OpenStream {
                stream,
                floor: done.max(first - 1) + 1,
                next: last + 1,
                gaps: Vec::new(),
            })
        };
        let streams = [open(1, OLD_LAST), open(OLD_LAST + 1, LAST)].into_iter().flatten().collect();
        let hello = Hello { hello: self.hellos, agent_version: "0".to_owned(), term: None, streams };
        self.publish("hello", hello.encode());
    }

    /// Some of what the agent has, wherever it begins.
    fn batch(&mut self) {
        let first = 1 + self.rng.below(LAST);
        let end = if first <= OLD_LAST { OLD_LAST } else { LAST };
        let last = (first + self.rng.below(4)).min(end);
        let done = self.acked.get(&stream_of(first)).map_or(0, |progress| progress.through);
        if last <= done {
            return;
        }
        let mut readings = Readings::new();
        for seq in first..=last {
            let (event, plate, ts_us) = movement(seq);
            let fields = [
                ("event", Value::Text(event)),
                ("plate", Value::Text(&plate)),
                ("tariff_cents_per_hour", Value::Number(100.0)),
            ];
            readings.push(Wall::from_us(ts_us), "east", "parking", &fields).unwrap();
        }
        let floor = done.max(if first <= OLD_LAST { 0 } else { OLD_LAST }) + 1;
        let (stream, first, gaps) = (stream_of(first), first.max(floor), Vec::new());
        let mut fitting = Readings::new();
        let skip = readings.len() - usize::try_from(last - first + 1).unwrap();
        readings.iter().skip(skip).for_each(|reading| fitting.push_copy(reading).unwrap());
        let header = BatchHeader { stream, floor, first, gaps, clock: 0, time: None };
        let mut json = Vec::new();
        for (index, reading) in fitting.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            reading.write_json(&mut json);
        }
        self.publish("readings", header.encode(&json));
    }

    /// Another one takes over with what is kept.
    fn take_over(&mut self) {
        self.term += 1;
        self.node = node(self.term, &self.kept, self.now());
    }

    fn work(&mut self) {
        while let Some(effect) = self.node.poll_effect() {
            let answer = match effect {
                CloudEffect::Publish { publish, .. } => {
                    if publish.topic.ends_with("down/ack") {
                        let ack = Ack::decode(&publish.payload).unwrap();
                        for said in ack.streams {
                            let progress = Progress { through: said.through, ranges: said.ranges };
                            let known = self.acked.entry(said.stream).or_default();
                            if progress.through > known.through {
                                *known = progress;
                            }
                        }
                    }
                    continue;
                }
                CloudEffect::Store(StoreCommand::Commit(commit)) => {
                    for change in &commit.progress {
                        self.kept.progress.insert(change.stream, change.progress.clone());
                    }
                    for stay in &commit.bills.stays {
                        self.kept.stays.insert((stay.stream, stay.seq), stay.clone());
                    }
                    self.kept.clarifications.extend(commit.bills.clarifications.clone());
                    let mut json = Vec::new();
                    let readings = commit.points.iter().flat_map(|points| points.readings.iter());
                    readings.for_each(|reading| reading.write_json(&mut json));
                    self.kept.plates_seen += &String::from_utf8(json).unwrap();
                    StoreAnswer::Committed(commit.id, Ok(CommitReport::default()))
                }
                CloudEffect::Store(StoreCommand::Recall(id, stream)) => {
                    StoreAnswer::Recalled(id, stream, Ok(self.kept.progress.get(&stream).cloned()))
                }
                CloudEffect::Store(command) => panic!("nothing else is asked for: {command:?}"),
                CloudEffect::Directed { .. } => panic!("nobody decided anything"),
            };
            self.node.handle(CloudInput::Store(answer), self.now());
        }
    }

    fn is_done(&self) -> bool {
        let through = |seq| self.acked.get(&stream_of(seq)).map_or(0, |progress| progress.through);
        through(OLD_LAST) == OLD_LAST && through(LAST) == LAST
    }
}

fn at(ms: u64) -> Now {
    Now { mono: Monotonic::ZERO + Duration::from_millis(ms), wall: Wall::from_us(1_717_200_000_000_000) }
}

fn node(term: u64, kept: &Kept, now: Now) -> CloudNode {
    let config = CloudConfig::new(Name::new("ingest-1").unwrap(), term);
    let stays = kept.stays.values().filter(|stay| stay.left.is_none()).cloned().collect();
    let plate_key = Some(PlateKey::new([3; 32]));
    let mut node = CloudNode::new(config, Recovered { term, stays, plate_key, ..Recovered::default() }, now);
    node.handle(CloudInput::Connected { broker: 0 }, now);
    node
}

#[test]
fn each_stay_is_billed_once_however_messages_come() {
    for seed in 0..300 {
        let mut world = World::new(seed);
        for step in 0.. {
            assert!(step < 20_000, "seed {seed} does not come to an end: {:?}", world.acked);
            world.ms += world.rng.below(400);
            match world.rng.below(100) {
                0..2 => world.take_over(),
                2..8 => world.hello(),
                8..12 => {
                    let now = world.now();
                    world.node.handle_timeout(now);
                    world.work();
                }
                _ => world.batch(),
            }
            if world.is_done() {
                break;
            }
        }
        assert!(world.kept.clarifications.is_empty(), "seed {seed}: {:?}", world.kept.clarifications);
        assert_eq!(world.kept.stays.len() as u64, LAST / 2, "seed {seed}");
        for stay in world.kept.stays.values() {
            let left = stay.left.unwrap();
            assert_eq!((left.seq, left.hours, left.cents), (stay.seq + 3, 2, 200), "seed {seed}: {stay:?}");
        }
        assert!(!world.kept.plates_seen.contains("B-FG"), "a plate in the store");
    }
}

#[test]
fn readings_of_an_agent_that_has_not_said_hello_wait_for_it() {
    let mut world = World::new(7);
    for _ in 0..50 {
        world.batch();
    }
    assert!(world.kept.stays.is_empty());
    assert!(world.node.snapshot().counters.refused["no_hello"] > 0);
    world.hello();
    for _ in 0..500 {
        world.batch();
    }
    assert!(world.is_done());
}
