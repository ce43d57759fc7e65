//! All that an ingester does, but for the I/O.

mod agent;
mod agents;
mod answering;
mod billing;
mod committing;
mod concealing;
mod directing;
mod folding;
mod interface;
mod newest;
mod noticing;
mod receiving;
mod saying;
mod snapshot;
mod steering;
mod withholding;

pub use interface::{CloudConfig, CloudEffect, CloudInput, CloudTuning};
pub use snapshot::{CloudSnapshot, Counters};

use super::Machine;
use crate::ids::{AgentId, StreamId, Term};
use crate::register::Issued;
use crate::store::{AgentStatus, CommitReport, Progress, Recovered, StoreAnswer, StoreCommand, StoreFault};
use crate::time::{Monotonic, Now};
use crate::topic::{Topic, Up};
use crate::usecase::parking::PlateKey;
use crate::wire::{Batch, DecisionAck, Hello, Message, Request, Status, WireError};
use agent::Stream;
use agents::Agents;
use answering::Answers;
use billing::Ledger;
use committing::{Committing, Pending};
use directing::Directives;
use noticing::Notices;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use steering::Steering;
use withholding::Withheld;

/// How often agents are looked over: who needs a repeated acknowledgement, who went idle.
const TICK: Duration = Duration::from_millis(500);
/// What keeping a batch costs beside its readings, in bytes: many small ones must not take more memory than they count for.
const BATCH_KEEP: u64 = 512;
/// A reading whose time is further ahead than this is counted as one from the future: its agent's clock is wrong. What clocks of
/// machines that ask a time server are apart is far less.
const FUTURE_AFTER: Duration = Duration::from_secs(120);
/// An agent for which something is held hears of it again after this long. With a tick on top it stays below the 2 s
/// within which agents do not send again.
const REPEAT_AFTER: Duration = Duration::from_millis(1400);

/// The machine.
#[derive(Debug)]
pub struct CloudNode {
    config: CloudConfig,
    agents: Agents,
    pending: Pending,
    committing: Option<Committing>,
    commits: u64,
    statuses: BTreeMap<AgentId, AgentStatus>,
    issued: Issued,
    steering: Steering,
    directives: Directives,
    notices: Notices,
    answers: Answers,
    ledger: Ledger,
    withheld: Withheld,
    plate_key: PlateKey,
    store_down: Option<StoreFault>,
    /// The brokers to which there is a connection.
    connected: BTreeSet<usize>,
    next_tick: Monotonic,
    counters: Counters,
    effects: VecDeque<CloudEffect>,
}

impl CloudNode {
    /// A leading ingester with the state that was recovered.
    #[must_use]
    pub fn new(config: CloudConfig, recovered: Recovered, now: Now) -> Self {
        let term = Term { counter: recovered.term, ingester: config.ingester.clone() };
        let mut steering = Steering::new(config.grace, config.limit_rule);
        steering.merge(&recovered.open_windows, now);
        // A store that keeps no key keeps no hashes either: nothing has to compare with these.
        let plate_key = recovered.plate_key.unwrap_or_else(|| PlateKey::of_run(config.run));
        Self {
            agents: Agents::new(config.credit_bytes),
            pending: Pending::default(),
            committing: None,
            commits: 0,
            statuses: BTreeMap::new(),
            issued: Issued::new(term, recovered.decisions, now),
            steering,
            directives: Directives::new(recovered.directives),
            notices: Notices::default(),
            answers: Answers::new(recovered.latest),
            ledger: Ledger::new(recovered.stays, plate_key),
            withheld: Withheld::default(),
            plate_key,
            store_down: None,
            connected: BTreeSet::new(),
            next_tick: now.mono,
            counters: Counters::default(),
            effects: VecDeque::new(),
            config,
        }
    }

    /// Goes on with other bounds and another rule.
    pub(super) const fn tune(&mut self, tuning: CloudTuning) {
        self.config.tune(tuning);
        self.agents.set_credit(tuning.credit_bytes);
        self.steering.rule(tuning.limit_rule);
    }

    /// Its term.
    #[must_use]
    pub const fn term(&self) -> &Term {
        self.issued.term()
    }

    /// Counts on from what was counted before.
    pub(super) fn count_from(&mut self, counters: Counters) {
        self.counters = counters;
    }

