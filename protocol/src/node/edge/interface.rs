//! What an edge node is told at its start, what it hears, and what it asks for.

use super::asking::Question;
use crate::clock::{BootId, HOLD};
use crate::delivery::lanes::Order;
use crate::failover::{FailoverConfig, Move};
use crate::ids::{AgentId, Seq};
use crate::node::Publish;
use crate::queue::{QueueAnswer, QueueCommand, QueueLimits, SourcePosition};
use crate::reading::Readings;
use crate::sensing::Sensing;
use crate::wire::Decision;
use bytes::Bytes;
use std::time::Duration;

/// What an agent is told at its start.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Who it is.
    pub id: AgentId,
    /// The program's version, for the hello.
    pub agent_version: String,
    /// The bounds of the queue; the queue keeps them, the node makes sources wait when its policy says so.
    pub limits: QueueLimits,
    /// How long readings gather before they are committed together, after the commit before. A first reading after a
    /// pause is committed at once.
    pub commit_every: Duration,
    /// Its brokers, and when to leave one.
    pub failover: FailoverConfig,
    /// Its clock.
    pub clock: ClockConfig,
    /// Whether newer readings may overtake a backlog.
    pub order: Order,
    /// What it asks its ingester.
    pub questions: Vec<Question>,
    /// How long a new configuration is tried. Default [`TRIAL_FOR`](crate::trial::TRIAL_FOR).
    pub trial: Duration,
    /// From the system's entropy: stream ids and jitter come from it.
    pub seed: u64,
}

/// What an agent is told of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockConfig {
    /// Which start of the device this is: the same for all agents that run until it starts again.
    pub boot: BootId,
    /// How long the device had been running at [`Monotonic::ZERO`](crate::time::Monotonic::ZERO).
    pub uptime: Duration,
    /// How long readings of a clock that is not set wait until it is, from the start of the device on. They wait at least
    /// [`HOLD_CONNECTED`](crate::clock::HOLD_CONNECTED) after the first connection, and as long as there is none.
    pub hold: Duration,
}

impl ClockConfig {
    /// The clock of a device that is started now, for the first time that anybody hears of.
    #[must_use]
    pub const fn new(boot: BootId) -> Self {
        Self { boot, uptime: Duration::ZERO, hold: HOLD }
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum EdgeInput {
    /// Readings of a source, answered by [`EdgeEffect::Accepted`]. To be handed over only while
    /// [`EdgeNode::wants_readings`](super::EdgeNode::wants_readings).
    Readings {
        /// Comes back with the answer.
        ticket: u64,
        /// The readings, perhaps none.
        readings: Readings,
        /// Where the source stands after them; committed with them.
        position: Option<SourcePosition>,
    },
    /// The queue answered.
    Queue(QueueAnswer),
    /// A person wants the readings up to this number dropped for good. The queue answers
    /// [`QueueAnswer::Dropped`].
    Drop {
        /// The last of them.
        through: Seq,
    },
    /// To go on with other bounds of the queue, of which whoever keeps it knows already, and to gather readings for so long from
    /// the next commit on.
    Tune {
        /// As [`EdgeConfig::limits`].
        limits: QueueLimits,
        /// As [`EdgeConfig::commit_every`].
        commit_every: Duration,
    },
    /// The broker has accepted the connection and the subscription.
    Connected {
        /// The broker's place in the list, from 0.
        broker: usize,
        /// The number of the connection, counted by the process; the same as in its will.
        connection: u64,
    },
    /// The connection is gone.
    Disconnected,
    /// Something was published to this agent.
    Message {
        /// The whole topic.
        topic: String,
        /// The message.
        payload: Bytes,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum EdgeEffect {
    /// For the queue. Its answer comes back as [`EdgeInput::Queue`].
    Queue(QueueCommand),
    /// For the broker.
    Publish(Publish),
    /// To end the connection without a DISCONNECT, so that the broker publishes the last will, and to connect to this broker at
    /// once. If that fails the next of the list is tried, as after any failure. Only while connected, and once for each
    /// connection: answered by [`EdgeInput::Disconnected`], and then [`EdgeInput::Connected`] with whatever was reached.
    UseBroker(Move),
    /// The readings of this ticket are durable: the source may forget them.
    Accepted {
        /// The ticket.
        ticket: u64,
    },
    /// To work with this configuration from now on; the first time at the start.
    Tune(Sensing),
    /// The decision in force for a key is another one now, or none any more.
    InForce {
        /// The key.
        key: String,
        /// Saved already.
        decision: Option<Decision>,
    },
}
