//! What the queue on disk is asked for, and what it answers. The queue itself is in `runtime`; a simulated one is in the
//! tests; both are held against each other by the same sequences of commands.
//!
//! A queue file holds: rows (sequence number, time, reading as JSON), segments (which stream and clock the rows from a
//! number on belong to, and how their times came about), gaps that are not acknowledged yet, source positions, the decisions in force, and counters (openings,
//! readings dropped, readings that damage took).

use crate::clock::{Stamps, UnsetClock};
use crate::delivery::ranges::Range;
use crate::ids::{Seq, StreamId};
use crate::time::Wall;
use crate::wire::Decision;
use std::sync::Arc;

/// From which row on rows belong to a stream and a clock. A segment ends where the next begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// The first sequence number.
    pub first: Seq,
    /// The opening that appended it.
    pub stream: StreamId,
    /// The clock of its readings, 0 to 999.
    pub clock: u16,
    /// How their times came about.
    pub stamps: Stamps,
}

/// What a new segment says of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentHead {
    /// The opening that appends it.
    pub stream: StreamId,
    /// The clock of its readings, 0 to 999.
    pub clock: u16,
    /// How their times came about.
    pub stamps: Stamps,
}

impl SegmentHead {
    /// The segment that begins so with the number `first`.
    #[must_use]
    pub const fn at(self, first: Seq) -> Segment {
        let Self { stream, clock, stamps } = self;
        Segment { first, stream, clock, stamps }
    }
}

impl Segment {
    /// What it says of its rows.
    #[must_use]
    pub const fn head(&self) -> SegmentHead {
        let Self { first: _, stream, clock, stamps } = *self;
        SegmentHead { stream, clock, stamps }
    }
}

/// What a queue holds, read when it is opened. The first input of an edge node.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueState {
    /// How often this file was opened, this time included. Committed before it is reported.
    pub opening: u64,
    /// From the first segment that still has rows or gaps to the newest, in the order of `first`; the newest is always
    /// there, once there is one. An emptied segment behind an older one that is not stays, else its numbers would seem to
    /// belong to that one.
    pub segments: Vec<Segment>,
    /// The sequence number that the next reading gets. Never one that was given before in this file.
    pub next: Seq,
    /// The oldest row.
    pub oldest: Option<Seq>,
    /// Gaps that are not acknowledged, in order.
    pub gaps: Vec<Range>,
    /// How full it is.
    pub usage: QueueUsage,
    /// The decision in force per key, with the time at which it was received.
    pub decisions: Vec<SavedDecision>,
    /// Where each source stands: its key and its position.
    pub positions: Vec<SourcePosition>,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueUsage {
    /// Rows.
    pub readings: u64,
    /// Bytes of readings as JSON.
    pub bytes: u64,
    /// The time of the oldest reading; none when a clock gave it that was not set.
    pub oldest: Option<Wall>,
    /// Readings dropped for want of room or for age, since the file was made.
    pub dropped: u64,
    /// Readings that damage to the file took, since it was made: they are gaps too.
    pub damaged: u64,
    /// When damage was last found, by the agent's clock.
    pub damaged_at: Option<Wall>,
}

/// Where a source stands; committed together with the readings up to there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// Which source: `csv:…`, for example.
    pub source: String,
    /// Where it stands, in its own words.
    pub position: String,
}

/// A decision as it was received.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedDecision {
    /// The decision.
    pub decision: Decision,
    /// When it was received, by the agent's clock.
    pub received: Wall,
}

/// Readings as JSON, one after the other in one piece of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    json: Vec<u8>,
    ends: Vec<usize>,
    times: Vec<Wall>,
}

impl Rows {
    /// Adds a reading: `write` appends its JSON.
    pub fn push(&mut self, ts: Wall, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.json);
        self.ends.push(self.json.len());
        self.times.push(ts);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of JSON.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.json.len()
    }

    /// Each reading's time and JSON, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Wall, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let pieces = starts.zip(&self.ends).map(|(start, end)| self.json.get(start..*end).unwrap_or_default());
        self.times.iter().copied().zip(pieces)
    }
}

/// Rows of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendPart {
    /// A new segment begins with these rows. None: they belong to the newest segment.
    pub segment: Option<SegmentHead>,
    /// The rows; they get consecutive sequence numbers.
    pub rows: Rows,
}

/// Rows to append in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Append {
    /// In order.
    pub parts: Vec<AppendPart>,
    /// Committed with them.
    pub positions: Vec<SourcePosition>,
}

/// What an append did. The rows have the numbers `range`, but for those in `dropped`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The numbers that the rows got; empty (last below first) when only positions were committed.
    pub range: Range,
    /// What the bounds made the queue drop in the same transaction, older rows or some of the new ones: recorded as gaps.
    /// Rows that were asked to be freed before are not among them.
    pub dropped: Vec<Range>,
    /// How full it is now.
    pub usage: QueueUsage,
}

