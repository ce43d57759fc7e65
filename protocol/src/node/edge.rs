//! All that an agent does, but for the I/O.

mod answers;
mod asking;
mod batching;
mod clock;
mod hearing;
mod hello;
mod interface;
mod recent;
mod saying;
mod snapshot;
mod tuning;
mod tuples;

pub use asking::{Answer, Question};
pub use interface::{ClockConfig, EdgeConfig, EdgeEffect, EdgeInput};
pub use snapshot::EdgeSnapshot;
pub use tuples::{TUPLES_MAX, Tuple, TupleState};

use super::{Machine, Publish};
use crate::delivery::backoff::RESEND_MIN;
use crate::delivery::sender::Sender;
use crate::failover::Failover;
use crate::ids::AgentId;
use crate::queue::{Free, FullPolicy, QueueCommand, QueueFault, QueueLimits, QueueState, QueueUsage, Run, Settle};
use crate::register::InForce;
use crate::time::{Monotonic, Now};
use crate::topic::{Topic, Up};
use crate::trial::Trial;
use crate::wire::{Decision, Message as _, Status};
use asking::Asking;
use batching::Batching;
use clock::ClockWatch;
use hello::HelloTimer;
use recent::Recent;
use std::collections::VecDeque;
use std::time::Duration;
use tuples::Tuples;

/// How often the status is published when nothing changes but the queue.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How long to wait before the disk is asked again after it failed.
const FAULT_PAUSE: Duration = Duration::from_secs(1);
/// How long what is acknowledged may stay in the queue while nothing is appended: with an append it goes along, by itself it
/// wakes up the queue's thread.
const FREE_EVERY: Duration = Duration::from_millis(200);
/// This many readings do not wait so long.
const FREE_READINGS: u64 = 4096;
/// How often an ingester that knows nothing of this agent is told at once. Less than a takeover takes, so that each new leader is; and
/// no less than the time after which a batch is sent again in any case, as one that looks for a stream for long says the same.
const INTRODUCE_EVERY: Duration = RESEND_MIN;
/// The most latency samples that wait to be taken.
const LATENCIES_MAX: usize = 100_000;

/// The machine.
#[derive(Debug)]
pub struct EdgeNode {
    config: EdgeConfig,
    sender: Sender,
    batching: Batching,
    clock: ClockWatch,
    /// The queue is being told what becomes of times.
    settling: bool,
    recent: Recent,
    tuples: Tuples,
    in_force: InForce,
    trial: Trial,
    /// The first hello whose answer shows that an ingester is heard with the configuration that is tried.
    asked_from: u64,
    hello: HelloTimer,
    failover: Failover,
    asking: Asking,
    /// When an ingester last said something that makes sense.
    heard: Option<Monotonic>,
    usage: QueueUsage,
    opening: u64,
    connection: u64,
    connected: bool,
    next_status: Monotonic,
    /// Why the disk did not do what it was asked for, until it does again.
    fault: Option<QueueFault>,
    /// What is acknowledged waits in the queue until then, if no append takes it along.
    next_free: Monotonic,
    /// An ingester that knows nothing of this agent has to wait until then.
    next_introduction: Monotonic,
    /// The disk is left alone until then.
    retry_at: Option<Monotonic>,
    acknowledged: u64,
    refused_messages: u64,
    latencies: Vec<u64>,
    effects: VecDeque<EdgeEffect>,
}

