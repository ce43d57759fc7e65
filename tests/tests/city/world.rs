//! The world: who is there, what is under way, and the network between them.

use crate::account::Account;
use crate::api::Api;
use bytes::Bytes;
use fogline_protocol::city::EdgeNode;
use fogline_protocol::city::node::{CityNode, NodeConfig, NodeInput, NodeState};
use fogline_protocol::city::sensors::{Nearest, Sensors, SensorsConfig};
use fogline_protocol::city::{Place, node::NodeSnapshot};
use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::node::Publish;
use fogline_protocol::reading::Readings;
use fogline_protocol::rng::Rng;
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::topic::Topic;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// When the world begins by the wall clock: not at a full step of any window.
const EPOCH_US: i64 = 1_700_000_001_234_567;
/// How often each sensor samples.
pub(crate) const SAMPLE_EVERY_US: u64 = 500_000;

/// What the network does to messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Network {
    /// In 100.
    pub(crate) loss: u64,
    /// In 100.
    pub(crate) duplication: u64,
    /// The longest delay.
    pub(crate) delay_ms: u64,
}

impl Network {
    pub(crate) const GOOD: Self = Self { loss: 0, duplication: 0, delay_ms: 20 };
    pub(crate) const BAD: Self = Self { loss: 15, duplication: 15, delay_ms: 400 };
}

#[derive(Debug)]
pub(crate) enum Event {
    Deliver { to: Name, publish: Publish },
    Committed { node: Name, life: u64, ticket: u64, readings: Readings },
    Nearest { sensor: usize, nearest: Nearest },
    Registered { node: Name, nodes: Vec<EdgeNode> },
    Token { to: Name, token: String },
    Sample,
    Drain,
}

/// A node's process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) node: CityNode,
    pub(crate) life: u64,
    pub(crate) place: Place,
}

pub(crate) struct World {
    pub(crate) now_us: u64,
    pub(crate) rng: Rng,
    pub(crate) network: Network,
    pub(crate) agenda: BTreeMap<(u64, u64), Event>,
    pub(crate) numbered: u64,
    pub(crate) nodes: BTreeMap<Name, Process>,
    /// Those that were started once, with the place that they have.
    pub(crate) places: BTreeMap<Name, Place>,
    pub(crate) lives: u64,
    pub(crate) sensors: Option<Sensors>,
    pub(crate) client: Name,
    pub(crate) api: Api,
    pub(crate) cloud_up: bool,
    /// Whom nobody hears, and who hears nobody.
    pub(crate) cut_off: BTreeSet<Name>,
    pub(crate) account: Account,
    pub(crate) trace: Vec<String>,
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn agent(agent: &Name) -> AgentId {
    AgentId { region: name("city"), agent: agent.clone() }
}

impl World {
    pub(crate) fn new(seed: u64, network: Network) -> Self {
        let mut world = Self {
            now_us: 0,
            rng: Rng::new(seed),
            network,
            agenda: BTreeMap::new(),
            numbered: 0,
            nodes: BTreeMap::new(),
            places: BTreeMap::new(),
            lives: 0,
            sensors: None,
            client: name("sensors"),
            api: Api::new(),
            cloud_up: true,
            cut_off: BTreeSet::new(),
            account: Account::default(),
            trace: Vec::new(),
        };
        world.at(1_000_000, Event::Drain);
        world
    }

    pub(crate) fn now(&self) -> Now {
        let wall = Wall::from_us(EPOCH_US + i64::try_from(self.now_us).unwrap());
        Now { mono: Monotonic::from_us(self.now_us), wall }
    }

    pub(crate) fn at(&mut self, us: u64, event: Event) {
        self.numbered += 1;
        self.agenda.insert((us, self.numbered), event);
    }

    pub(crate) fn after_ms(&mut self, most_ms: u64, event: Event) {
        let us = self.now_us + 100 + self.rng.below(most_ms * 1000);
        self.at(us, event);
    }

