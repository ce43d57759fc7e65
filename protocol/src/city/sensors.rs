//! The sensors of one client: each streams to the node that is nearest to it, and asks for another one when that is silent.
//!
//! What a sensor has sampled and no node has acknowledged is kept, and goes to the next node.

mod sensor;
#[cfg(test)]
mod tests;

use super::grid::{EdgeNode, Place};
use super::message::{Alive, BATCH_MAX, PARTS_MAX, Samples, SensorPart};
use crate::ids::{AgentId, Name, StreamId};
use crate::node::{Machine, Publish};
use crate::rng::Rng;
use crate::time::{Monotonic, Now};
use crate::topic::{Neighbour, Topic};
use crate::wire::Message;
use bytes::Bytes;
use sensor::Sensor;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How long samples gather, so that sensors with the same node share a message.
const GATHER: Duration = Duration::from_millis(100);
/// Between two questions for the token, when somebody speaks with another one: whoever does must not make us ask all the time.
const TOKEN_EVERY: Duration = Duration::from_secs(10);
/// The most sensors of one client: what a node has room for.
pub const SENSORS_MAX: usize = 1000;

/// What sensors are told at their start.
#[derive(Debug, Clone)]
pub struct SensorsConfig {
    /// Their client: its region is the city.
    pub id: AgentId,
    /// The name of each and its place; at most [`SENSORS_MAX`].
    pub sensors: Vec<(String, Place)>,
    /// The token of the city's API.
    pub token: String,
    /// How often a node says that it lives; after three times as long of silence another one is asked for. Default 2 s.
    pub keep_alive: Duration,
    /// From the system's entropy: the numbers of this start, and jitter.
    pub seed: u64,
}

/// What came of the question for the nearest node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nearest {
    /// This one.
    Node(EdgeNode),
    /// The city has none.
    NoNode,
    /// The API did not answer.
    Failed,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum SensorsInput {
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
    /// A sensor has sampled.
    Sampled {
        /// Its place in the list.
        sensor: usize,
        /// In µg/m³; finite.
        pm10_ugm3: f64,
    },
    /// Answers [`SensorsEffect::AskNearest`].
    Nearest {
        /// The sensor's place in the list.
        sensor: usize,
        /// The answer.
        nearest: Nearest,
    },
    /// The API's token.
    Token(String),
}

/// What is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SensorsEffect {
    /// Publish at `QoS` 1.
    Publish(Publish),
    /// Ask the API for the node nearest to this place.
    AskNearest {
        /// The sensor's place in the list.
        sensor: usize,
        /// Where it is.
        place: Place,
    },
    /// Ask the API for its token.
    AskToken,
}

/// What sensors can tell of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SensorsSnapshot {
    /// How many have no node.
    pub without_node: usize,
    /// How many stream to each node.
    pub by_node: BTreeMap<Name, usize>,
    /// Samples that no node has acknowledged.
    pub kept: usize,
    /// Samples that were sampled.
    pub sampled: u64,
    /// Samples that nodes have acknowledged.
    pub acknowledged: u64,
    /// Samples that had to go because too many were kept.
    pub dropped: u64,
    /// How often one has changed to another node.
    pub moves: u64,
    /// Messages with another token, which were ignored.
    pub wrong_token: u64,
    /// Messages that could not be read.
    pub malformed: u64,
}

/// All of them.
#[derive(Debug)]
pub struct Sensors {
    config: SensorsConfig,
    sensors: Vec<Sensor>,
    connected: bool,
    /// When what has gathered is sent.
    send_at: Option<Monotonic>,
    token_after: Monotonic,
    wrong_token: u64,
    malformed: u64,
    effects: VecDeque<SensorsEffect>,
}

impl Sensors {
    /// Sensors that have no node yet. What is more than [`SENSORS_MAX`] is left out.
    #[must_use]
    pub fn new(config: SensorsConfig, now: Now) -> Self {
        let mut rng = Rng::new(config.seed);
        let silence = config.keep_alive * 3;
        let start = |(name, place): &(String, Place)| {
            let stream = StreamId::from_bits(rng.next_u64());
            Sensor::new(name.clone(), *place, stream, silence, Rng::new(rng.next_u64()), now.mono)
        };
        let sensors = config.sensors.iter().take(SENSORS_MAX).map(start).collect();
        Self {
            config,
            sensors,
            connected: false,
            send_at: None,
            token_after: now.mono,
            wrong_token: 0,
            malformed: 0,
            effects: VecDeque::new(),
        }
    }

