//! An agent's program around its node: what the shell in `edge-agent` does, without any I/O.

mod publishing;

use super::agenda::{Connection, Event, Party};
use super::checks::{Check, require, unreadable};
use super::clocks::Clock;
use super::ledger::Serial;
use super::options::AgentOptions;
use super::orders::{LIMIT, is_deadly, is_deaf};
use super::port::{Desk, Port, describe, is_fault};
use super::source::Source;
use super::stamps::Taken;
use super::world::World;
use fogline_protocol::clock::{BootId, SET_FROM};
use fogline_protocol::delivery::PAYLOAD_BYTES;
use fogline_protocol::delivery::lanes::Order;
use fogline_protocol::failover::{FAILOVER_AFTER, FailoverConfig};
use fogline_protocol::ids::StreamId;
use fogline_protocol::node::{
    ClockConfig, EdgeConfig, EdgeEffect, EdgeInput, EdgeNode, EdgeSnapshot, Machine, Publish,
};
use fogline_protocol::queue::{Appended, QueueAnswer, QueueCommand};
use fogline_protocol::rng::Rng;
use fogline_protocol::sensing::Sensing;
use fogline_protocol::time::Monotonic;
use fogline_protocol::topic::{Down, Topic};
use fogline_protocol::wire::{Ack, Decision, Hello, Message};
use std::time::Duration;

/// How long readings gather before they are committed together.
const COMMIT_EVERY: Duration = Duration::from_millis(50);

/// How long an agent lives with a configuration that kills: less than any answer needs.
const DIES_AFTER_US: u64 = 150;

/// An agent.
#[derive(Debug)]
pub struct Edge {
    node: Option<EdgeNode>,
    life: u64,
    options: AgentOptions,
    port: Port,
    source: Source,
    rng: Rng,
    connects: u64,
    /// The broker that it is connected to, or was last.
    broker: usize,
    /// The credit that the ingester granted on this connection, as it left the ingester.
    granted: u64,
    /// What was granted when the node asked for the rows of the next batch.
    granted_at_load: u64,
    /// The newest hello as it was first said, and whether it was answered.
    hello: Option<Hello>,
    hello_answered: bool,
    /// Its disk was exchanged.
    other_disk: bool,
}

impl Edge {
    /// An agent that was not started yet.
    pub fn new(index: usize, options: AgentOptions, disk_delay_us: u64, split: &mut impl FnMut() -> Rng) -> Self {
        Self {
            node: None,
            life: 0,
            port: Port::new(options.limits, disk_delay_us, split()),
            source: Source::new(index, options.clone(), split()),
            rng: split(),
            options,
            connects: 0,
            broker: 0,
            granted: PAYLOAD_BYTES,
            granted_at_load: PAYLOAD_BYTES,
            hello: None,
            hello_answered: true,
            other_disk: false,
        }
    }

    /// True when its disk was exchanged, and may lack what it was told.
    #[must_use]
    pub const fn has_other_disk(&self) -> bool {
        self.other_disk
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

    /// Its disk, to break it.
    pub const fn port(&mut self) -> &mut Port {
        &mut self.port
    }

    /// The node as it is now, while it runs.
    #[must_use]
    pub fn snapshot(&self) -> Option<EdgeSnapshot> {
        self.node.as_ref().map(EdgeNode::snapshot)
    }

    /// What has not come to rest: nothing when everything has.
    #[must_use]
    pub fn unsettled(&self, index: usize) -> Option<String> {
        let Some(node) = &self.node else { return Some(format!("agent {index} is down")) };
        let snapshot = node.snapshot();
        if !snapshot.connected {
            return Some(format!("agent {index} is not connected"));
        }
        (!self.hello_answered).then(|| format!("agent {index} has no answer to its hello"))
    }

    /// The newest hello, if it has this number.
    #[must_use]
    pub fn hello(&self, number: u64) -> Option<&Hello> {
        self.hello.as_ref().filter(|hello| hello.hello == number)
    }

    /// The streams that the newest hello names.
    pub fn open_streams(&self) -> impl Iterator<Item = StreamId> + '_ {
        self.hello.iter().flat_map(|hello| &hello.streams).map(|open| open.stream)
    }
}

