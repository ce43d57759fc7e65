//! What the cloud node asks of the store, and what it answers. The stores are in `cloud-ingest`; simulated ones are in
//! the tests.
//!
//! The store of a site keeps: points; per stream what is written ([`Progress`]); aggregates; decisions that are not
//! acknowledged; dead letters; the newest status of each agent; the term; and the number of the last commit of this
//! run, by which a commit that was done but whose success was not heard is known again.

mod bills;
mod latest;
mod rows;

pub use bills::{Bills, Clarification, Departure, Stay, Unclear};
pub use latest::{Flags, Latest};
pub use rows::{AverageRow, DecisionRow, FateWord, Owner, ProgressRow, Rows, StatusRow};

use crate::clock::TimeFlag;
use crate::delivery::ranges::Range;
use crate::directive::Directive;
use crate::ids::{AgentId, Seq, StreamId};
use crate::reading::{ReadingRef, Readings};
use crate::time::Wall;
use crate::usecase;
use crate::usecase::parking::PlateKey;
use crate::window::{Aggregate, Scope};
use crate::wire::{Decision, Outcome, Status};
use std::sync::Arc;

/// Everything that changes together: points, and the progress that says that they are there. A store does all of it or
/// nothing, and does a commit with the same `(run, id)` once, however often it is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Commit {
    /// Random, drawn when the ingester started.
    pub run: u64,
    /// Counts the commits of the run, from 1.
    pub id: u64,
    /// The counter of the ingester's term; kept for the next start.
    pub term: u64,
    /// New readings.
    pub points: Vec<Points>,
    /// What is written of each stream after this commit.
    pub progress: Vec<StreamProgress>,
    /// To be merged into the stored aggregates.
    pub folds: Vec<Fold>,
    /// Decisions, new or changed.
    pub decisions: Vec<DecisionRecord>,
    /// What an operator decided, new or ended.
    pub directives: Vec<Directive>,
    /// The newest status of agents.
    pub statuses: Vec<AgentStatus>,
    /// The newest reading of each sensor among the points.
    pub latest: Vec<Latest>,
    /// What the points change in the ledger.
    pub bills: Bills,
}

/// Readings of one batch that are not in the store yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// Whose.
    pub agent: AgentId,
    /// Their stream.
    pub stream: StreamId,
    /// Their clock, 0 to 999.
    pub clock: u16,
    /// What is to be known of their times, if they are not as a clock that was set gave them.
    pub time: Option<TimeFlag>,
    /// The sequence number of `readings[0]`.
    pub first: Seq,
    /// The readings of the batch.
    pub readings: Arc<Readings>,
    /// Which of the batch's sequence numbers are new; the others are stored already.
    pub fresh: Vec<Range>,
}

impl Point<'_> {
    /// Its marks, as a point of `batch`.
    #[must_use]
    pub fn flags(&self, batch: &Points) -> Flags {
        Flags { outlier: usecase::is_outlier(self.reading), time: batch.time }
    }
}

/// One new reading with all that makes it a point.
#[derive(Clone, Copy)]
pub struct Point<'a> {
    /// Its sequence number.
    pub seq: Seq,
    /// Its time in the database, in nanoseconds: `ts_us * 1000 + clock`.
    pub time_ns: i64,
    /// The reading.
    pub reading: ReadingRef<'a>,
}

impl Points {
    /// The new readings, in the order of their sequence numbers.
    pub fn iter(&self) -> impl Iterator<Item = Point<'_>> {
        self.fresh.iter().flat_map(|range| range.first..=range.last).filter_map(|seq| {
            let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
            let reading = self.readings.get(index)?;
            // Times are below 2^53 us, so that the product fits.
            Some(Point { seq, time_ns: reading.ts().us() * 1000 + i64::from(self.clock), reading })
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.fresh.iter().map(|range| range.count()).sum()
    }
}

/// What is written of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// Everything up to here is written, dead-lettered, or a gap.
    pub through: Seq,
    /// What is written above that; at most 64 ranges.
    pub ranges: Vec<Range>,
}

/// A change of a stream's progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamProgress {
    /// Whose stream.
    pub agent: AgentId,
    /// Which stream.
    pub stream: StreamId,
    /// What is written now.
    pub progress: Progress,
    /// Gaps that were reported since the last commit: to be recorded for the operator.
    pub new_gaps: Vec<Range>,
}

/// Values to be merged into the stored aggregate of a window.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// Whose average: an agent's or a region's.
    pub scope: Scope,
    /// The use case.
    pub kind: &'static str,
    /// The field.
    pub field: &'static str,
    /// The window's length in seconds: 5, 60 or 3600.
    pub width_s: u32,
    /// When the window begins; a multiple of its length.
    pub start: Wall,
    /// The values.
    pub aggregate: Aggregate,
}

/// A decision and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRecord {
    /// To whom.
    pub agent: AgentId,
    /// The decision.
    pub decision: Decision,
    /// When it was decided, by the ingester's clock.
    pub decided: Wall,
    /// What became of it.
    pub fate: Fate,
    /// Why it is not in force, as the agent said it.
    pub reason: Option<String>,
}

