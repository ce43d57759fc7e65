//! An ingester whose store takes long: what it says meanwhile, and what it believes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what went wrong by panicking")]

use bytes::Bytes;
use fogline_protocol::ids::{AgentId, Name, StreamId};
use fogline_protocol::node::{CloudConfig, CloudEffect, CloudInput, CloudNode, Machine};
use fogline_protocol::store::{CommitReport, Recovered, StoreAnswer, StoreCommand};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::{Topic, Up};
use fogline_protocol::wire::{Ack, BatchHeader, Message, State, Status};

const STREAM: StreamId = StreamId::from_bits(7);
const READING: &[u8] = br#"{"ts_us":1,"sensor":"s","kind":"road","fields":{"speed_kmh":1.0}}"#;

fn now(ms: u64) -> Now {
    Now { mono: Monotonic::from_us(ms * 1000), wall: Wall::from_us(i64::try_from(ms).unwrap() * 1000) }
}

fn id() -> AgentId {
    AgentId { region: Name::new("north").unwrap(), agent: Name::new("lane-1").unwrap() }
}

/// An ingester that has no room for a batch while a write takes as long as an outage.
#[test]
fn an_ingester_that_turns_batches_away_goes_on_to_say_so() {
    let mut config = CloudConfig::new(Name::new("ingest-1").unwrap(), 1);
    config.memory_bytes = 0;
    let mut cloud = CloudNode::new(config, Recovered::default(), now(0));
    cloud.handle(CloudInput::Connected { broker: 0 }, now(0));
    let hello = r#"{"v":1,"hello":1,"agent_version":"0","term":null,"streams":[{"stream":"0000000000000007","floor":1,"next":2}]}"#;
    let say = |cloud: &mut CloudNode, channel: Up, payload: Vec<u8>, at: Now| {
        let topic = Topic::Up(id(), channel).to_string();
        cloud.handle(CloudInput::Message { broker: 0, topic, payload: Bytes::from(payload) }, at);
    };
    say(&mut cloud, Up::Hello, hello.as_bytes().to_vec(), now(0));
    cloud.handle(CloudInput::Store(StoreAnswer::Recalled(id(), STREAM, Ok(None))), now(0));
    let header = BatchHeader { stream: STREAM, floor: 1, first: 1, gaps: Vec::new(), clock: 0, time: None };
    let batch = header.encode(READING);
    let status = r#"{"v":1,"online":true,"connection":[1,1],"ts_us":5}"#;
    say(&mut cloud, Up::Status, status.as_bytes().to_vec(), now(0));
    let (mut busy, mut writing) = (Vec::new(), false);
    for second in 0..60 {
        let at = now(second * 1000);
        cloud.handle_timeout(at);
        say(&mut cloud, Up::Readings, batch.clone(), at);
        while let Some(effect) = cloud.poll_effect() {
            match effect {
                CloudEffect::Publish { publish, .. }
                    if Ack::decode(&publish.payload).is_ok_and(|ack| ack.state == State::Busy) =>
                {
                    busy.push(second);
                }
                CloudEffect::Store(StoreCommand::Commit(_)) => writing = true,
                CloudEffect::Publish { .. } | CloudEffect::Store(_) | CloudEffect::Directed { .. } => {}
            }
        }
    }
    assert!(writing, "a write is under way");
    let pauses = busy.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(busy.len() > 20 && pauses.max().unwrap() <= 2, "{busy:?}");
}

/// The broker that was left publishes the will when it finds out, which may be long after the agent has come to the next one.
#[test]
fn the_will_of_a_broker_that_was_left_unsays_nothing() {
    let mut cloud = CloudNode::new(CloudConfig::new(Name::new("ingest-1").unwrap(), 1), Recovered::default(), now(0));
    let mut say = |online: bool, connection: (u64, u64), at: u64| {
        let (queued, queued_bytes, oldest_us, dropped, damaged) = (0, 0, None, 0, 0);
        let publish = Status { online, connection, ts_us: 5, queued, queued_bytes, oldest_us, dropped, damaged };
        let topic = Topic::Up(id(), Up::Status).to_string();
        cloud.handle(CloudInput::Message { broker: 0, topic, payload: Bytes::from(publish.encode()) }, now(at));
        cloud.handle_timeout(now(at + 600));
        let mut saved = None;
        while let Some(effect) = cloud.poll_effect() {
            if let CloudEffect::Store(StoreCommand::Commit(commit)) = effect {
                saved = commit.statuses.first().map(|known| known.status.online);
                let answer = StoreAnswer::Committed(commit.id, Ok(CommitReport { stored: 0, dead: 0 }));
                cloud.handle(CloudInput::Store(answer), now(at + 600));
            }
        }
        saved
    };
    assert_eq!(say(true, (3, 2), 0), Some(true));
    assert_eq!(say(false, (3, 1), 1000), None, "of the connection before");
    assert_eq!(say(false, (3, 2), 2000), Some(false), "of this one");
}
