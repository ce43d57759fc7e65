//! What was taken, what is on disks and what is in the cloud: nothing may be missing, and nothing be there twice.

use fogline_protocol::city::message::{Average, Averages, Global, Taken, TakenThrough};
use fogline_protocol::city::node::NodeSnapshot;
use fogline_protocol::ids::{Name, StreamId};
use fogline_protocol::reading::Readings;
use fogline_protocol::topic::Neighbour;
use fogline_protocol::wire::Message;
use std::collections::{BTreeMap, BTreeSet};

/// A reading in the store: what tells it from others.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) sensor: String,
    pub(crate) from_us: i64,
    pub(crate) ts_us: i64,
    pub(crate) n: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Account {
    /// Queues on disk, by agent.
    queues: BTreeMap<Name, Vec<Row>>,
    /// What has arrived, with the agent that brought it.
    pub(crate) cloud: Vec<(Name, Row)>,
    /// Averages that nodes have sent to a coordinator.
    sent: BTreeMap<(Name, StreamId), BTreeMap<u64, Average>>,
    /// Samples that nodes have taken that are gone now.
    samples: u64,
    killed: BTreeSet<Name>,
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers below 2^53")]
fn whole(number: f64) -> u64 {
    number as u64
}

impl Account {
    pub(crate) fn committed(&mut self, agent: &Name, readings: &Readings) {
        let queue = self.queues.entry(agent.clone()).or_default();
        for reading in readings.iter() {
            assert_eq!(reading.kind(), "city");
            let number = |field| reading.number(field).unwrap();
            let row = Row {
                sensor: reading.sensor().to_owned(),
                from_us: i64::try_from(whole(number("from_us"))).unwrap(),
                ts_us: reading.ts().us(),
                n: whole(number("n")),
            };
            queue.push(row);
        }
    }

    /// The queues of those that run reach the cloud.
    pub(crate) fn drain<'a>(&mut self, running: impl Iterator<Item = &'a Name>) {
        for agent in running {
            let rows = self.queues.get_mut(agent).map(std::mem::take).unwrap_or_default();
            self.cloud.extend(rows.into_iter().map(|row| (agent.clone(), row)));
        }
    }

    /// All agents are started again, the cloud is there.
    pub(crate) fn drain_all(&mut self) {
        let all: Vec<Name> = self.queues.keys().cloned().collect();
        self.drain(all.iter());
    }

    pub(crate) fn left(&mut self, _: &Name, snapshot: &NodeSnapshot) {
        assert_eq!((snapshot.kept, snapshot.uploads_waiting), (0, 0), "left with something in its hands");
        self.samples += snapshot.samples;
    }

    pub(crate) fn killed(&mut self, node: &Name, snapshot: &NodeSnapshot) {
        self.killed.insert(node.clone());
        self.samples += snapshot.samples;
    }

    /// Looks at what is said: an acknowledgement is true, or it is a fault.
    pub(crate) fn published(&mut self, from: &Name, channel: Neighbour, payload: &[u8]) {
        match channel {
            Neighbour::Averages => {
                let said = Averages::decode(payload).unwrap();
                let sent = self.sent.entry((from.clone(), said.stream)).or_default();
                for (number, average) in (said.first..).zip(said.averages) {
                    let before = sent.insert(number, average);
                    assert!(before.is_none_or(|before| before == average), "one number, two averages");
                }
            }
            Neighbour::Global => {
                for (node, taken) in Global::decode(payload).unwrap().taken {
                    self.is_true(&node, taken);
                }
            }
            // To whom it is said is in the topic: whose stream it is says as much.
            Neighbour::Taken => {
                let taken = Taken::decode(payload).unwrap().taken;
                let nodes: Vec<Name> =
                    self.sent.keys().filter(|key| key.1 == taken.stream).map(|key| key.0.clone()).collect();
                nodes.iter().for_each(|node| self.is_true(node, taken));
            }
            Neighbour::Node | Neighbour::Samples | Neighbour::Alive => {}
        }
    }

    fn is_true(&self, node: &Name, taken: TakenThrough) {
        let Some(sent) = self.sent.get(&(node.clone(), taken.stream)) else { return };
        for (number, average) in sent.range(..=taken.through) {
            assert!(self.is_on_disk(node, average), "{node} {number} is acknowledged and on no disk");
        }
    }

    fn is_on_disk(&self, node: &Name, average: &Average) -> bool {
        let is =
            |row: &Row| row.sensor == node.as_str() && (row.from_us, row.ts_us) == (average.from_us, average.ts_us);
        self.queues.values().flatten().any(is) || self.cloud.iter().any(|(_, row)| is(row))
    }

    /// Local averages in the cloud, each once.
    pub(crate) fn locals(&self) -> BTreeSet<&Row> {
        self.cloud.iter().map(|(_, row)| row).filter(|row| row.sensor != "global").collect()
    }

    pub(crate) fn globals(&self) -> Vec<&Row> {
        self.cloud.iter().map(|(_, row)| row).filter(|row| row.sensor == "global").collect()
    }

    /// One agent never uploads the same twice.
    pub(crate) fn check_rows(&self) {
        let mut seen = BTreeSet::new();
        for (agent, row) in &self.cloud {
            assert!(seen.insert((agent, &row.sensor, row.from_us, row.ts_us)), "{agent} uploaded {row:?} twice");
        }
        let mut identities = BTreeMap::new();
        for row in self.locals() {
            let other = identities.insert((&row.sensor, row.from_us, row.ts_us), row.n);
            assert!(other.is_none(), "two averages have the identity of {row:?}");
        }
    }

    /// All that nodes had sent and were not killed with is in the cloud.
    pub(crate) fn check_sent(&self) {
        for ((node, _), sent) in self.sent.iter().filter(|((node, _), _)| !self.killed.contains(node)) {
            for (number, average) in sent {
                assert!(self.is_on_disk(node, average), "{node} {number} is lost");
            }
        }
    }

    /// Each sample is in two windows, so that counts double. `running` are the samples of nodes that are there.
    pub(crate) fn check_counts(&self, running: u64) {
        let averaged: u64 = self.locals().iter().map(|row| row.n).sum();
        assert_eq!(averaged, 2 * (self.samples + running), "samples that were taken are in no average");
    }
}
