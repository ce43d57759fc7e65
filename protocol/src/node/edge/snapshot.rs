//! What an agent can tell of itself.

use super::{Answer, EdgeNode};
use crate::delivery::ranges::Range;
use crate::ids::Seq;
use crate::queue::{QueueFault, QueueUsage};
use crate::time::Monotonic;
use crate::trial::TrialReport;
use crate::wire::{Decision, State};

/// An agent at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeSnapshot {
    /// Connected to a broker and subscribed.
    pub connected: bool,
    /// The place in the list of the broker that it is connected to, from 0.
    pub broker: Option<usize>,
    /// How often it left a broker that was connected, since the start.
    pub moves: u64,
    /// The ingester's state, as last heard on this connection; none when nothing was heard.
    pub state: Option<State>,
    /// When an ingester last said something that makes sense, since the start: it answers each status (every 10 s).
    pub heard: Option<Monotonic>,
    /// How full the queue is.
    pub usage: QueueUsage,
    /// Readings in the queue that are neither in flight nor acknowledged.
    pub unsent: u64,
    /// Readings in flight.
    pub in_flight: u64,
    /// Their bytes; never more than the credit, but for a single reading.
    pub in_flight_bytes: u64,
    /// Readings acknowledged since the start.
    pub acknowledged: u64,
    /// Readings sent more than once since the start.
    pub resent: u64,
    /// Ranges that never come, and are not acknowledged yet.
    pub gaps: Vec<Range>,
    /// Streams that the hello names.
    pub streams: usize,
    /// Bytes that may be in flight.
    pub credit: u64,
    /// Numbers above it are the fresh lane, while there is a backlog.
    pub mark: Option<Seq>,
    /// The newest answers to its questions.
    pub answers: Vec<Answer>,
    /// The decisions in force.
    pub in_force: Vec<Decision>,
    /// How it samples, by its operator, and what became of that.
    pub configuration: TrialReport,
    /// Readings whose time was moved by a microsecond, since the start.
    pub moved_times: u64,
    /// True when its clock is set, or looks as if it were.
    pub clock_set: bool,
    /// Readings that wait for the clock to be set.
    pub held: u64,
    /// For how many milliseconds more they do at most; none when that is not counted yet, because nothing could be sent anyway.
    pub hold_left_ms: Option<u64>,
    /// Messages that made no sense, since the start.
    pub refused_messages: u64,
    /// Why the disk does not do what it is asked for.
    pub fault: Option<QueueFault>,
}

impl EdgeNode {
    /// The agent now.
    #[must_use]
    pub fn snapshot(&self) -> EdgeSnapshot {
        let (in_flight, in_flight_bytes) = self.sender.in_flight();
        let (credit, state) = self.sender.credit();
        EdgeSnapshot {
            connected: self.connected,
            broker: self.failover.broker(),
            moves: self.failover.moves(),
            state,
            heard: self.heard,
            usage: self.usage,
            unsent: self.sender.unsent(),
            in_flight,
            in_flight_bytes,
            acknowledged: self.acknowledged,
            resent: self.sender.resent(),
            gaps: self.sender.gaps().iter().collect(),
            streams: self.sender.open_streams().len(),
            credit,
            mark: self.sender.mark(),
            answers: self.asking.answers().cloned().collect(),
            in_force: self.in_force.iter().cloned().collect(),
            configuration: self.trial.report(),
            moved_times: self.batching.moved_times(),
            clock_set: self.clock.is_set(),
            held: self.sender.held_readings(),
            hold_left_ms: self.clock.hold_left().map(|left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
            refused_messages: self.refused_messages,
            fault: self.fault.clone(),
        }
    }
}
