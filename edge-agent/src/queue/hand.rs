//! The hand that changes a queue: through the agent that runs, or in its place.

use crate::status::{Order, give_order, queue_path, socket_path};
use anyhow::{Context, bail};
use fogline_protocol::delivery::lanes::Order as SendOrder;
use fogline_protocol::failover::{FAILOVER_AFTER, FailoverConfig};
use fogline_protocol::ids::{AgentId, Name, Seq};
use fogline_protocol::node::{ClockConfig, EdgeConfig, EdgeEffect, EdgeInput, EdgeNode, Machine};
use fogline_protocol::queue::{FullPolicy, QueueAnswer, QueueCommand, QueueLimits};
use fogline_protocol::reading::Readings;
use fogline_protocol::trial::TRIAL_FOR;
use fogline_runtime::clock::{Clock, boot_id, entropy};
use fogline_runtime::outbox::{Outbox, OutboxConfig, OutboxError, OutboxHandle};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;

/// How long to go on asking an agent whose queue or buffer is full.
const BUSY_FOR: Duration = Duration::from_secs(30);
/// How long to wait before it is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// Whoever may write to the queue.
pub(super) enum Hand {
    /// The agent runs: it is asked.
    Asks(PathBuf),
    /// It does not: its queue is open here.
    Holds(Box<Held>),
}

/// An open queue, and a node that knows how readings are appended.
pub(super) struct Held {
    node: EdgeNode,
    queue: OutboxHandle,
    answers: UnboundedReceiver<QueueAnswer>,
    clock: Clock,
    tickets: u64,
}

impl Hand {
    /// The hand on the queue of the agent with this data directory.
    pub(super) fn of(data_dir: &Path) -> anyhow::Result<Self> {
        let path = queue_path(data_dir);
        if !path.exists() {
            return Err(OutboxError::Missing { path }.into());
        }
        // Nothing gives way for what is done by hand.
        let limits = QueueLimits { readings: u64::MAX, bytes: u64::MAX, max_age_us: None, policy: FullPolicy::Block };
        match Outbox::open(OutboxConfig::new(path, limits)) {
            Ok(outbox) => Ok(Self::Holds(Box::new(Held::new(outbox, limits)?))),
            Err(OutboxError::InUse { .. }) => Ok(Self::Asks(socket_path(data_dir))),
            Err(error) => Err(error.into()),
        }
    }

    /// Appends readings. They are durable when this returns.
    pub(super) fn append(&mut self, readings: Readings) -> anyhow::Result<()> {
        match self {
            Self::Holds(held) => held.append(readings),
            Self::Asks(socket) => {
                let mut lines = Vec::new();
                for reading in readings.iter() {
                    let mut line = Vec::new();
                    reading.write_json(&mut line);
                    lines.push(serde_json::from_slice(&line)?);
                }
                ask(socket, &Order::Append { readings: lines }).map(|_| ())
            }
        }
    }

    /// Drops all readings up to `through`: how many there were. The queue is closed.
    pub(super) fn purge(self, through: Seq) -> anyhow::Result<u64> {
        match self {
            Self::Asks(socket) => ask(&socket, &Order::Purge { through }),
            Self::Holds(mut held) => {
                held.queue.send(QueueCommand::Drop { through });
                let dropped = match held.answers.blocking_recv() {
                    Some(QueueAnswer::Dropped(Ok(dropped))) => dropped,
                    Some(QueueAnswer::Dropped(Err(fault))) => return Err(fault.into()),
                    other => bail!("the queue did not do it: {other:?}"),
                };
                held.queue.close()?;
                Ok(dropped.dropped.iter().map(|range| range.count()).sum())
            }
        }
    }

    /// Closes what was opened.
    pub(super) fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Asks(_) => Ok(()),
            Self::Holds(held) => Ok(held.queue.close()?),
        }
    }
}

/// Asks the agent, again and again while it has no room.
fn ask(socket: &Path, order: &Order) -> anyhow::Result<u64> {
    let until = Instant::now() + BUSY_FOR;
    loop {
        let answer = give_order(socket, order).context(
            "the agent has the queue open, and its socket does not answer: stop the agent, or try again when it answers",
        )?;
        match (answer.done, answer.error) {
            (Some(done), _) => return Ok(done),
            (None, Some(error)) if answer.busy && Instant::now() >= until => {
                bail!("the agent says: {error}. Try again when its queue has drained, or stop it first")
            }
            (None, Some(_)) if answer.busy => std::thread::sleep(BUSY_PAUSE),
            (None, Some(error)) => bail!("the agent says: {error}"),
            (None, None) => bail!("the agent's answer is not understood: is it of an older version?"),
        }
    }
}

impl Held {
    fn new(mut outbox: Outbox, limits: QueueLimits) -> anyhow::Result<Self> {
        // Nothing is decided upon here, and a configuration that is tried is not tried by this.
        outbox.state.decisions.clear();
        let name = |text| Name::new(text).context("a name");
        let clock = Clock::new();
        let config = EdgeConfig {
            // Nobody is spoken to: the name does not matter.
            id: AgentId { region: name("nowhere")?, agent: name("by-hand")? },
            agent_version: String::new(),
            limits,
            commit_every: Duration::ZERO,
            failover: FailoverConfig { brokers: 1, failover_after: FAILOVER_AFTER, prefer_primary_after: None },
            clock: ClockConfig { uptime: clock.uptime_at_origin(), ..ClockConfig::new(boot_id()) },
            seed: entropy(),
            order: SendOrder::FreshFirst,
            questions: Vec::new(),
            trial: TRIAL_FOR,
        };
        let node = EdgeNode::new(config, &outbox.state, clock.now());
        Ok(Self { node, queue: outbox.handle, answers: outbox.answers, clock, tickets: 0 })
    }

    fn append(&mut self, readings: Readings) -> anyhow::Result<()> {
        self.tickets += 1;
        let ticket = self.tickets;
        self.node.handle(EdgeInput::Readings { ticket, readings, position: None }, self.clock.now());
        loop {
            while let Some(effect) = self.node.poll_effect() {
                match effect {
                    EdgeEffect::Accepted { ticket: accepted } if accepted == ticket => return Ok(()),
                    EdgeEffect::Queue(command) => self.queue.send(command),
                    EdgeEffect::Accepted { .. }
                    | EdgeEffect::Publish(_)
                    | EdgeEffect::InForce { .. }
                    | EdgeEffect::Tune(_)
                    | EdgeEffect::UseBroker(_) => {}
                }
            }
            match self.answers.blocking_recv() {
                Some(QueueAnswer::Appended(Err(fault))) => return Err(fault.into()),
                Some(answer) => self.node.handle(EdgeInput::Queue(answer), self.clock.now()),
                None => bail!("the queue's thread ended"),
            }
        }
    }
}