/// What became of a decision, as the ingester knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Being sent.
    Outstanding,
    /// The agent answered.
    Acknowledged(Outcome),
    /// A newer one took its place before the agent answered.
    Replaced,
    /// Its time ran out before the agent answered.
    Expired,
}

/// The newest status of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentStatus {
    /// Whose.
    pub agent: AgentId,
    /// What it said.
    pub status: Status,
    /// When that was heard, by the ingester's clock.
    pub heard: Wall,
}

/// An ingester takes the lead in its store. From then on the commits of any other run are refused there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakeOver {
    /// The number of the run that begins: random, and another one for each lead.
    pub run: u64,
    /// The new term's counter is to be above this one, and above that of the state.
    pub above: u64,
    /// When the oldest 5-second window begins that may still be open.
    pub since: Wall,
}

/// What an ingester finds in its state when it takes the lead. The first input of a cloud node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recovered {
    /// The counter of the new term: kept already, so that nobody has it again.
    pub term: u64,
    /// The newest decision of each agent and key: those that no agent has answered, and those that are still in force.
    pub decisions: Vec<DecisionRecord>,
    /// What an operator decided and has not ended.
    pub directives: Vec<Directive>,
    /// The aggregates of 5-second windows that may still be open.
    pub open_windows: Vec<Fold>,
    /// The newest reading of each sensor about which agents may ask.
    pub latest: Vec<Latest>,
    /// The cars that are in a garage.
    pub stays: Vec<Stay>,
    /// What plates are hashed with; none of a store that keeps none.
    pub plate_key: Option<PlateKey>,
}

impl Recovered {
    /// Forgets what is of agents of other regions. What is of groups across regions stays.
    pub fn keep_only(&mut self, takes: impl Fn(&str) -> bool) {
        self.decisions.retain(|record| takes(record.agent.region.as_str()));
        self.directives.retain(|directive| takes(directive.target.region.as_str()));
        self.open_windows.retain(|fold| match &fold.scope {
            Scope::Region(region) => takes(region.as_str()),
            Scope::Agent(id) => takes(id.region.as_str()),
            Scope::Group(_) => true,
        });
        self.latest.retain(|latest| takes(latest.owner.region.as_str()));
        self.stays.retain(|stay| takes(stay.owner.region.as_str()));
    }
}

/// What a store is asked for. Answers come back in the order of the commands.
#[derive(Debug, Clone, PartialEq)]
pub enum StoreCommand {
    /// Answered by [`StoreAnswer::Committed`].
    Commit(Arc<Commit>),
    /// What is written of a stream that the node does not know: answered by [`StoreAnswer::Recalled`].
    Recall(AgentId, StreamId),
    /// Answered by [`StoreAnswer::TakenOver`].
    TakeOver(TakeOver),
    /// Rows for one that follows, all as they are at one moment: answered by [`StoreAnswer::Exported`].
    Export(Export),
    /// Rows of the one that leads, all or none: answered by [`StoreAnswer::Adopted`].
    Adopt(Arc<Rows>),
}

/// Which rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Export {
    /// Those of these names. Decisions and statuses are not among them: whoever changes them has them whole.
    Named {
        /// Streams.
        streams: Vec<(AgentId, StreamId)>,
        /// Windows; their values are not looked at.
        windows: Vec<Fold>,
    },
    /// The next of all, after this place; none: from the beginning. At most some 32 KiB as JSON.
    Page {
        /// As a page before said it.
        after: Option<String>,
    },
}

/// Rows, and where the next ones are.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The rows.
    pub rows: Rows,
    /// Where to go on; none: these were the last.
    pub next: Option<String>,
}

/// What a store answers.
#[derive(Debug, Clone, PartialEq)]
pub enum StoreAnswer {
    /// The commit's id, and what became of it. On an error perhaps it was done all the same.
    Committed(u64, Result<CommitReport, StoreFault>),
    /// The stream's progress: none when the store never heard of it.
    Recalled(AgentId, StreamId, Result<Option<Progress>, StoreFault>),
    /// The run that wanted to begin, and what it found.
    TakenOver(u64, Result<Recovered, StoreFault>),
    /// The rows. [`Export::Named`] has no next page.
    Exported(Result<Page, StoreFault>),
    /// They are kept.
    Adopted(Result<(), StoreFault>),
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CommitReport {
    /// Readings in the store.
    pub stored: u64,
    /// Readings that the database refuses for good, kept as dead letters.
    pub dead: u64,
}

/// Why a store did not do what it was asked for. The node asks again, later and later, and acknowledges nothing meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// It may work in a moment: no connection, too many requests, a server's error, a busy file.
    #[error("the store does not answer: {0}")]
    Transient(String),
    /// It will not work until somebody mends it: wrong token, no such bucket, disk full.
    #[error("the store needs its operator: {0}")]
    Operator(String),
    /// It will not work for this run any more: another one leads.
    #[error("another ingester has taken over the store")]
    Deposed,
}
