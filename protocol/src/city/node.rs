//! A node of a city: takes the samples of its sensors, averages them, and brings its averages to the coordinator, which it
//! may be itself.
//!
//! An average is kept until it is in a queue on disk: that of the coordinator, or the own one when the node leaves and finds
//! no coordinator. The coordinator acknowledges what its queue has committed, and nothing before.

mod books;
mod charge;
mod clients;
mod coordinating;
mod hearing;
mod interface;
mod leaving;
mod registered;
#[cfg(test)]
mod tests;

pub use interface::{NodeConfig, NodeEffect, NodeInput, NodeSnapshot, NodeState};

use super::kept::Kept;
use super::message::{Average, Averages, BATCH_MAX, NodeWord};
use super::sliding::Windows;
use crate::election::{Candidate, Election, ElectionEffect};
use crate::ids::{Name, StreamId, Term};
use crate::node::{Machine, Publish};
use crate::rng::Rng;
use crate::time::{Monotonic, Now};
use crate::topic::{Neighbour, Topic};
use crate::wire::{Message, Role};
use books::Books;
use charge::Charge;
use clients::Clients;
use leaving::Leaving;
use registered::Registered;
use std::collections::VecDeque;
use std::time::Duration;

/// The most averages that a node keeps: more than an hour of them. Then the oldest go, and are counted.
const AVERAGES_MAX: usize = 1024;
/// How long an acknowledgement may take before averages are sent again.
const RESEND: Duration = Duration::from_secs(2);
/// Between two questions for the token, when somebody speaks with another one: whoever does must not make us ask all the time.
const TOKEN_EVERY: Duration = Duration::from_secs(10);
/// Windows are looked at this often at most: those of one step end together.
const CLOSE_EVERY: Duration = Duration::from_millis(50);

/// The machine.
#[derive(Debug)]
pub struct CityNode {
    config: NodeConfig,
    election: Election,
    connected: bool,
    said_hello: bool,
    clients: Clients,
    windows: Windows,
    close_at: Option<Monotonic>,
    stream: StreamId,
    kept: Kept<Average>,
    /// When the oldest averages are sent to the coordinator, and who that was last time.
    send_at: Option<(Name, Monotonic)>,
    books: Books,
    charge: Option<Charge>,
    registered: Registered,
    leaving: Option<Leaving>,
    token_after: Monotonic,
    counts: Counts,
    effects: VecDeque<NodeEffect>,
}

#[derive(Debug, Default)]
struct Counts {
    samples: u64,
    implausible: u64,
    uploaded: u64,
    globals: u64,
    wrong_token: u64,
    malformed: u64,
    local: Option<Average>,
    global: Option<Average>,
}

impl CityNode {
    /// A node that knows nobody yet. It must be registered at the API already.
    #[must_use]
    pub fn new(config: NodeConfig, now: Now) -> Self {
        let mut rng = Rng::new(config.seed);
        let stream = StreamId::from_bits(rng.next_u64());
        let me = Candidate { name: config.id.agent.clone(), rank: 0, brokers: 1, timing: config.timing };
        Self {
            election: Election::new(me, None, now.mono),
            connected: false,
            said_hello: false,
            clients: Clients::new(config.keep_alive),
            windows: Windows::new(config.sliding, rng.next_u64(), now.wall),
            close_at: None,
            stream,
            kept: Kept::new(AVERAGES_MAX),
            send_at: None,
            books: Books::default(),
            charge: None,
            registered: Registered::new(now.mono + Duration::from_millis(rng.below(2000))),
            leaving: None,
            token_after: now.mono,
            counts: Counts::default(),
            effects: VecDeque::new(),
            config,
        }
    }

    /// How it is.
    #[must_use]
    pub fn snapshot(&self, now: Monotonic) -> NodeSnapshot {
        NodeSnapshot {
            state: self.state(),
            coordinator: self.election.leader().cloned(),
            others: self.election.living(now).cloned().collect(),
            sensors: self.clients.sensors(),
            samples: self.counts.samples,
            implausible: self.counts.implausible,
            kept: self.kept.len(),
            dropped: self.kept.dropped(),
            uploads_waiting: self.books.waiting(),
            uploaded: self.counts.uploaded,
            globals: self.counts.globals,
            local: self.counts.local,
            global: self.counts.global,
            wrong_token: self.counts.wrong_token,
            malformed: self.counts.malformed,
            refused: self.clients.refused(),
        }
    }

    /// What it is.
    #[must_use]
    pub fn state(&self) -> NodeState {
        match (&self.leaving, self.election.role(), self.election.leader()) {
            (Some(_), _, _) => NodeState::Leaving,
            (None, Role::Leading, _) => NodeState::Coordinator,
            (None, _, Some(_)) => NodeState::Active,
            (None, _, None) => NodeState::Joining,
        }
    }

    const fn me(&self) -> &Name {
        &self.config.id.agent
    }

    fn publish(&mut self, channel: Neighbour, to: Option<Name>, message: &impl Message) {
        let topic = Topic::Peers(self.config.id.clone(), channel, to).to_string();
        self.effects.push_back(NodeEffect::Publish(Publish { topic, payload: message.encode(), retain: false }));
    }