impl World {
    pub(super) fn boot_edge(&mut self, index: usize) -> Check {
        let party = Party::Agent(index);
        self.clocks.entry(party).and_modify(|clock| clock.reboot(self.now_us));
        let now = self.clock(party);
        let (boot, uptime) = self.clocks.get(&party).map_or((BootId::from_bits(0), Duration::ZERO), Clock::start);
        let edge = &mut self.edges[index];
        edge.port.set_careless(self.saboteur.ignores_seals());
        let (mut state, rows, exchanged) = edge.port.open();
        edge.other_disk |= exchanged;
        self.ledger.opened(index, &state, &rows, exchanged)?;
        self.trials.opened(index, &state.decisions, exchanged)?;
        self.limits.started(index);
        edge.source.restart(&state.positions, exchanged);
        self.saboteur.opened(index, &mut state);
        let config = EdgeConfig {
            id: edge.options.id.clone(),
            agent_version: "0.0.0".to_owned(),
            limits: edge.options.limits,
            commit_every: COMMIT_EVERY,
            failover: FailoverConfig {
                brokers: self.options.sites,
                failover_after: FAILOVER_AFTER,
                prefer_primary_after: edge.options.prefer_primary_after,
            },
            clock: ClockConfig { boot, uptime, hold: self.options.clock_hold },
            seed: self.saboteur.entropy(index, edge.rng.next_u64()),
            order: Order::FreshFirst,
            questions: Vec::new(),
            trial: self.saboteur.trial(self.options.trial),
        };
        edge.node = Some(EdgeNode::new(config, &state, now));
        edge.life += 1;
        edge.connects = 0;
        edge.hello = None;
        edge.hello_answered = true;
        self.network.try_connect((party, 0), edge.life, self.now_us, &mut self.agenda);
        self.note(party, "starts", format!("opening {} at {}", state.opening, state.next).as_bytes());
        self.coverage.count("agent started");
        self.drain_edge(index)
    }

    pub(super) fn crash_edge(&mut self, index: usize) -> Check {
        self.edges[index].node = None;
        self.edges[index].port.crash(index, &mut self.ledger)
    }

    pub(super) fn edge_will(&self, index: usize) -> Option<Publish> {
        let now = self.clock(Party::Agent(index));
        let edge = &self.edges[index];
        edge.node.as_ref().map(|node| node.will(edge.connects + 1, now))
    }

    pub(super) fn edge_connected(&mut self, index: usize, broker: usize) -> Check {
        let edge = &mut self.edges[index];
        edge.connects += 1;
        edge.broker = broker;
        edge.granted = PAYLOAD_BYTES;
        let connection = edge.connects;
        self.handle_edge(index, EdgeInput::Connected { broker, connection })
    }

    pub(super) fn edge_disconnected(&mut self, index: usize) -> Check {
        self.handle_edge(index, EdgeInput::Disconnected)
    }

    /// The agent leaves its connection of this number for another broker.
    pub(super) fn edge_moves(&mut self, index: usize, number: u64, broker: usize) -> Check {
        let party = Party::Agent(index);
        let edge = &self.edges[index];
        let (Some(life), true) = (edge.life(), edge.connects == number) else { return Ok(()) };
        require(broker < self.options.sites, || format!("agent {index} moves to broker {broker}, which is not there"))?;
        if self.network.disconnect((party, edge.broker), self.now_us, &mut self.agenda) {
            self.coverage.count("agent moved");
            self.network.try_connect((party, broker), life, self.now_us, &mut self.agenda);
            return self.edge_disconnected(index);
        }
        Ok(())
    }