    /// How they are.
    #[must_use]
    pub fn snapshot(&self) -> SensorsSnapshot {
        let mut snapshot =
            SensorsSnapshot { wrong_token: self.wrong_token, malformed: self.malformed, ..SensorsSnapshot::default() };
        for sensor in &self.sensors {
            match sensor.node() {
                Some(node) => *snapshot.by_node.entry(node.clone()).or_default() += 1,
                None => snapshot.without_node += 1,
            }
            sensor.count(&mut snapshot);
        }
        snapshot
    }

    /// The node that each streams to, in the order of the list.
    pub fn nodes(&self) -> impl Iterator<Item = (&str, Place, Option<&Name>)> {
        self.sensors.iter().map(|sensor| (sensor.name(), sensor.place(), sensor.node()))
    }

    fn heard(&mut self, topic: &str, payload: &[u8], now: Monotonic) {
        let Ok(Topic::Peers(from, Neighbour::Alive, Some(to))) = Topic::parse(topic) else { return };
        if from.region != self.config.id.region || to != self.config.id.agent {
            return;
        }
        let Ok(alive) = Alive::decode(payload) else {
            self.malformed += 1;
            return;
        };
        if alive.token != self.config.token {
            self.wrong_token += 1;
            return self.doubt_token(now);
        }
        for sensor in self.sensors.iter_mut().filter(|sensor| sensor.node() == Some(&from.agent)) {
            let taken = alive.taken.iter().find(|taken| taken.sensor == sensor.name());
            sensor.heard(taken, alive.leaving, now);
        }
    }

    /// The API may have a new token since we asked.
    fn doubt_token(&mut self, now: Monotonic) {
        if self.token_after <= now {
            self.token_after = now + TOKEN_EVERY;
            self.effects.push_back(SensorsEffect::AskToken);
        }
    }

    fn ask(&mut self, now: Monotonic) {
        for (index, sensor) in self.sensors.iter_mut().enumerate() {
            if sensor.asks(now) {
                self.effects.push_back(SensorsEffect::AskNearest { sensor: index, place: sensor.place() });
            }
        }
    }

    /// Sends what is due, by node.
    fn send(&mut self, now: Monotonic) {
        let mut by_node: BTreeMap<Name, Vec<SensorPart>> = BTreeMap::new();
        for sensor in &mut self.sensors {
            if let Some((node, part)) = sensor.send(now, BATCH_MAX) {
                by_node.entry(node).or_default().push(part);
            }
        }
        for (node, parts) in by_node {
            for parts in parts.chunks(PARTS_MAX) {
                let samples = Samples { token: self.config.token.clone(), parts: parts.to_vec() };
                let topic = Topic::Peers(self.config.id.clone(), Neighbour::Samples, Some(node.clone())).to_string();
                self.effects.push_back(SensorsEffect::Publish(Publish {
                    topic,
                    payload: samples.encode(),
                    retain: false,
                }));
            }
        }
    }

    fn next_send(&self) -> Option<Monotonic> {
        self.sensors.iter().filter_map(Sensor::sends_at).min()
    }

    /// What is due now waits for others of the same node.
    fn gather(&mut self, now: Monotonic) {
        let due = self.connected.then(|| self.next_send()).flatten();
        self.send_at = match (self.send_at, due) {
            (_, None) => None,
            (Some(at), Some(_)) if at > now => Some(at),
            (_, Some(due)) => Some(due.max(now + GATHER)),
        };
    }
}

impl Machine for Sensors {
    type Input = SensorsInput;
    type Effect = SensorsEffect;

    fn handle(&mut self, input: SensorsInput, now: Now) {
        match input {
            SensorsInput::Connected => {
                self.connected = true;
                self.sensors.iter_mut().for_each(|sensor| sensor.connected(now.mono));
            }
            SensorsInput::Disconnected => self.connected = false,
            SensorsInput::Message { topic, payload } => self.heard(&topic, &payload, now.mono),
            SensorsInput::Sampled { sensor, pm10_ugm3 } => {
                if let Some(sensor) = self.sensors.get_mut(sensor).filter(|_| pm10_ugm3.is_finite()) {
                    sensor.sampled(now.wall, pm10_ugm3, now.mono);
                }
            }
            SensorsInput::Nearest { sensor, nearest } => {
                if let Some(sensor) = self.sensors.get_mut(sensor) {
                    sensor.answered(nearest, now.mono);
                }
            }
            SensorsInput::Token(token) => self.config.token = token,
        }
        self.ask(now.mono);
        self.gather(now.mono);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.ask(now.mono);
        if self.send_at.is_some_and(|at| at <= now.mono) {
            self.send_at = None;
            self.send(now.mono);
        }
        self.gather(now.mono);
    }

    fn poll_effect(&mut self) -> Option<SensorsEffect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Monotonic> {
        self.sensors.iter().filter_map(|sensor| sensor.asks_at()).chain(self.send_at).min()
    }
}