impl EdgeNode {
    /// An agent with the queue that was opened.
    #[must_use]
    pub fn new(config: EdgeConfig, state: &QueueState, now: Now) -> Self {
        let in_force = InForce::new(&state.decisions, now);
        let mut effects = VecDeque::new();
        for decision in in_force.iter() {
            effects.push_back(EdgeEffect::InForce { key: decision.key.clone(), decision: Some(decision.clone()) });
        }
        Self {
            sender: Sender::new(state, config.seed, config.order),
            batching: Batching::new(
                config.seed,
                state.segments.last().map(|segment| segment.clock),
                config.commit_every,
            ),
            clock: ClockWatch::new(config.clock, now),
            settling: false,
            recent: Recent::default(),
            tuples: Tuples::default(),
            in_force,
            trial: Trial::new(&state.decisions, config.trial),
            asked_from: 0,
            hello: HelloTimer::new(config.seed),
            failover: Failover::new(config.failover, config.seed),
            asking: Asking::new(config.questions.clone(), now.mono),
            heard: None,
            usage: state.usage,
            opening: state.opening,
            connection: 0,
            connected: false,
            next_status: now.mono,
            fault: None,
            next_free: Monotonic::ZERO,
            next_introduction: Monotonic::ZERO,
            retry_at: None,
            acknowledged: 0,
            refused_messages: 0,
            latencies: Vec::new(),
            effects,
            config,
        }
    }

    const fn tune(&mut self, limits: QueueLimits, commit_every: Duration) {
        self.config.limits = limits;
        self.config.commit_every = commit_every;
        self.batching.commit_every(commit_every);
    }

    /// Whether a source may hand over readings: not while the buffer is full, nor while the queue is and its policy is
    /// to block.
    #[must_use]
    pub fn wants_readings(&self) -> bool {
        let limits = self.config.limits;
        let full = self.usage.readings + self.batching.waiting_readings() >= limits.readings
            || self.usage.bytes + self.batching.waiting_bytes() >= limits.bytes;
        self.batching.has_room() && !(limits.policy == FullPolicy::Block && full)
    }

    /// The last will of the connection with this number: the status that says that the agent is gone.
    #[must_use]
    pub fn will(&self, connection: u64, now: Now) -> Publish {
        Self::offline_status(&self.config.id, (self.opening, connection), now)
    }

    /// How often the queue was opened, this time included.
    #[must_use]
    pub const fn opening(&self) -> u64 {
        self.opening
    }

    /// The decision in force for `key`, and when its time is over.
    #[must_use]
    pub fn decision(&self, key: &str) -> Option<(&Decision, Monotonic)> {
        self.in_force.get(key)
    }

    /// What is acknowledged and still in the queue: to be freed before it is closed, so that it is not sent again.
    #[must_use]
    pub fn last_free(&self) -> Option<Free> {
        self.sender.last_free()
    }

    /// The status that says that an agent is gone, for connection `connection`.
    #[must_use]
    pub fn offline_status(id: &AgentId, connection: (u64, u64), now: Now) -> Publish {
        let ts_us = now.wall.us().max(0);
        let (queued, queued_bytes, oldest_us, dropped, damaged) = (0, 0, None, 0, 0);
        let status = Status { online: false, connection, ts_us, queued, queued_bytes, oldest_us, dropped, damaged };
        publish(id, Up::Status, status.encode(), true)
    }

