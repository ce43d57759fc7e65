//! An ingester at two brokers answers an agent where that one is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use bytes::Bytes;
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::node::{CloudConfig, CloudEffect, CloudInput, CloudNode, Machine};
use fogline_protocol::store::{Recovered, StoreAnswer, StoreCommand};
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::wire::{Hello, Message, Status};

fn now(ms: u64) -> Now {
    Now { mono: Monotonic::from_us(ms * 1000), wall: Wall::from_us(1_717_200_000_000_000) }
}

fn agent() -> AgentId {
    AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() }
}

fn hello(node: &mut CloudNode, broker: usize, number: u64, at: Now) {
    let hello = Hello { hello: number, agent_version: "0".to_owned(), term: None, streams: Vec::new() };
    said(node, broker, "hello", hello.encode(), at);
}

fn said(node: &mut CloudNode, broker: usize, channel: &str, payload: Vec<u8>, at: Now) {
    let topic = format!("fogline/v1/{}/up/{channel}", agent());
    node.handle(CloudInput::Message { broker, topic, payload: Bytes::from(payload) }, at);
}

fn status(online: bool, connection: (u64, u64)) -> Vec<u8> {
    let (ts_us, queued, queued_bytes, oldest_us, dropped) = (1, 0, 0, None, 0);
    Status { online, connection, ts_us, queued, queued_bytes, oldest_us, dropped, damaged: 0 }.encode()
}

/// The brokers through which the agent is answered; commits and recalls succeed at once.
fn answered_at(node: &mut CloudNode, at: Now) -> Vec<usize> {
    let mut brokers = Vec::new();
    while let Some(effect) = node.poll_effect() {
        match effect {
            CloudEffect::Publish { broker, publish } if publish.topic.ends_with("down/ack") => brokers.push(broker),
            CloudEffect::Publish { .. } => {}
            CloudEffect::Store(StoreCommand::Commit(commit)) => {
                let done = StoreAnswer::Committed(commit.id, Ok(Default::default()));
                node.handle(CloudInput::Store(done), at);
            }
            CloudEffect::Store(command) => panic!("nothing else is asked for: {command:?}"),
            CloudEffect::Directed { .. } => panic!("nobody decided anything"),
        }
    }
    brokers
}

#[test]
fn an_agent_is_answered_where_it_spoke_last_and_its_old_brokers_words_change_nothing() {
    let config = CloudConfig::new(Name::new("ingest-1").unwrap(), 1);
    let mut node = CloudNode::new(config, Recovered { term: 1, ..Recovered::default() }, now(0));
    node.handle(CloudInput::Connected { broker: 0 }, now(0));
    node.handle(CloudInput::Connected { broker: 1 }, now(0));
    hello(&mut node, 0, 1, now(1));
    assert_eq!(answered_at(&mut node, now(1)), [0]);
    hello(&mut node, 1, 2, now(2));
    assert_eq!(answered_at(&mut node, now(2)), [1], "it has moved");

    // The old broker publishes its will, and keeps its last word: neither comes from the agent.
    said(&mut node, 0, "status", status(false, (1, 1)), now(3));
    said(&mut node, 0, "status", status(true, (1, 1)), now(4));
    node.handle_timeout(now(600));
    answered_at(&mut node, now(600));
    hello_again(&mut node);
}

/// A hello whose answer is repeated goes where the agent is, although its old broker spoke last.
fn hello_again(node: &mut CloudNode) {
    hello(node, 1, 3, now(700));
    said(node, 0, "status", status(false, (1, 1)), now(700));
    assert_eq!(answered_at(node, now(700)), [1]);
    node.handle(CloudInput::Disconnected { broker: 1 }, now(800));
    hello(node, 0, 4, now(801));
    assert_eq!(answered_at(node, now(801)), [0]);
}

#[test]
fn an_agent_that_a_broker_shows_online_is_spoken_to_where_it_is() {
    let config = CloudConfig::new(Name::new("ingest-1").unwrap(), 1);
    let mut node = CloudNode::new(config, Recovered { term: 1, ..Recovered::default() }, now(0));
    node.handle(CloudInput::Connected { broker: 0 }, now(0));
    node.handle(CloudInput::Connected { broker: 1 }, now(0));
    // What brokers have kept: the agent has left the first one.
    said(&mut node, 0, "status", status(false, (1, 1)), now(1));
    assert_eq!(answered_at(&mut node, now(1)), [0; 0]);
    said(&mut node, 1, "status", status(true, (1, 2)), now(2));
    assert_eq!(answered_at(&mut node, now(2)), [1]);
    said(&mut node, 1, "status", status(true, (1, 2)), now(3));
    assert_eq!(answered_at(&mut node, now(3)), [1], "each heartbeat is answered");
    hello(&mut node, 1, 1, now(4));
    assert_eq!(answered_at(&mut node, now(4)), [1]);
}