    /// Starts a node: registered, and connected.
    pub(crate) fn join(&mut self, id: &str) {
        let id = name(id);
        let next = u32::try_from(self.places.len()).unwrap();
        let place = *self.places.entry(id.clone()).or_insert(Place { u: next % 5 * 20, v: next / 5 * 20 });
        self.api.register(&edge_node(&id, place));
        self.lives += 1;
        let seed = self.rng.next_u64();
        let config = NodeConfig::new(agent(&id), place, self.api.token.clone(), seed);
        let node = CityNode::new(config, self.now());
        self.nodes.insert(id.clone(), Process { node, life: self.lives, place });
        self.input(&id, NodeInput::Connected);
    }

    /// Tells a node to leave in order. It takes its time.
    pub(crate) fn leave(&mut self, id: &str) {
        self.input(&name(id), NodeInput::Leave);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, id: &str) {
        if let Some(Process { node, .. }) = self.nodes.remove(&name(id)) {
            self.account.killed(&name(id), &node.snapshot(self.now().mono));
        }
    }

    /// As many sensors as that, of one client.
    pub(crate) fn start_sensors(&mut self, count: u32) {
        let sensor = |number: u32| (format!("pm-{number}"), Place { u: number * 37 % 100, v: number * 61 % 100 });
        let config = SensorsConfig {
            id: agent(&self.client),
            sensors: (0..count).map(sensor).collect(),
            token: self.api.token.clone(),
            keep_alive: Duration::from_secs(2),
            seed: self.rng.next_u64(),
        };
        self.sensors = Some(Sensors::new(config, self.now()));
        self.sensors_input(fogline_protocol::city::sensors::SensorsInput::Connected);
        self.at(self.now_us + SAMPLE_EVERY_US, Event::Sample);
    }

    /// No more samples: what was sampled comes to an end.
    pub(crate) fn stop_sampling(&mut self) {
        self.agenda.retain(|_, event| !matches!(event, Event::Sample));
    }

    /// A message on its way to all who read its topic.
    pub(crate) fn publish(&mut self, from: &Name, publish: &Publish) {
        let Ok(Topic::Peers(id, channel, to)) = Topic::parse(&publish.topic) else { panic!("{}", publish.topic) };
        assert_eq!(id.agent, *from, "speaks for another");
        self.account.published(&id.agent, channel, &publish.payload);
        if self.cut_off.contains(from) {
            return;
        }
        let readers: Vec<Name> = match to {
            Some(to) => vec![to],
            None => self.nodes.keys().filter(|node| *node != from).cloned().collect(),
        };
        for to in readers {
            let lost = self.rng.percent(self.network.loss);
            let copies = if lost { 0 } else { 1 + u64::from(self.rng.percent(self.network.duplication)) };
            for _ in 0..copies {
                let event = Event::Deliver { to: to.clone(), publish: publish.clone() };
                self.after_ms(self.network.delay_ms, event);
            }
        }
    }

    pub(crate) fn deliver(&mut self, to: &Name, publish: Publish) {
        if self.cut_off.contains(to) {
            return;
        }
        let (topic, payload) = (publish.topic, Bytes::from(publish.payload));
        if *to == self.client {
            self.sensors_input(fogline_protocol::city::sensors::SensorsInput::Message { topic, payload });
        } else {
            self.input(&to.clone(), NodeInput::Message { topic, payload });
        }
    }

    pub(crate) fn snapshot(&self, id: &str) -> NodeSnapshot {
        self.nodes[&name(id)].node.snapshot(self.now().mono)
    }

    /// Who is in charge, of those that run.
    pub(crate) fn coordinators(&self) -> Vec<&str> {
        let in_charge = |process: &&Process| process.node.state() == NodeState::Coordinator;
        let of = self.nodes.iter().filter(|(_, process)| in_charge(process));
        of.map(|(name, _)| name.as_str()).collect()
    }

    /// All follow the one that is in charge.
    pub(crate) fn agree(&self) -> bool {
        let coordinators = self.coordinators();
        let [coordinator] = coordinators.as_slice() else { return false };
        let follows = |process: &Process| {
            let snapshot = process.node.snapshot(self.now().mono);
            snapshot.coordinator.is_some_and(|leader| leader.as_str() == *coordinator)
        };
        self.nodes.values().all(follows)
    }
}

pub(crate) fn edge_node(id: &Name, place: Place) -> EdgeNode {
    let Place { u, v } = place;
    EdgeNode { id: id.clone(), host: "localhost".to_owned(), ports: BTreeMap::new(), u, v }
}
