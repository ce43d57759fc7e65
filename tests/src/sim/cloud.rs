//! The ingesters' programs around their nodes: what the shell in `cloud-ingest` does, without any I/O.

use super::agenda::{Event, Party};
use super::checks::{Check, Violation, require, unreadable};
use super::options::{SECOND_US, StoreKind};
use super::world::World;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::Name;
use fogline_protocol::node::{
    CloudConfig, Keeping, Machine, Publish, SiteConfig, SiteEffect, SiteInput, SiteNode, SiteSnapshot,
};
use fogline_protocol::rng::Rng;
use fogline_protocol::store::{Commit, StoreAnswer, StoreCommand};
use fogline_protocol::time::Monotonic;
use fogline_protocol::topic::{Down, Topic, Up, region_of};
use fogline_protocol::usecase::LimitRule;
use fogline_protocol::wire::{Ack, Batch, Decision, Hello, Message, Role, State};
use std::sync::Arc;

/// How long an orderly stop may take.
const LEAVE_US: u64 = 2 * SECOND_US;

/// An ingester.
#[derive(Debug)]
pub struct Cloud {
    node: Option<SiteNode>,
    life: u64,
    rng: Rng,
    /// The commit at the store.
    asked: Option<Arc<Commit>>,
    /// It stops in order, and is started again after so long.
    leaving: Option<u64>,
    /// It knew all of its leader's state when it last heard of it.
    in_step: bool,
}

impl Cloud {
    /// An ingester that was not started yet.
    #[must_use]
    pub const fn new(rng: Rng) -> Self {
        Self { node: None, life: 0, rng, asked: None, leaving: None, in_step: false }
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

    /// The node as it is now, while it runs.
    #[must_use]
    pub fn snapshot(&self, now: Monotonic) -> Option<SiteSnapshot> {
        self.node.as_ref().map(|node| node.snapshot(now))
    }

    /// True while it takes readings and decides.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.node.as_ref().is_some_and(|node| node.snapshot(Monotonic::ZERO).role == Role::Leading)
    }
}

impl World {
    pub(super) fn boot_cloud(&mut self, site: usize) -> Check {
        let party = Party::Cloud(site);
        self.clocks.entry(party).and_modify(|clock| clock.reboot(self.now_us));
        let now = self.clock(party);
        self.note(party, "starts", b"");
        self.coverage.count("ingester started");
        self.take_realm(site);
        let config = self.site_config(site);
        let cloud = &mut self.clouds[site];
        cloud.life += 1;
        cloud.leaving = None;
        cloud.in_step = false;
        cloud.node = Some(SiteNode::new(config, now));
        let life = cloud.life;
        for broker in 0..self.options.sites {
            self.network.try_connect((party, broker), life, self.now_us, &mut self.agenda);
        }
        self.network.listen(party, false, self.now_us, &mut self.agenda);
        self.drain_cloud(site)
    }

    fn site_config(&mut self, site: usize) -> SiteConfig {
        let name = format!("ingest-{}", site + 1);
        let name = Name::new(&name).unwrap_or_else(|_| unreachable!("it has the form of a name"));
        let cloud = CloudConfig {
            memory_bytes: self.options.memory_bytes,
            credit_bytes: self.options.credit_bytes,
            grace: super::limits::GRACE,
            limit_rule: LimitRule { ttl_ms: self.options.ttl_ms, ..LimitRule::default() },
            ..CloudConfig::new(name, self.clouds[site].rng.next_u64())
        };
        let keeping = match self.options.store.kind {
            StoreKind::Transactional => Keeping::Together,
            StoreKind::Identity => Keeping::Apart,
        };
        let realm = self.realms[site].clone();
        SiteConfig { brokers: self.options.sites, keeping, realm, ..SiteConfig::new(cloud) }
    }

    pub(super) fn crash_cloud(&mut self, site: usize) -> Check {
        let cloud = &mut self.clouds[site];
        cloud.node = None;
        cloud.asked = None;
        let (store, _, mut books) = self.store_and_books();
        store.abandon(site, &mut books)
    }

    /// The program is told to stop in order.
    pub(super) fn leave(&mut self, site: usize, down_us: u64) -> Check {
        let now = self.clock(Party::Cloud(site));
        let cloud = &mut self.clouds[site];
        let Some(node) = &mut cloud.node else { return Ok(()) };
        node.leave(now);
        cloud.leaving = Some(down_us);
        self.agenda.at(self.now_us + LEAVE_US, Event::Left(site, cloud.life, down_us));
        self.drain_cloud(site)
    }