    fn message(&mut self, broker: usize, topic: &str, payload: &[u8], now: Now) {
        self.counters.messages += 1;
        let Ok(Topic::Up(id, channel)) = Topic::parse(topic) else {
            self.counters.refuse("topic");
            return;
        };
        let newcomer = (!self.agents.knows(&id)).then(|| id.clone());
        if !self.agents.admit(&id, broker, now.mono) {
            self.counters.refuse("too_many_agents");
            return;
        }
        if channel != Up::Status {
            self.agents.is_at(&id, broker);
        }
        let understood = match channel {
            Up::Readings => {
                Batch::decode(payload).map(|batch| self.batch(&id, batch, payload.len() as u64 + BATCH_KEEP, now))
            }
            Up::Hello => Hello::decode(payload).map(|hello| self.hello(&id, hello, now)),
            Up::Status => Status::decode(payload).map(|status| self.status(id, broker, status, now)),
            Up::Ack => DecisionAck::decode(payload).map(|ack| self.decision_answered(&id, &ack, now)),
            Up::Request => Request::decode(payload).map(|request| self.requested(&id, request)),
        };
        if let Err(error) = understood {
            self.refuse(&error);
        }
        // Who had an answer to its hello from an earlier life of this ingester, or from another one, says none to this one.
        newcomer.into_iter().for_each(|id| self.direct_agent(&id, now));
    }

    fn refuse(&mut self, error: &WireError) {
        self.counters.refuse(error.reason());
        self.counters.last_refusal = Some(error.to_string());
    }

    fn hello(&mut self, id: &AgentId, hello: Hello, now: Now) {
        self.counters.hellos += 1;
        match &hello.term {
            Some(term) => self.counters.terms_ignored += u64::from(!self.issued.raise_above(id, term)),
            None => self.issued.unsay_all(id),
        }
        self.issued.resend_to(id, now.mono);
        let Some(unknown) = self.agents.greet(id, hello) else {
            self.counters.refuse("too_many_streams");
            return;
        };
        self.counters.take("hello");
        unknown.into_iter().for_each(|stream| self.recall(id, stream));
        self.answer_hello(id);
        self.direct_agent(id, now);
    }

    /// A hello is answered when every stream that it names is known.
    fn answer_hello(&mut self, id: &AgentId) {
        for stream in self.agents.answer_hello(id) {
            self.pending.moved(id, stream);
        }
    }

    fn recall(&mut self, id: &AgentId, stream: StreamId) {
        self.effects.push_back(CloudEffect::Store(StoreCommand::Recall(id.clone(), stream)));
    }

    fn recalled(&mut self, id: &AgentId, stream: StreamId, result: Result<Option<Progress>, StoreFault>, now: Now) {
        self.agents.recall_answered(id);
        match result {
            Ok(progress) => {
                // Where a commit waits for its next try, that one knows better.
                if self.committing.as_ref().is_none_or(|committing| committing.retry_at.is_none()) {
                    self.store_down = None;
                }
                for (batch, bytes) in self.agents.recalled(id, stream, progress) {
                    self.agents.release(id, bytes);
                    self.take(id, batch, bytes, now);
                }
                self.answer_hello(id);
            }
            Err(fault) => {
                self.counters.store_errors += 1;
                self.store_down = Some(fault);
                self.agents.recall_failed(id, stream);
            }
        }
    }

    fn status(&mut self, id: AgentId, broker: usize, status: Status, now: Now) {
        self.counters.take("status");
        if status.online {
            self.agents.is_online_at(&id, broker);
            // So that it knows that somebody is there, also while it has nothing to send.
            self.agents.owe_ack(&id);
        }
        let newest = self.agents.newest_status(&id, &status);
        if newest {
            self.statuses.insert(id.clone(), AgentStatus { agent: id, status, heard: now.wall });
        }
    }

    fn decision_answered(&mut self, id: &AgentId, ack: &DecisionAck, now: Now) {
        self.counters.take("ack");
        if self.issued.acknowledged(id, ack, now) {
            self.counters.decisions_acknowledged += 1;
        } else {
            self.counters.answers_ignored += 1;
        }
    }

    fn committed(&mut self, id: u64, result: Result<CommitReport, StoreFault>, now: Now) {
        let Some(committing) = self.committing.take_if(|committing| committing.commit.id == id) else { return };
        match result {
            Ok(report) => self.commit_done(&committing, report, now),
            Err(fault) => {
                self.counters.store_errors += 1;
                self.store_down = Some(fault);
                self.committing = Some(committing.retry_later(now.mono));
            }
        }
    }

