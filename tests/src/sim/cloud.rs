//! The ingester's program around its node: what the shell in `cloud-ingest` does, without any I/O.

use super::agenda::Party;
use super::checks::{Check, require};
use super::world::World;
use fogline_protocol::ids::Name;
use fogline_protocol::node::{CloudConfig, CloudEffect, CloudInput, CloudNode, Machine, Publish};
use fogline_protocol::rng::Rng;
use fogline_protocol::store::{Commit, StoreAnswer, StoreCommand};
use fogline_protocol::time::Monotonic;
use fogline_protocol::topic::{Down, Topic, Up};
use fogline_protocol::usecase::LimitRule;
use fogline_protocol::wire::{Ack, Batch, Decision, Hello, Message, State};
use std::sync::Arc;

/// The ingester.
#[derive(Debug)]
pub struct Cloud {
    node: Option<CloudNode>,
    life: u64,
    rng: Rng,
    /// The commit at the store.
    asked: Option<Arc<Commit>>,
}

impl Cloud {
    /// An ingester that was not started yet.
    #[must_use]
    pub const fn new(rng: Rng) -> Self {
        Self { node: None, life: 0, rng, asked: None }
    }

    /// True while the program does not run.
    #[must_use]
    pub const fn is_down(&self) -> bool {
        self.node.is_none()
    }

    /// The number of this run of the program, while it runs.
    #[must_use]
    pub fn life(&self) -> Option<u64> {
        self.node.as_ref().map(|_| self.life)
    }

    /// When the node wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        self.node.as_ref().and_then(Machine::poll_timeout)
    }
}

impl World {
    pub(super) fn boot_cloud(&mut self) -> Check {
        self.clocks.entry(Party::Cloud).and_modify(|clock| clock.reboot(self.now_us));
        let now = self.clock(Party::Cloud);
        let mut recovered = self.store.recover(now.wall);
        self.saboteur.recovered(&mut recovered);
        self.limits.restarted(now.wall);
        self.note(Party::Cloud, "starts", format!("in term {}", recovered.term + 1).as_bytes());
        self.coverage.count("ingester started");
        let name = Name::new("ingest-1").unwrap_or_else(|_| unreachable!("a constant that is a name"));
        let config = CloudConfig {
            memory_bytes: self.options.memory_bytes,
            credit_bytes: self.options.credit_bytes,
            grace: super::limits::GRACE,
            limit_rule: LimitRule { ttl_ms: self.options.ttl_ms, ..LimitRule::default() },
            ..CloudConfig::new(name, self.cloud.rng.next_u64())
        };
        self.cloud.life += 1;
        self.cloud.node = Some(CloudNode::new(config, recovered, now));
        self.network.try_connect(Party::Cloud, self.cloud.life, self.now_us, &mut self.agenda);
        self.drain_cloud()
    }

    pub(super) fn crash_cloud(&mut self) -> Check {
        self.cloud.node = None;
        self.cloud.asked = None;
        let (store, _, mut books) = self.store_and_books();
        store.abandon(&mut books)
    }

    pub(super) fn cloud_connected(&mut self) -> Check {
        self.handle_cloud(CloudInput::Connected)
    }

    pub(super) fn cloud_disconnected(&mut self) -> Check {
        self.handle_cloud(CloudInput::Disconnected)
    }

    pub(super) fn cloud_timeout(&mut self) -> Check {
        let now = self.clock(Party::Cloud);
        if let Some(node) = &mut self.cloud.node {
            node.handle_timeout(now);
        }
        self.drain_cloud()
    }

    /// A message arrives at the ingester.
    pub(super) fn cloud_receives(&mut self, publish: &Publish) -> Check {
        let wall = self.clock(Party::Cloud).wall;
        if let Ok(Topic::Up(id, Up::Hello)) = Topic::parse(&publish.topic) {
            let hello = Hello::decode(&publish.payload).map_err(|error| super::checks::unreadable("hello", &error))?;
            let agent = self.ledger.agent(&id);
            let said = self.edges[agent].hello(hello.hello).into_iter().flat_map(|hello| &hello.streams);
            said.for_each(|open| self.ledger.greeted(agent, open));
        }
        if let Ok(Topic::Up(id, Up::Readings)) = Topic::parse(&publish.topic) {
            let batch = Batch::decode(&publish.payload).map_err(|error| super::checks::unreadable("batch", &error))?;
            let agent = self.ledger.agent(&id);
            self.ledger.received(agent, &batch);
            let rows =
                self.ledger.stream(agent, batch.header.stream).rows.range(batch.range().first..=batch.range().last);
            rows.for_each(|(_, row)| self.limits.received(&id.region, row, wall));
        }
        if let Some(commit) = self.saboteur.writes_again(publish, &mut self.ledger) {
            let (store, _, mut books) = self.store_and_books();
            store.write_again(&commit, &mut books)?;
        }
        let payload = self.saboteur.to_cloud(publish, wall);
        self.handle_cloud(CloudInput::Message { topic: publish.topic.clone(), payload })
    }

