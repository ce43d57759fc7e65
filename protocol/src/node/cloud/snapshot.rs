//! What an ingester can tell of itself.

use super::{CloudNode, Stream};
use crate::ids::{AgentId, StreamId, Term};
use crate::store::{Progress, StoreFault};
use std::collections::BTreeMap;

/// What was counted since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Messages of agents.
    pub messages: u64,
    /// Readings in them, duplicates included.
    pub readings: u64,
    /// Readings that were received before.
    pub duplicates: u64,
    /// Readings written to the store.
    pub stored: u64,
    /// Readings that the store refuses for good.
    pub dead: u64,
    /// Values outside of what their field can be: stored, and not averaged.
    pub out_of_range: u64,
    /// New readings that were taken before their agent's clock was set, and have the right times since.
    pub restamped: u64,
    /// New readings of a clock that was not set: stored, and not averaged.
    pub unset: u64,
    /// New readings from the future: their agent's clock is minutes ahead of the ingester's.
    pub future: u64,
    /// Hellos.
    pub hellos: u64,
    /// Acknowledgements of readings, sent.
    pub acks: u64,
    /// Commits done.
    pub commits: u64,
    /// Commits and recalls that failed; they are tried again.
    pub store_errors: u64,
    /// Decisions made.
    pub decisions_issued: u64,
    /// Decisions sent, repeats included.
    pub decisions_sent: u64,
    /// Decisions that their agent answered.
    pub decisions_acknowledged: u64,
    /// Answers that no decision waits for: late ones, repeated ones, and those that somebody made up.
    pub answers_ignored: u64,
    /// Terms in hellos that nobody can have heard of: they raise nothing.
    pub terms_ignored: u64,
    /// Messages that were taken, by the last level of their topic. With those that were not taken, each message is counted once,
    /// as soon as the store has said where its stream stands.
    pub taken: BTreeMap<&'static str, u64>,
    /// Messages that were not taken, by reason. The reasons are a fixed set of words.
    pub refused: BTreeMap<&'static str, u64>,
    /// Why the last one was not.
    pub last_refusal: Option<String>,
}

impl Counters {
    pub(super) fn take(&mut self, channel: &'static str) {
        *self.taken.entry(channel).or_default() += 1;
    }

    pub(in crate::node) fn refuse(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }
}

/// An ingester at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudSnapshot {
    /// Connected to a broker, at least one, and subscribed.
    pub connected: bool,
    /// Its term; while it stands by the highest that it has heard of.
    pub term: Option<Term>,
    /// Agents in memory.
    pub agents: usize,
    /// How many of them were heard last at which broker, by its place in the list.
    pub at_brokers: BTreeMap<usize, usize>,
    /// Agents that share the credit.
    pub active: usize,
    /// The credit of each of them, in bytes.
    pub credit: u64,
    /// Bytes of readings between the network and the store.
    pub held_bytes: u64,
    /// Decisions that are not answered yet.
    pub outstanding: usize,
    /// Streams of which an acknowledgement waits until a bill is kept elsewhere too.
    pub withheld: usize,
    /// Cars in garages.
    pub inside: usize,
    /// Why the store does not do what it is asked for.
    pub store_down: Option<StoreFault>,
    /// What was counted.
    pub counters: Counters,
}

impl CloudNode {
    /// The ingester now.
    #[must_use]
    pub fn snapshot(&self) -> CloudSnapshot {
        CloudSnapshot {
            connected: !self.connected.is_empty(),
            term: Some(self.issued.term().clone()),
            agents: self.agents.len(),
            at_brokers: self.agents.at_brokers().clone(),
            active: self.agents.active(),
            credit: self.agents.credit(),
            held_bytes: self.agents.held_bytes(),
            outstanding: self.issued.outstanding(),
            withheld: self.withheld.len(),
            inside: self.ledger.inside(),
            store_down: self.store_down.clone(),
            counters: self.counters.clone(),
        }
    }

    /// A message that is not an agent's was not taken.
    pub(in crate::node) fn count_refusal(&mut self, reason: &'static str) {
        self.counters.refuse(reason);
    }

    /// The agents in memory, with the number of their streams.
    pub fn agents(&self) -> impl Iterator<Item = (&AgentId, usize)> {
        self.agents.ids().map(|id| (id, self.agents.streams_of(id)))
    }

    /// What is written of a stream that is in memory.
    pub fn written(&mut self, agent: &AgentId, stream: StreamId) -> Option<Progress> {
        match self.agents.stream(agent, stream)? {
            Stream::Known(receiver) => Some(receiver.written()),
            Stream::Recalling(_) => None,
        }
    }
}
