//! What a node is told at its start, what it hears, what it asks for and what it tells of itself.

use crate::city::grid::{EdgeNode, Place};
use crate::city::message::Average;
use crate::city::sliding::Sliding;
use crate::election::Timing;
use crate::ids::{AgentId, Name};
use crate::node::Publish;
use crate::reading::Readings;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a node is told at its start.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Its agent: the region is the city, the agent's name is the node's id.
    pub id: AgentId,
    /// Where it stands.
    pub place: Place,
    /// The token of the city's API.
    pub token: String,
    /// The windows of its averages.
    pub sliding: Sliding,
    /// How often the coordinator averages over all nodes. Default 5 s.
    pub global_every: Duration,
    /// How often sensors hear that the node lives, at least. Default 2 s.
    pub keep_alive: Duration,
    /// The times of the election. Default: a beat each second, a lease of 5 s, 500 ms for objections.
    pub timing: Timing,
    /// From the system's entropy: the numbers of this start.
    pub seed: u64,
}

impl NodeConfig {
    /// The defaults.
    #[must_use]
    pub fn new(id: AgentId, place: Place, token: String, seed: u64) -> Self {
        let timing = Timing {
            lease: Duration::from_secs(5),
            beat_every: Duration::from_secs(1),
            answer_within: Duration::from_millis(500),
        };
        let (global_every, keep_alive) = (Duration::from_secs(5), Duration::from_secs(2));
        Self { id, place, token, sliding: Sliding::default(), global_every, keep_alive, timing, seed }
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeInput {
    /// The broker has accepted the connection and the subscription.
    Connected,
    /// The connection is gone.
    Disconnected,
    /// A message came.
    Message {
        /// Its topic.
        topic: String,
        /// Its payload.
        payload: Bytes,
    },
    /// The upload of this ticket is in the agent's queue, on disk.
    Uploaded {
        /// The ticket.
        ticket: u64,
    },
    /// The API's token.
    Token(String),
    /// The nodes that the API knows.
    Nodes(Vec<EdgeNode>),
    /// It is to leave in order.
    Leave,
}

/// What is to be started.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeEffect {
    /// Publish at `QoS` 1.
    Publish(Publish),
    /// Append these to the agent's queue; answered by [`NodeInput::Uploaded`] when they are on disk.
    Upload {
        /// Comes back with the answer.
        ticket: u64,
        /// Of kind `city`.
        readings: Readings,
    },
    /// Ask the API for its token.
    AskToken,
    /// Ask the API for its nodes.
    AskNodes,
    /// Register at the API: it does not know this node.
    Register,
    /// Remove this node from the API: it is silent.
    Forget(EdgeNode),
    /// It has left: stop.
    Left,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It knows of no coordinator yet.
    Joining,
    /// It follows a coordinator.
    Active,
    /// It is in charge.
    Coordinator,
    /// It stops.
    Leaving,
}

/// What a node can tell of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeSnapshot {
    /// What it is.
    pub state: NodeState,
    /// Who is the coordinator, as far as it knows.
    pub coordinator: Option<Name>,
    /// The other nodes that it has heard within a lease.
    pub others: Vec<Name>,
    /// How many sensors stream to it.
    pub sensors: usize,
    /// Samples taken.
    pub samples: u64,
    /// Samples that cannot be true: taken, and in no average.
    pub implausible: u64,
    /// Averages that no coordinator has acknowledged.
    pub kept: usize,
    /// Averages that had to go because too many were kept.
    pub dropped: u64,
    /// Uploads that are not on the queue's disk yet.
    pub uploads_waiting: usize,
    /// Local averages that it has uploaded as a coordinator, its own included.
    pub uploaded: u64,
    /// Averages over all nodes that it has uploaded.
    pub globals: u64,
    /// Its newest average.
    pub local: Option<Average>,
    /// The newest average over all nodes that it has heard of.
    pub global: Option<Average>,
    /// Messages with another token, which were ignored.
    pub wrong_token: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages of sensors for which there was no room.
    pub refused: u64,
}