    pub(super) fn edge_timeout(&mut self, index: usize) -> Check {
        let now = self.clock(Party::Agent(index));
        if let Some(node) = &mut self.edges[index].node {
            node.handle_timeout(now);
        }
        self.drain_edge(index)
    }

    /// The sensors of an agent measure, unless it lets them wait.
    pub(super) fn measure(&mut self, index: usize) -> Check {
        if self.now_us >= self.options.faulty_us + self.options.healthy_us {
            return Ok(());
        }
        let next_us = self.now_us + self.edges[index].options.every_us;
        self.agenda.at(next_us, Event::Measure(index));
        let wall = self.clock(Party::Agent(index)).wall;
        let edge = &mut self.edges[index];
        if !edge.node.as_ref().is_some_and(EdgeNode::wants_readings) {
            self.coverage.count("source waited");
            return Ok(());
        }
        self.trials.awake(index, self.now_us, self.options.trial)?;
        self.limits.awake(index, self.now_us)?;
        let edge = &mut self.edges[index];
        let input = edge.source.measure(wall);
        let boot = self.clocks.get(&Party::Agent(index)).map(|clock| clock.start().0);
        let taken = Taken { true_us: self.now_us, boot, unset: wall < SET_FROM };
        self.ledger.clocks[index].took(edge.source.newest(), taken);
        self.handle_edge(index, input)
    }

    /// The disk of an agent answers its oldest command.
    pub(super) fn disk_answers(&mut self, index: usize, life: u64) -> Check {
        if self.edges[index].life() != Some(life) {
            return Ok(());
        }
        let (port, mut desk) = self.port_and_desk(index);
        let answers = port.finish(&mut desk)?;
        self.hand_over(index, answers)
    }

    /// The disk of an agent does what it had put off.
    pub(super) fn disk_flushes(&mut self, index: usize, life: u64) -> Check {
        if self.edges[index].life() != Some(life) {
            return Ok(());
        }
        let (port, mut desk) = self.port_and_desk(index);
        let answers = port.flush(&mut desk)?;
        self.hand_over(index, answers)
    }

    fn hand_over(&mut self, index: usize, answers: Vec<QueueAnswer>) -> Check {
        for mut answer in answers {
            self.note(Party::Agent(index), "disk", describe(&answer).as_bytes());
            if is_fault(&answer) {
                self.coverage.count("disk failed");
            }
            if let QueueAnswer::Appended(Ok(appended)) = &answer {
                self.queue_is_bounded(index, appended)?;
            }
            match &answer {
                QueueAnswer::DecisionSaved(Ok(key)) => self.trials.kept(index, key, &mut self.coverage),
                QueueAnswer::DecisionSaved(Err(_)) => self.trials.not_kept(index),
                _ => {}
            }
            self.saboteur.answered(&mut answer);
            self.handle_edge(index, EdgeInput::Queue(answer))?;
        }
        Ok(())
    }

    /// No queue grows beyond its bound; one that lets its source wait may take one more measurement.
    fn queue_is_bounded(&self, index: usize, appended: &Appended) -> Check {
        let options = &self.edges[index].options;
        let (holds, most) = (appended.usage.readings, options.limits.readings);
        require(holds < most + options.burst, || {
            format!("UNBOUNDED: agent {index} holds {holds} readings, at most {most}")
        })
    }

    /// The broker has taken what the agent published.
    pub(super) fn puback(&mut self, index: usize, connection: Connection, publish: &Publish) -> Check {
        let believed = self.saboteur.puback(publish, self.edges[index].granted);
        let believed = believed.or_else(|| self.saboteur.answers_hello(publish));
        match believed.filter(|_| self.network.delivers(connection)) {
            Some(ack) => self.handle_edge(index, EdgeInput::Message { topic: ack.topic, payload: ack.payload.into() }),
            None => Ok(()),
        }
    }