    pub(super) fn cloud_connected(&mut self, site: usize, broker: usize) -> Check {
        self.handle_cloud(site, SiteInput::Connected { broker })
    }

    pub(super) fn cloud_disconnected(&mut self, site: usize, broker: usize) -> Check {
        self.handle_cloud(site, SiteInput::Disconnected { broker })
    }

    pub(super) fn cloud_timeout(&mut self, site: usize) -> Check {
        let now = self.clock(Party::Cloud(site));
        if let Some(node) = &mut self.clouds[site].node {
            node.handle_timeout(now);
        }
        self.drain_cloud(site)
    }

    /// A message arrives at an ingester.
    pub(super) fn cloud_receives(&mut self, site: usize, broker: usize, publish: &Publish) -> Check {
        let wall = self.clock(Party::Cloud(site)).wall;
        if self.clouds[site].leads() {
            self.leader_receives(site, publish)?;
        }
        if self.saboteur.is_deaf_to(publish, &self.realms[site]) {
            return Ok(());
        }
        let payload = self.saboteur.to_cloud(publish, wall);
        self.handle_cloud(site, SiteInput::Message { broker, topic: publish.topic.clone(), payload })
    }

    fn leader_receives(&mut self, site: usize, publish: &Publish) -> Check {
        let wall = self.clock(Party::Cloud(site)).wall;
        if region_of(&publish.topic).is_none_or(|region| !self.realms[site].takes(region)) {
            self.coverage.count("message for another ingester");
            return Ok(());
        }
        if let Ok(Topic::Up(id, Up::Hello)) = Topic::parse(&publish.topic) {
            let hello = Hello::decode(&publish.payload).map_err(|error| unreadable("hello", &error))?;
            let agent = self.ledger.agent(&id);
            let said = self.edges[agent].hello(hello.hello).into_iter().flat_map(|hello| &hello.streams);
            said.for_each(|open| self.ledger.greeted(agent, open, site));
        }
        if let Ok(Topic::Up(id, Up::Readings)) = Topic::parse(&publish.topic) {
            let batch = Batch::decode(&publish.payload).map_err(|error| unreadable("batch", &error))?;
            let agent = self.ledger.agent(&id);
            self.ledger.received(agent, &batch, site);
            let Range { first, last } = batch.range();
            let book = self.ledger.stream(agent, batch.header.stream);
            let rows = (first..=last).filter_map(|seq| book.sent_row(seq));
            rows.for_each(|row| self.limits.received(&id.region, &row, wall));
        }
        if let Some(commit) = self.saboteur.writes_again(publish, &mut self.ledger) {
            let (store, _, mut books) = self.store_and_books();
            store.write_again(&commit, &mut books)?;
        }
        Ok(())
    }

    /// The store finishes a step of what the ingester of this life asked for.
    pub(super) fn store_steps(&mut self, site: usize, life: u64) -> Check {
        if self.clouds[site].life() != Some(life) {
            return Ok(());
        }
        let now = (self.now_us, self.clock(Party::Cloud(site)).wall);
        let (store, agenda, mut books) = self.store_and_books();
        let Some(mut answer) = store.step(site, now, life, agenda, &mut books)? else { return Ok(()) };
        self.heard_of(site, &mut answer);
        self.handle_cloud(site, SiteInput::Store(answer))
    }

    fn heard_of(&mut self, site: usize, answer: &mut StoreAnswer) {
        let (what, good) = match &*answer {
            StoreAnswer::Committed(id, result) => (format!("commit {id}"), result.is_ok()),
            StoreAnswer::Recalled(_, stream, result) => (format!("recall {stream}"), result.is_ok()),
            StoreAnswer::TakenOver(_, result) => ("takeover".to_owned(), result.is_ok()),
            StoreAnswer::Exported(result) => ("export".to_owned(), result.is_ok()),
            StoreAnswer::Adopted(result) => ("adoption".to_owned(), result.is_ok()),
        };
        self.note(Party::Cloud(site), if good { "store did" } else { "store failed" }, what.as_bytes());
        if matches!(answer, StoreAnswer::Committed(_, Ok(_))) {
            self.heard_of_commit(site);
        }
        if let StoreAnswer::TakenOver(_, Ok(recovered)) = answer {
            self.saboteur.recovered(recovered);
            self.coverage.count("lead taken");
            self.ledger.took_over(site);
            let in_step = std::mem::take(&mut self.clouds[site].in_step);
            self.store.taken_out_of_step |= self.options.sites > 1 && !in_step;
            self.store.directives_lost |= !in_step && self.store.has_directives_elsewhere(site);
            self.coverage.add("took over in step", u64::from(in_step));
            if self.options.sites > 1 {
                self.limits.handed_over();
            }
            self.limits.restarted(self.clock(Party::Cloud(site)).wall);
        }
    }