    /// Times from sample to acknowledgement, in microseconds, of readings acknowledged since the last call.
    pub fn take_latencies(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.latencies)
    }

    /// Starts whatever may be started now.
    fn advance(&mut self, now: Now) {
        let append = self.batching.poll_append(now);
        let rests = self.retry_at.is_some_and(|until| until > now.mono);
        if !rests {
            self.retry_at = None;
            if append.is_some() || self.next_free <= now.mono || self.sender.freeable() >= FREE_READINGS {
                self.free(now.mono);
            }
        }
        self.effects.extend(append.map(|append| EdgeEffect::Queue(QueueCommand::Append(append))));
        if !rests {
            self.settle();
            self.load(now.mono);
        }
        for key in self.in_force.expire(now.mono) {
            self.effects.push_back(EdgeEffect::InForce { key, decision: None });
        }
        self.try_configuration(now);
        if self.connected {
            self.say_hello(now.mono);
            self.say_status(now);
            self.ask(now.mono);
        }
        self.choose_broker(now.mono);
    }

    /// Says what becomes of the times that a clock gave before it was set, as soon as that is clear.
    fn settle(&mut self) {
        if self.sender.is_open() {
            self.clock.may_send();
        }
        if self.settling {
            return;
        }
        let clear: Vec<Settle> = self.sender.held().filter_map(|(segment, _)| self.clock.settle(&segment)).collect();
        if !clear.is_empty() {
            self.settling = true;
            self.effects.push_back(EdgeEffect::Queue(QueueCommand::Settle(clear)));
        }
    }

    /// When to look at the clock again, because readings wait for it.
    fn next_look(&self) -> Option<Monotonic> {
        let waits = !self.settling && self.sender.held().next().is_some();
        let rested = self.retry_at.unwrap_or(Monotonic::ZERO);
        waits.then(|| self.clock.next_look().max(rested))
    }

    fn choose_broker(&mut self, now: Monotonic) {
        self.failover.waits(self.hello.waits() || self.sender.waits(), now);
        self.effects.extend(self.failover.poll_move(now).map(EdgeEffect::UseBroker));
    }

    fn free(&mut self, now: Monotonic) {
        if let Some(free) = self.sender.poll_free() {
            self.next_free = now + FREE_EVERY;
            self.effects.push_back(EdgeEffect::Queue(QueueCommand::Free(free)));
        }
    }

    /// Asks for rows to send, unless they are in memory still.
    fn load(&mut self, now: Monotonic) {
        while let Some(load) = self.sender.poll_load(now) {
            match self.recent.load(&load) {
                Some(run) => self.loaded(Some(run), now),
                None => self.effects.push_back(EdgeEffect::Queue(QueueCommand::Load(load))),
            }
        }
    }

    fn loaded(&mut self, run: Option<Run>, now: Monotonic) {
        if let Some(batch) = self.sender.loaded(run, now) {
            let payload = batch.header.encode(&batch.readings);
            self.publish(Up::Readings, payload, false);
        }
    }

    fn publish(&mut self, channel: Up, payload: Vec<u8>, retain: bool) {
        if self.connected {
            self.effects.push_back(EdgeEffect::Publish(publish(&self.config.id, channel, payload, retain)));
        }
    }
}

impl Machine for EdgeNode {
    type Input = EdgeInput;
    type Effect = EdgeEffect;

    fn handle(&mut self, input: EdgeInput, now: Now) {
        self.clock.look(now);
        match input {
            EdgeInput::Readings { ticket, readings, position } => {
                self.batching.add(ticket, readings, position, &self.clock);
            }
            EdgeInput::Queue(answer) => self.queue_answered(answer, now),
            EdgeInput::Drop { through } => {
                self.effects.push_back(EdgeEffect::Queue(QueueCommand::Drop { through }));
            }
            EdgeInput::Tune { limits, commit_every } => self.tune(limits, commit_every),
            EdgeInput::Connected { broker, connection } => {
                self.connected = true;
                self.failover.connected(broker, now.mono);
                self.connection = connection;
                self.next_status = now.mono;
                self.hello.connected(now.mono);
            }
            EdgeInput::Disconnected => {
                self.connected = false;
                self.failover.disconnected(now.mono);
                self.sender.close();
            }
            EdgeInput::Message { topic, payload } => self.message(&topic, &payload, now),
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.clock.look(now);
        self.sender.handle_timeout(now.mono);
        self.advance(now);
    }

    fn poll_effect(&mut self) -> Option<EdgeEffect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Monotonic> {
        let online = self.connected.then(|| self.next_status.min(self.hello.next()));
        let question = self.asking.next().filter(|_| self.connected);
        let timers = [
            self.sender.poll_timeout(),
            self.batching.poll_timeout(),
            self.in_force.next_expiry(),
            self.trial.poll_timeout(),
            self.retry_at,
            self.next_look(),
            self.failover.poll_timeout(),
            (self.sender.freeable() > 0).then(|| self.next_free.max(self.retry_at.unwrap_or(self.next_free))),
            online,
            question,
        ];
        timers.into_iter().flatten().min()
    }
}

fn publish(id: &AgentId, channel: Up, payload: Vec<u8>, retain: bool) -> Publish {
    Publish { topic: Topic::Up(id.clone(), channel).to_string(), payload, retain }
}