    /// A message arrives at an agent.
    pub(super) fn edge_receives(&mut self, index: usize, publish: &Publish) -> Check {
        if is_deaf(&self.trials.in_force(index)) {
            self.coverage.count("message to a deaf agent");
            return Ok(());
        }
        if let Ok(Topic::Down(_, Down::Limit)) = Topic::parse(&publish.topic) {
            let limit = Decision::decode(&publish.payload).map_err(|error| unreadable("limit", &error))?;
            self.limits.heard(index, &limit, self.now_us);
        }
        if let Ok(Topic::Down(_, Down::Ack)) = Topic::parse(&publish.topic) {
            let ack = Ack::decode(&publish.payload).map_err(|error| unreadable("ack", &error))?;
            let edge = &mut self.edges[index];
            edge.granted = ack.credit;
            ack.hello.into_iter().for_each(|number| self.trials.hears(index, number));
            edge.hello_answered |= ack.hello.is_some_and(|number| edge.hello(number).is_some());
        }
        let payload = self.saboteur.to_edge(publish);
        self.handle_edge(index, EdgeInput::Message { topic: publish.topic.clone(), payload })
    }

    fn handle_edge(&mut self, index: usize, input: EdgeInput) -> Check {
        let now = self.clock(Party::Agent(index));
        if let Some(node) = &mut self.edges[index].node {
            node.handle(input, now);
        }
        self.drain_edge(index)
    }

    fn drain_edge(&mut self, index: usize) -> Check {
        let mut published = false;
        while let Some(effect) = self.edges[index].node.as_mut().and_then(Machine::poll_effect) {
            match effect {
                EdgeEffect::Queue(command) => {
                    if let QueueCommand::SaveDecision(saved) = &command {
                        self.trials.asks(index, saved)?;
                    }
                    self.ask_disk(index, command);
                }
                EdgeEffect::Publish(publish) => published |= self.edge_publishes(index, publish)?,
                EdgeEffect::UseBroker(to) => {
                    let number = self.edges[index].connects;
                    self.agenda.at(self.now_us, Event::Move(index, number, to.broker));
                }
                EdgeEffect::Accepted { ticket } => {
                    let serials: std::ops::Range<Serial> =
                        self.edges[index].source.accepted(ticket).unwrap_or_default();
                    self.coverage.add("reading accepted", serials.end - serials.start);
                    self.ledger.accepted(index, serials)?;
                }
                EdgeEffect::Tune(sensing) => self.tuned(index, sensing)?,
                EdgeEffect::InForce { key, decision } => {
                    if key == LIMIT {
                        self.limits.lasts(index, decision.as_ref());
                    }
                    match decision {
                        Some(decision) => self.limits.applied(index, &self.options.agents[index].id, &decision)?,
                        None => self.coverage.count("limit ended"),
                    }
                }
            }
        }
        self.set_wake(Party::Agent(index));
        if published { self.keeps_to_credit(index) } else { Ok(()) }
    }

    /// An agent works with another configuration.
    fn tuned(&mut self, index: usize, sensing: Sensing) -> Check {
        self.trials.applied(index, sensing, self.now_us)?;
        if is_deadly(&sensing) {
            self.agenda.at(self.now_us + DIES_AFTER_US, Event::Dies(index, self.edges[index].life));
        }
        Ok(())
    }

    fn ask_disk(&mut self, index: usize, command: QueueCommand) {
        if matches!(command, QueueCommand::Load(_)) {
            self.edges[index].granted_at_load = self.edges[index].granted;
        }
        let (port, mut desk) = self.port_and_desk(index);
        port.ask(command, &mut desk);
    }

    fn port_and_desk(&mut self, agent: usize) -> (&mut Port, Desk<'_>) {
        let wall = self.clock(Party::Agent(agent)).wall;
        let edge = &mut self.edges[agent];
        let (life, now_us) = (edge.life, self.now_us);
        let desk = Desk { agent, life, now_us, wall, agenda: &mut self.agenda, ledger: &mut self.ledger };
        (&mut edge.port, desk)
    }
}