    /// The ingester learns that its commit is done: from here on its readings count.
    fn heard_of_commit(&mut self, site: usize) {
        let wall = self.clock(Party::Cloud(site)).wall;
        let Some(commit) = self.clouds[site].asked.take() else { return };
        for (place, _) in self.ledger.places(&commit.points) {
            let (agent, stream, seq) = place;
            let region = &self.options.agents[agent].id.region;
            if let Some(row) = self.ledger.streams.get(&(agent, stream)).and_then(|book| book.sent_row(seq)) {
                self.limits.committed(region, &row, wall);
            }
        }
    }

    pub(super) fn handle_cloud(&mut self, site: usize, input: SiteInput) -> Check {
        let now = self.clock(Party::Cloud(site));
        if let Some(node) = &mut self.clouds[site].node {
            node.handle(input, now);
        }
        self.drain_cloud(site)
    }

    fn drain_cloud(&mut self, site: usize) -> Check {
        let party = Party::Cloud(site);
        while let Some(effect) = self.clouds[site].node.as_mut().and_then(Machine::poll_effect) {
            match effect {
                SiteEffect::Publish { broker, publish } => self.cloud_publishes(site, broker, &publish)?,
                SiteEffect::Store(command) => self.ask_store(site, command),
                SiteEffect::Directed { ticket, result } => self.directed(site, ticket, result)?,
                SiteEffect::Listen(listens) => self.network.listen(party, listens, self.now_us, &mut self.agenda),
                SiteEffect::Conflict { .. } => return Err(Violation::new("CONFLICT: one store, and two".to_owned())),
            }
        }
        self.set_wake(party);
        let Some(node) = &self.clouds[site].node else { return Ok(()) };
        let snapshot = node.snapshot(self.clock(party).mono);
        if snapshot.leader.is_some() && snapshot.role == Role::StandingBy {
            self.clouds[site].in_step = snapshot.in_step;
        }
        let Some(node) = &self.clouds[site].node else { return Ok(()) };
        let (held, most) = (node.snapshot(Monotonic::ZERO).cloud.held_bytes, self.options.memory_bytes);
        require(held <= most, || format!("UNBOUNDED: the ingester holds {held} bytes of readings, at most {most}"))?;
        match self.clouds[site].leaving {
            Some(down_us) if node.has_left() => self.crash(party, down_us),
            _ => Ok(()),
        }
    }

    fn ask_store(&mut self, site: usize, command: StoreCommand) {
        let command = match command {
            StoreCommand::Commit(commit) => {
                let commit = self.saboteur.commits(commit, &self.ledger);
                self.clouds[site].asked = Some(commit.clone());
                StoreCommand::Commit(commit)
            }
            other => other,
        };
        let (now_us, life) = (self.now_us, self.clouds[site].life);
        self.store.ask(site, command, now_us, life, &mut self.agenda);
    }

    fn cloud_publishes(&mut self, site: usize, broker: usize, publish: &Publish) -> Check {
        match Topic::parse(&publish.topic) {
            Ok(Topic::Down(id, Down::Ack)) => {
                let ack = Ack::decode(&publish.payload).map_err(|error| unreadable("ack", &error))?;
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
            Ok(Topic::Down(id, Down::Limit | Down::Notice | Down::Config)) => {
                let decision = Decision::decode(&publish.payload);
                let decision = decision.map_err(|error| unreadable("limit", &error))?;
                let takes = self.realms[site].takes(id.region.as_str());
                require(takes, || format!("ELSEWHERE: ingester {site} decides for {id}: {decision:?}"))?;
                self.limits.sent(&id, &decision, self.store.state_of(site))?;
                self.lasts_no_longer(site, &decision)?;
            }
            Ok(Topic::Ingest(..)) => {}
            _ => return Err(Violation::new(format!("the ingester publishes to {}", publish.topic))),
        }
        self.network.publish((Party::Cloud(site), broker), publish, self.now_us, &mut self.agenda);
        Ok(())
    }
}