    fn commit_done(&mut self, committing: &Committing, report: CommitReport, now: Now) {
        let commit = &committing.commit;
        let (readings, time) = committing.took(now.mono);
        self.pending.took(readings, time);
        self.counters.commits += 1;
        self.counters.stored += report.stored;
        self.counters.dead += report.dead;
        self.store_down = None;
        for progress in &commit.progress {
            if let Some(Stream::Known(receiver)) = self.agents.stream(&progress.agent, progress.stream) {
                self.withheld.committed(commit, progress, || receiver.written());
                receiver.commit();
            }
            self.agents.owe_ack(&progress.agent);
        }
        for (agent, bytes) in &committing.held {
            self.agents.release(agent, *bytes);
        }
        self.steering.merge(&commit.folds, now);
        self.issued.committed(&commit.decisions);
        self.directed(commit.id);
        self.answers.merge(&commit.latest);
        self.counters.decisions_issued +=
            self.notices.merge(&commit.latest, &self.config.places, &mut self.issued, now);
    }

    /// Starts whatever may be started now.
    fn advance(&mut self, now: Now) {
        self.tick(now);
        self.counters.decisions_issued += self.steering.decide(&mut self.issued, &mut self.directives, now);
        self.send_acks(now.mono);
        self.commit(now);
        self.send_decisions(now.mono);
    }

    fn tick(&mut self, now: Now) {
        if self.next_tick > now.mono {
            return;
        }
        self.next_tick = now.mono + TICK;
        self.pending.hurry |= !self.statuses.is_empty();
        self.end_directives(now);
        // Who waits for the others to have its bills must not take that for silence.
        self.withheld.agents().for_each(|id| self.agents.owe_ack(id));
        let agents = self.agents.len();
        for (id, stream) in self.agents.look_over(now.mono, REPEAT_AFTER) {
            self.recall(&id, stream);
        }
        if self.agents.len() < agents {
            let agents = &self.agents;
            self.issued.forget_all_but(|id| agents.knows(id));
            self.notices.forget_all_but(|id| agents.knows(id));
            self.directives.forget_all_but(|id| agents.knows(id));
        }
    }

    fn commit(&mut self, now: Now) {
        if let Some(committing) = &mut self.committing {
            if committing.poll_retry(now.mono) {
                self.effects.push_back(CloudEffect::Store(StoreCommand::Commit(committing.commit.clone())));
            }
            return;
        }
        if !self.pending.is_due() && !self.issued.has_changes() && !self.directives.has_changes() {
            return;
        }
        self.commits += 1;
        let mut commit = crate::store::Commit { run: self.config.run, id: self.commits, ..Default::default() };
        commit.term = self.issued.term().counter;
        commit.decisions = self.issued.take_changes();
        commit.directives = self.directives.take_changes(commit.id);
        commit.statuses = std::mem::take(&mut self.statuses).into_values().collect();
        let held = self.pending.stage(&mut self.agents, &mut commit);
        let (folds, out_of_range) = folding::fold(&commit.points, &self.config.places);
        commit.folds = folds;
        commit.latest = newest::newest(&commit.points, now.wall + FUTURE_AFTER);
        self.counters.out_of_range += out_of_range;
        let commit = Arc::new(commit);
        self.committing = Some(Committing::new(commit.clone(), held, now.mono));
        self.effects.push_back(CloudEffect::Store(StoreCommand::Commit(commit)));
    }
}

impl Machine for CloudNode {
    type Input = CloudInput;
    type Effect = CloudEffect;

    fn handle(&mut self, input: CloudInput, now: Now) {
        match input {
            CloudInput::Connected { broker } => drop(self.connected.insert(broker)),
            CloudInput::Disconnected { broker } => drop(self.connected.remove(&broker)),
            CloudInput::Message { broker, topic, payload } => self.message(broker, &topic, &payload, now),
            CloudInput::Direct { ticket, change } => self.direct(ticket, change, now),
            CloudInput::Store(StoreAnswer::Committed(id, result)) => self.committed(id, result, now),
            CloudInput::Store(StoreAnswer::Recalled(id, stream, result)) => self.recalled(&id, stream, result, now),
            // They are for the site around this node.
            CloudInput::Store(StoreAnswer::TakenOver(..) | StoreAnswer::Exported(_) | StoreAnswer::Adopted(_)) => {}
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.advance(now);
    }

    fn poll_effect(&mut self) -> Option<CloudEffect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Monotonic> {
        let retry = self.committing.as_ref().and_then(|committing| committing.retry_at);
        let decisions = self.issued.poll_timeout().filter(|_| !self.connected.is_empty());
        [Some(self.next_tick), retry, decisions, self.steering.poll_timeout()].into_iter().flatten().min()
    }
}