    /// Says to all what it is.
    fn say(&mut self, role: Role) {
        let word = NodeWord {
            token: self.config.token.clone(),
            hello: !std::mem::replace(&mut self.said_hello, true),
            role,
            term: self.election.term().cloned(),
            coordinator: self.election.leader().cloned(),
            place: self.config.place,
            sensors: u32::try_from(self.clients.sensors()).unwrap_or(u32::MAX),
            local: self.counts.local,
        };
        self.publish(Neighbour::Node, None, &word);
    }

    /// The API may have a new token since we asked.
    fn doubt_token(&mut self, now: Monotonic) {
        self.counts.wrong_token += 1;
        if self.token_after <= now {
            self.token_after = now + TOKEN_EVERY;
            self.effects.push_back(NodeEffect::AskToken);
        }
    }

    fn follow_election(&mut self, now: Now) {
        while let Some(effect) = self.election.poll_effect() {
            match effect {
                ElectionEffect::Say => self.say(self.election.role()),
                ElectionEffect::Farewell => self.say(Role::Leaving),
                // Whoever leaves stands for nothing.
                ElectionEffect::Take { .. } if self.leaving.is_some() => self.election.took(None, now.mono),
                ElectionEffect::Take { above } => {
                    let term = Term { counter: above + 1, ingester: self.me().clone() };
                    self.election.took(Some(term), now.mono);
                    self.charge = Some(Charge::new(self.config.global_every, now));
                }
                ElectionEffect::StandDown => self.end_interval(now, true),
            }
        }
    }

    fn close_windows(&mut self, now: Now) {
        if self.close_at.is_some_and(|at| at <= now.mono) {
            let closed = self.windows.close(now.wall);
            self.keep(closed);
        }
        // A time that has been waited for stays: who is spoken to all the time would put it off for ever. If the clock is set
        // meanwhile it comes too early or too late once.
        let waits = self.close_at.filter(|at| *at > now.mono);
        let next = self.windows.next_close().map(|at| now.mono + at.since(now.wall).max(CLOSE_EVERY));
        self.close_at = waits.into_iter().chain(next).min();
    }

    fn keep(&mut self, averages: Vec<Average>) {
        for average in averages {
            self.counts.local = Some(average);
            self.kept.push(average);
        }
    }

    /// Averages go to the coordinator: at once when they are new or it is, again when it did not answer.
    fn send_averages(&mut self, now: Monotonic) {
        let coordinator = self.election.leader().filter(|leader| *leader != self.me()).cloned();
        let Some(coordinator) = coordinator.filter(|_| self.connected && !self.kept.is_empty()) else {
            self.send_at = None;
            return;
        };
        if self.send_at.as_ref().is_some_and(|(to, at)| *to == coordinator && *at > now) {
            return;
        }
        let averages = Averages {
            token: self.config.token.clone(),
            stream: self.stream,
            first: self.kept.first(),
            averages: self.kept.oldest(BATCH_MAX).copied().collect(),
        };
        self.publish(Neighbour::Averages, Some(coordinator.clone()), &averages);
        self.send_at = Some((coordinator, now + RESEND));
    }

    /// What follows from whatever happened.
    fn settle(&mut self, now: Now) {
        self.follow_election(now);
        self.close_windows(now);
        self.take_own(now);
        self.send_averages(now.mono);
        self.leave_on(now);
    }
}

impl Machine for CityNode {
    type Input = NodeInput;
    type Effect = NodeEffect;

    fn handle(&mut self, input: NodeInput, now: Now) {
        match input {
            NodeInput::Connected => {
                self.connected = true;
                self.registered.connected(now.mono);
                self.election.reaches(1, now.mono);
            }
            NodeInput::Disconnected => {
                self.connected = false;
                self.send_at = None;
                self.election.reaches(0, now.mono);
            }
            NodeInput::Message { topic, payload } => self.heard(&topic, &payload, now),
            NodeInput::Uploaded { ticket } => self.uploaded(ticket, now.mono),
            NodeInput::Token(token) => self.config.token = token,
            NodeInput::Nodes(nodes) => self.registered_nodes(nodes, now.mono),
            NodeInput::Leave => self.begin_leaving(now),
        }
        self.settle(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.election.handle_timeout(now.mono);
        self.follow_election(now);
        if self.charge.as_ref().is_some_and(|charge| charge.next() <= now.mono) {
            self.end_interval(now, false);
        }
        for client in self.clients.due(now.mono) {
            self.say_alive(client, Vec::new());
        }
        if self.registered.is_due(now.mono) && self.leaving.is_none() {
            self.effects.push_back(NodeEffect::AskNodes);
        }
        self.settle(now);
    }

    fn poll_effect(&mut self) -> Option<NodeEffect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Monotonic> {
        let sends = self.send_at.as_ref().map(|(_, at)| *at);
        let charge = self.charge.as_ref().map(Charge::next);
        let leaving = self.leaving.as_ref().and_then(Leaving::next);
        [self.election.poll_timeout(), self.close_at, sends, charge, self.clients.next(), leaving]
            .into_iter()
            .flatten()
            .chain([self.registered.next()])
            .min()
    }
}