/// Rows to load: consecutive ones, beginning with the first row at or above `from`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Look from here on.
    pub from: Seq,
    /// No row above this one.
    pub until: Seq,
    /// At most so many bytes, the commas between them included, but always one row.
    pub max_bytes: usize,
    /// At most so many rows.
    pub max_rows: usize,
}

/// Consecutive rows, as they are sent: with the times that the [`Stamps`] of their segment give them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The number of the first.
    pub first: Seq,
    /// Their JSON, joined by commas.
    pub json: Vec<u8>,
    /// Their times.
    pub times: Vec<Wall>,
}

impl Run {
    /// The numbers of its rows.
    #[must_use]
    pub fn range(&self) -> Range {
        Range::new(self.first, self.first + self.times.len() as u64 - 1)
    }
}

/// What may be deleted, because it is acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Free {
    /// Rows up to here.
    pub through: Seq,
    /// Gaps that are acknowledged.
    pub gaps: Vec<Range>,
}

/// What becomes of the times of a segment for which that was open, from now on and for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    /// The segment's first number.
    pub first: Seq,
    /// The clock that gave them. A segment of another one that begins with the same number stays as it is.
    pub clock: UnsetClock,
    /// How they are sent.
    pub stamps: Stamps,
}

impl Settle {
    /// True when it speaks of `segment`.
    #[must_use]
    pub fn is_of(&self, segment: &Segment) -> bool {
        segment.first == self.first && segment.stamps == Stamps::Open(self.clock)
    }
}

/// What an opened queue keeps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// At most so many readings.
    pub readings: u64,
    /// At most so many bytes of readings as JSON.
    pub bytes: u64,
    /// Readings older than this (by their own time against the clock at append; nobody knows how old one is that has its time
    /// of a clock that was not set) are dropped from the front, whatever the
    /// policy; an old one behind a younger one waits until it is at the front. None: they are kept.
    pub max_age_us: Option<i64>,
    /// What gives way when it is full.
    pub policy: FullPolicy,
}

/// What gives way when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum FullPolicy {
    /// The oldest readings are dropped, and become gaps.
    #[default]
    DropOldest,
    /// New readings are dropped, and become gaps; none is taken again until a 64th of the queue is free, so that gaps and
    /// readings do not alternate without end.
    DropNewest,
    /// The source waits. The edge node sees to it; a queue with this policy appends whatever it is given.
    Block,
}

/// What a queue is asked for. The answers come back in the order of the commands, but for those to `Free`: they come in the
/// order of the frees, and may come later than the answers to commands after them, whose effect is as if the free had
/// happened.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueCommand {
    /// Answered by [`QueueAnswer::Appended`], after the commit is durable. Shared, because it is asked for again after a fault.
    Append(Arc<Append>),
    /// Answered by [`QueueAnswer::Loaded`]. Rows between `from` and what is answered that should be there, and cannot be
    /// read or are not what was written, were recorded as gaps before the answer.
    Load(Load),
    /// Answered by [`QueueAnswer::Freed`], after the commit is durable. May wait for the next append, but no longer than a second.
    Free(Free),
    /// Replaces the decision of the same key. Answered by [`QueueAnswer::DecisionSaved`], after the commit is durable.
    SaveDecision(SavedDecision),
    /// Says what becomes of the times of segments. Answered by [`QueueAnswer::Settled`], after the commit is durable.
    Settle(Vec<Settle>),
    /// Drops the readings up to `through` for good, because a person says so: they become gaps. Answered by
    /// [`QueueAnswer::Dropped`], after the commit is durable.
    Drop {
        /// The last of them.
        through: Seq,
    },
}

/// What a queue answers.
#[derive(Debug, Clone, PartialEq)]
pub enum QueueAnswer {
    /// To [`QueueCommand::Append`]. On an error nothing was appended.
    Appended(Result<Appended, QueueFault>),
    /// To [`QueueCommand::Load`]: none when no row is there.
    Loaded(Result<Option<Run>, QueueFault>),
    /// To [`QueueCommand::Free`]: what it asked for, and how full the queue is now.
    Freed(Result<(Free, QueueUsage), QueueFault>),
    /// To [`QueueCommand::SaveDecision`]: its key.
    DecisionSaved(Result<String, QueueFault>),
    /// To [`QueueCommand::Settle`]: what it asked for.
    Settled(Result<Vec<Settle>, QueueFault>),
    /// To [`QueueCommand::Drop`]: an append of no rows that dropped some.
    Dropped(Result<Appended, QueueFault>),
}

/// Why the disk did not do what it was asked for. The node tries again, later and later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueFault {
    /// No room left on the device.
    #[error("the disk of the queue is full: {0}")]
    DiskFull(String),
    /// Anything else.
    #[error("the queue cannot be written or read: {0}")]
    Io(String),
}
