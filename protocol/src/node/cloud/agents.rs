//! All agents: their streams, what is held for them, what they are owed, and the credit they share.

use super::agent::{Agent, Stream};
use crate::delivery::receiver::Receiver;
use crate::delivery::{CREDIT_MAX, STREAMS_MAX};
use crate::ids::{AgentId, Seq, StreamId};
use crate::store::Progress;
use crate::time::Monotonic;
use crate::wire::{Batch, Hello, Reply, Status, StreamAck};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most agents that are kept in memory.
const AGENTS_MAX: usize = 20_000;
/// An agent that was not heard for this long is forgotten; the store still knows where its streams stand.
const FORGET_AFTER: Duration = Duration::from_secs(600);
/// An agent that sent readings within this time shares the credit.
const ACTIVE_FOR: Duration = Duration::from_secs(5);
/// The most recalls of one agent that the store has not answered. An honest agent needs one for each of its streams, and as many
/// again when it comes back with others; one that names new streams without end must not keep everybody's commits waiting.
const RECALLS_MAX: usize = 2 * STREAMS_MAX;
/// The smallest credit of an agent: some twenty readings.
const CREDIT_MIN: u64 = 4 * 1024;

/// An acknowledgement to send.
#[derive(Debug)]
pub(super) struct DueAck {
    pub(super) id: AgentId,
    /// The hello that it answers.
    pub(super) hello: Option<u64>,
    /// The answer to a question.
    pub(super) reply: Option<Reply>,
    /// Something was turned away.
    pub(super) busy: bool,
    /// What is written; of more streams than a message has room for while an agent's old ones still hold something.
    pub(super) streams: Vec<StreamAck>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Agents {
    list: BTreeMap<AgentId, Agent>,
    active: BTreeSet<AgentId>,
    /// Who is owed an acknowledgement when no write is in flight.
    owed: BTreeSet<AgentId>,
    /// Who is owed one at once.
    urgent: BTreeSet<AgentId>,
    held: u64,
    credit_bytes: u64,
    /// How many were heard at which broker, at the last look.
    at_brokers: BTreeMap<usize, usize>,
}

impl Agents {
    /// What all agents together may have unacknowledged from now on; each is told with its next acknowledgement.
    pub(super) const fn set_credit(&mut self, credit_bytes: u64) {
        self.credit_bytes = credit_bytes;
    }

    pub(super) fn new(credit_bytes: u64) -> Self {
        let none = BTreeSet::new;
        let (list, at_brokers) = (BTreeMap::new(), BTreeMap::new());
        Self { list, active: none(), owed: none(), urgent: none(), held: 0, credit_bytes, at_brokers }
    }

