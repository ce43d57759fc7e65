//! What an agent publishes, and what must hold of it.

use crate::sim::agenda::Party;
use crate::sim::checks::{Check, Violation, require, unreadable};
use crate::sim::world::World;
use fogline_protocol::clock::TimeFlag;
use fogline_protocol::delivery::STREAMS_MAX;
use fogline_protocol::node::{EdgeNode, Publish};
use fogline_protocol::topic::{Topic, Up};
use fogline_protocol::wire::{Batch, Hello, Message, Status};

impl World {
    /// An agent publishes: true when it was a batch.
    pub(super) fn edge_publishes(&mut self, index: usize, mut publish: Publish) -> Result<bool, Violation> {
        let channel = match Topic::parse(&publish.topic) {
            Ok(Topic::Up(id, channel)) if id == self.options.agents[index].id => channel,
            _ => return Err(Violation::new(format!("agent {index} publishes to {}", publish.topic))),
        };
        self.saboteur.edge_encodes(&mut publish, self.clock(Party::Agent(index)).wall);
        if channel == Up::Hello {
            let hello = Hello::decode(&publish.payload).map_err(|error| unreadable("hello", &error))?;
            require(hello.streams.len() <= STREAMS_MAX, || format!("UNBOUNDED: {} streams", hello.streams.len()))?;
            self.coverage.add("hello: all streams in use", u64::from(hello.streams.len() == STREAMS_MAX));
            let edge = &mut self.edges[index];
            if edge.hello(hello.hello).is_none() {
                self.trials.says_hello(index, hello.hello);
                edge.hello = Some(hello);
                edge.hello_answered = false;
            }
        }
        if channel == Up::Status {
            let status = Status::decode(&publish.payload).map_err(|error| unreadable("status", &error))?;
            require(status.online, || format!("agent {index} says that it is offline"))?;
        }
        if channel == Up::Readings {
            let batch = Batch::decode(&publish.payload).map_err(|error| unreadable("batch", &error))?;
            let again = self.ledger.sends(index, &batch)?;
            self.coverage.add("reading restamped", of_flag(&batch, TimeFlag::Restamped));
            self.coverage.add("reading of an unset clock", of_flag(&batch, TimeFlag::Unset));
            self.coverage.add("batch sent again", u64::from(again));
        }
        let party = Party::Agent(index);
        let client = (party, self.edges[index].broker);
        let connection = self.network.connection(client).map_or(0, |connection| connection.number);
        if self.saboteur.edge_publishes(index, connection, &mut publish)
            && !self.network.publish(client, &publish, self.now_us, &mut self.agenda)
        {
            self.coverage.count("message thrown away");
        }
        Ok(channel == Up::Readings)
    }

    /// No more is under way than the ingester granted.
    pub(super) fn keeps_to_credit(&self, index: usize) -> Check {
        let edge = &self.edges[index];
        let Some(snapshot) = edge.node.as_ref().map(EdgeNode::snapshot) else { return Ok(()) };
        // A single reading always goes, however little was granted: otherwise it would wait for ever.
        let granted = edge.granted.max(edge.granted_at_load);
        let under_way = snapshot.in_flight_bytes;
        require(under_way <= granted || snapshot.in_flight == 1, || {
            format!("UNBOUNDED: agent {index} has {under_way} bytes under way, granted are {granted}")
        })
    }
}

/// How many readings a batch has that is flagged so.
fn of_flag(batch: &Batch, flag: TimeFlag) -> u64 {
    if batch.header.time == Some(flag) { batch.range().count() } else { 0 }
}