    /// The store finishes a step of what the ingester of this life asked for.
    pub(super) fn store_steps(&mut self, life: u64) -> Check {
        if self.cloud.life() != Some(life) {
            return Ok(());
        }
        let now_us = self.now_us;
        let (store, agenda, mut books) = self.store_and_books();
        let Some(answer) = store.step(now_us, life, agenda, &mut books)? else { return Ok(()) };
        let (what, good) = match &answer {
            StoreAnswer::Committed(id, result) => (format!("commit {id}"), result.is_ok()),
            StoreAnswer::Recalled(_, stream, result) => (format!("recall {stream}"), result.is_ok()),
        };
        self.note(Party::Cloud, if good { "store did" } else { "store failed" }, what.as_bytes());
        if matches!(answer, StoreAnswer::Committed(_, Ok(_))) {
            self.heard_of_commit();
        }
        self.handle_cloud(CloudInput::Store(answer))
    }

    /// The ingester learns that its commit is done: from here on its readings count.
    fn heard_of_commit(&mut self) {
        let wall = self.clock(Party::Cloud).wall;
        let Some(commit) = self.cloud.asked.take() else { return };
        for (place, _) in self.ledger.places(&commit.points) {
            let (agent, stream, seq) = place;
            let region = &self.options.agents[agent].id.region;
            if let Some(row) = self.ledger.streams.get(&(agent, stream)).and_then(|book| book.rows.get(&seq)) {
                self.limits.committed(region, row, wall);
            }
        }
    }

    fn handle_cloud(&mut self, input: CloudInput) -> Check {
        let now = self.clock(Party::Cloud);
        if let Some(node) = &mut self.cloud.node {
            node.handle(input, now);
        }
        self.drain_cloud()
    }

    fn drain_cloud(&mut self) -> Check {
        while let Some(effect) = self.cloud.node.as_mut().and_then(Machine::poll_effect) {
            match effect {
                CloudEffect::Publish(publish) => self.cloud_publishes(&publish)?,
                CloudEffect::Store(command) => self.ask_store(command),
            }
        }
        self.set_wake(Party::Cloud);
        let Some(node) = &self.cloud.node else { return Ok(()) };
        let (held, most) = (node.snapshot().held_bytes, self.options.memory_bytes);
        require(held <= most, || format!("UNBOUNDED: the ingester holds {held} bytes of readings, at most {most}"))
    }

    fn ask_store(&mut self, command: StoreCommand) {
        let command = match command {
            StoreCommand::Commit(commit) => {
                let commit = self.saboteur.commits(commit, &self.ledger);
                self.cloud.asked = Some(commit.clone());
                StoreCommand::Commit(commit)
            }
            recall @ StoreCommand::Recall(..) => recall,
        };
        let (now_us, life) = (self.now_us, self.cloud.life);
        self.store.ask(command, now_us, life, &mut self.agenda);
    }

    fn cloud_publishes(&mut self, publish: &Publish) -> Check {
        match Topic::parse(&publish.topic) {
            Ok(Topic::Down(id, Down::Ack)) => {
                let ack = Ack::decode(&publish.payload).map_err(|error| super::checks::unreadable("ack", &error))?;
                let agent = self.ledger.agent(&id);
                self.ledger.acknowledged(agent, &ack)?;
                self.coverage.count(match ack.state {
                    State::Ok => "ack: ok",
                    State::StoreDown => "ack: store down",
                    State::Busy => "ack: busy",
                });
                let ranges = ack.streams.iter().map(|said| said.ranges.len() as u64).sum::<u64>();
                self.coverage.add("ack: ranges", ranges);
            }
            Ok(Topic::Down(id, Down::Limit)) => {
                let decision = Decision::decode(&publish.payload);
                let decision = decision.map_err(|error| super::checks::unreadable("limit", &error))?;
                self.limits.sent(&id, &decision)?;
            }
            _ => return Err(super::checks::Violation::new(format!("the ingester publishes to {}", publish.topic))),
        }
        self.network.publish(Party::Cloud, publish, self.now_us, &mut self.agenda);
        Ok(())
    }
}