    /// How many agents were heard at which broker, at the last look over all.
    pub(super) const fn at_brokers(&self) -> &BTreeMap<usize, usize> {
        &self.at_brokers
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn active(&self) -> usize {
        self.active.len()
    }

    pub(super) fn streams_of(&self, id: &AgentId) -> usize {
        self.list.get(id).map_or(0, |agent| agent.streams.len())
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = &AgentId> {
        self.list.keys()
    }

    pub(super) fn knows(&self, id: &AgentId) -> bool {
        self.list.contains_key(id)
    }

    /// The broker at which an agent was last heard.
    pub(super) fn broker_of(&self, id: &AgentId) -> Option<usize> {
        self.list.get(id).map(|agent| agent.broker)
    }

    pub(super) const fn held_bytes(&self) -> u64 {
        self.held
    }

    pub(super) fn held_for(&self, id: &AgentId) -> u64 {
        self.list.get(id).map_or(0, |agent| agent.held)
    }

    /// The bytes that each agent may have unacknowledged: an equal share among those that have something to send.
    pub(super) fn credit(&self) -> u64 {
        let share = self.credit_bytes / (self.active.len() as u64).max(1);
        share.clamp(CREDIT_MIN, CREDIT_MAX)
    }

    /// Notes that an agent was heard; of a new one also where. False when there is no room for another one.
    pub(super) fn admit(&mut self, id: &AgentId, broker: usize, now: Monotonic) -> bool {
        if let Some(agent) = self.list.get_mut(id) {
            agent.heard = now;
            return true;
        }
        let room = self.list.len() < AGENTS_MAX;
        if room {
            self.list.insert(id.clone(), Agent::new(broker, now));
        }
        room
    }

    /// The agent spoke at this broker. What a broker says for it, retained or as its last will, does not show that.
    pub(super) fn is_at(&mut self, id: &AgentId, broker: usize) {
        if let Some(agent) = self.list.get_mut(id) {
            agent.broker = broker;
            agent.met = true;
        }
    }

    /// A broker says that the agent is online there. One that has not spoken yet may wait for an answer of another ingester, whose
    /// place this one has taken: it is owed a word, in which none of its streams is named.
    pub(super) fn is_online_at(&mut self, id: &AgentId, broker: usize) {
        let Some(agent) = self.list.get_mut(id).filter(|agent| !agent.met) else { return };
        agent.broker = broker;
        agent.met = true;
        self.owed.insert(id.clone());
    }

    /// The agent has something to send.
    pub(super) fn activate(&mut self, id: &AgentId) {
        if !self.active.contains(id) {
            self.active.insert(id.clone());
        }
    }

    pub(super) fn stream(&mut self, id: &AgentId, stream: StreamId) -> Option<&mut Stream> {
        self.list.get_mut(id)?.streams.get_mut(&stream)
    }

    /// Makes room for a stream whose progress is being recalled. False when the agent has too many.
    pub(super) fn open_stream(&mut self, id: &AgentId, stream: StreamId, waiting: Vec<(Batch, u64)>) -> bool {
        let Some(agent) = self.list.get_mut(id) else { return false };
        if agent.streams.len() >= STREAMS_MAX {
            agent.forget_unnamed();
        }
        if agent.streams.len() >= STREAMS_MAX {
            // A late hello of an earlier life may have named others than those that are being sent.
            agent.forget_one_at_rest();
        }
        let room = agent.streams.len() < STREAMS_MAX && agent.recalls < RECALLS_MAX;
        if room {
            agent.recalls += 1;
            agent.streams.insert(stream, Stream::Recalling(waiting));
        }
        room
    }

    /// Takes a hello. Gives the streams that are not known: to be recalled. None when the store has not answered for too many
    /// other streams of this agent yet; it says its hello again.
    pub(super) fn greet(&mut self, id: &AgentId, hello: Hello) -> Option<BTreeSet<StreamId>> {
        let agent = self.list.get_mut(id)?;
        let named = hello.streams.iter().map(|open| open.stream);
        let unknown: BTreeSet<StreamId> = named.clone().filter(|stream| !agent.streams.contains_key(stream)).collect();
        if agent.recalls + unknown.len() > RECALLS_MAX {
            return None;
        }
        agent.recalls += unknown.len();
        agent.named = hello.streams.iter().map(|open| (open.stream, open.next)).collect();
        agent.greeted = true;
        agent.forget_unnamed();
        for stream in &unknown {
            agent.streams.insert(*stream, Stream::Recalling(Vec::new()));
        }
        if hello.streams.iter().any(|open| open.floor < open.next) {
            self.active.insert(id.clone());
        }
        agent.greeting = Some(hello);
        Some(unknown)
    }

    /// Answers the hello if every stream that it names is known. Gives the streams whose floor or gaps moved.
    pub(super) fn answer_hello(&mut self, id: &AgentId) -> Vec<StreamId> {
        let Some(agent) = self.list.get_mut(id) else { return Vec::new() };
        let known = |(stream, _): &(StreamId, Seq)| matches!(agent.streams.get(stream), Some(Stream::Known(_)));
        if !agent.named.iter().all(known) {
            return Vec::new();
        }
        let Some(hello) = agent.greeting.take() else { return Vec::new() };
        let mut moved = Vec::new();
        for open in &hello.streams {
            if let Some(Stream::Known(receiver)) = agent.streams.get_mut(&open.stream) {
                receiver.adopt(open.floor, &open.gaps);
                if receiver.has_moved() {
                    moved.push(open.stream);
                }
            }
        }
        agent.answers = Some(hello.hello);
        self.urgent.insert(id.clone());
        moved
    }

    /// The store answered a recall.
    pub(super) fn recall_answered(&mut self, id: &AgentId) {
        if let Some(agent) = self.list.get_mut(id) {
            agent.recalls = agent.recalls.saturating_sub(1);
        }
    }

    /// The store said where a stream stands. Gives the batches that waited for it.
    pub(super) fn recalled(&mut self, id: &AgentId, stream: StreamId, progress: Option<Progress>) -> Vec<(Batch, u64)> {
        let Some(agent) = self.list.get_mut(id) else { return Vec::new() };
        let Some(state @ Stream::Recalling(_)) = agent.streams.get_mut(&stream) else { return Vec::new() };
        match std::mem::replace(state, Stream::Known(Receiver::new(progress))) {
            Stream::Recalling(waiting) => waiting,
            Stream::Known(_) => Vec::new(),
        }
    }

    /// The store did not say where a stream stands: it is asked again at the next look, if somebody still wants to know.
    pub(super) fn recall_failed(&mut self, id: &AgentId, stream: StreamId) {
        let Some(agent) = self.list.get_mut(id) else { return };
        if matches!(agent.streams.get(&stream), Some(Stream::Recalling(_))) {
            agent.forgotten.insert(stream);
        }
    }

    /// True when this status is of the agent's newest connection: the will of an old one must not unsay it.
    pub(super) fn newest_status(&mut self, id: &AgentId, status: &Status) -> bool {
        let Some(agent) = self.list.get_mut(id) else { return false };
        // A file that was replaced by an older copy counts from lower again: being online is always news.
        let newest = status.online || status.connection >= agent.connection;
        if newest {
            agent.connection = status.connection;
        }
        newest
    }

    pub(super) fn hold(&mut self, id: &AgentId, bytes: u64) {
        self.held += bytes;
        if let Some(agent) = self.list.get_mut(id) {
            agent.held += bytes;
        }
    }

    pub(super) fn release(&mut self, id: &AgentId, bytes: u64) {
        self.held -= bytes;
        if let Some(agent) = self.list.get_mut(id) {
            agent.held -= bytes;
        }
    }

    /// The agent is owed an acknowledgement.
    pub(super) fn owe_ack(&mut self, id: &AgentId) {
        self.owed.insert(id.clone());
    }

    /// Something of the agent was not taken: it will hear so.
    pub(super) fn turn_away(&mut self, id: &AgentId) {
        if let Some(agent) = self.list.get_mut(id) {
            agent.turned_away = true;
        }
        self.owed.insert(id.clone());
    }

    /// True when a batch that begins at `first` follows what was received of the agent without a hole, in this stream and in all
    /// that it named before it. None when it has not said hello: nobody knows what comes before.
    pub(super) fn follows(&self, id: &AgentId, stream: StreamId, first: Seq) -> Option<bool> {
        let agent = self.list.get(id).filter(|agent| agent.greeted)?;
        let through = |stream: &StreamId| match agent.streams.get(stream) {
            Some(Stream::Known(receiver)) => receiver.received_through(),
            Some(Stream::Recalling(_)) | None => 0,
        };
        let before = agent.named.iter().take_while(|(named, _)| *named != stream);
        let all_before = before.into_iter().all(|(named, next)| through(named) + 1 >= *next);
        Some(all_before && through(&stream) + 1 >= first)
    }

    /// It has not said what it has to send: it is owed a word in which none of its streams is named, and says hello then.
    pub(super) fn ask_for_hello(&mut self, id: &AgentId) {
        if let Some(agent) = self.list.get_mut(id) {
            agent.stranger = true;
        }
        self.owed.insert(id.clone());
    }

    /// An answer is ready: it goes along with the next acknowledgement.
    pub(super) fn owe_reply(&mut self, id: &AgentId, reply: Reply) {
        if let Some(agent) = self.list.get_mut(id) {
            agent.reply = Some(reply);
            self.owed.insert(id.clone());
        }
    }

    /// Looks everybody over: who waits hears of it again, who is silent is forgotten. Gives the streams to be recalled
    /// again.
    pub(super) fn look_over(&mut self, now: Monotonic, repeat_after: Duration) -> Vec<(AgentId, StreamId)> {
        let list = &self.list;
        self.active.retain(|id| {
            list.get(id).is_some_and(|agent| agent.is_waited_for() || now.since(agent.heard) < ACTIVE_FOR)
        });
        self.list.retain(|_, agent| agent.is_waited_for() || now.since(agent.heard) < FORGET_AFTER);
        let mut recall = Vec::new();
        self.at_brokers.clear();
        for (id, agent) in &mut self.list {
            *self.at_brokers.entry(agent.broker).or_default() += 1;
            // Also who is owed a word that waits for the end of a write, which may take an outage long: of a batch that was turned
            // away, or came again. It must not take that for silence.
            let waits = agent.is_waited_for() || self.owed.contains(id);
            if waits && now.since(agent.acked) >= repeat_after {
                self.urgent.insert(id.clone());
            }
            let forgotten = std::mem::take(&mut agent.forgotten);
            agent.recalls += forgotten.len();
            recall.extend(forgotten.into_iter().map(|stream| (id.clone(), stream)));
        }
        recall
    }

    /// The acknowledgements that are due: the urgent ones, and with `idle` all that are owed.
    pub(super) fn take_due_acks(&mut self, idle: bool, now: Monotonic) -> Vec<DueAck> {
        let mut due = std::mem::take(&mut self.urgent);
        if idle {
            due.append(&mut self.owed);
        }
        due.into_iter().filter_map(|id| self.make_ack(id, now)).collect()
    }

    fn make_ack(&mut self, id: AgentId, now: Monotonic) -> Option<DueAck> {
        self.owed.remove(&id);
        let agent = self.list.get_mut(&id)?;
        agent.acked = now;
        let busy = std::mem::take(&mut agent.turned_away);
        let hello = agent.answers.take();
        let written = agent.streams.iter().filter_map(|(stream, state)| match state {
            Stream::Recalling(_) => None,
            Stream::Known(receiver) => Some((*stream, receiver.written())),
        });
        let stranger = std::mem::take(&mut agent.stranger) && hello.is_none();
        let written = written.filter(|_| !stranger);
        let acks =
            written.map(|(stream, Progress { through, ranges })| StreamAck { stream, through, ranges }).collect();
        Some(DueAck { id, hello, reply: agent.reply.take(), busy, streams: acks })
    }
}
