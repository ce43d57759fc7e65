//! What an ingester knows, row by row, so that another one can know the same: each row is as it is now, and replaces what the
//! other one had of the same name.

use super::{AgentStatus, Clarification, DecisionRecord, Fate, Fold, Latest, Progress, Stay};
use crate::delivery::ranges::Range;
use crate::directive::Directive;
use crate::ids::{AgentId, Name, Seq, StreamId};
use crate::time::Wall;
use crate::usecase;
use crate::window::{Aggregate, Scope};
use crate::wire::{Decision, Outcome, Status};
use serde::{Deserialize, Serialize};

/// Rows of an ingester's state, in any number.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rows {
    /// The counter of the term of whoever leads: one that takes over later has to be above it, whatever it forgets.
    #[serde(default)]
    pub term: u64,
    /// What is written of streams.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<ProgressRow>,
    /// Averages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averages: Vec<AverageRow>,
    /// Decisions and where they stand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<DecisionRow>,
    /// What operators decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directives: Vec<Directive>,
    /// The newest status of agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<StatusRow>,
    /// The newest readings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latest: Vec<Latest>,
    /// Stays of cars.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<Stay>,
    /// What somebody has to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clarifications: Vec<Clarification>,
    /// What plates are hashed with, as hexadecimal digits: it must be the same after a takeover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate_key: Option<String>,
}

/// Whose row it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// The agent's region.
    pub region: Name,
    /// Its name.
    pub agent: Name,
}

/// What is written of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgressRow {
    /// Whose.
    #[serde(flatten)]
    pub owner: Owner,
    /// Which stream.
    pub stream: StreamId,
    /// As [`Progress::through`].
    pub through: Seq,
    /// As [`Progress::ranges`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// The numbers of the stream that never came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Range>,
}

/// The average of a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AverageRow {
    /// Of which region; none: of a group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Name>,
    /// Of which of its agents, or of which group; none: of all of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Name>,
    /// The use case.
    pub kind: String,
    /// The field.
    pub field: String,
    /// The window's length in seconds.
    pub width_s: u32,
    /// When it begins, in microseconds since 1970.
    pub start_us: i64,
    /// As in [`Aggregate`]: how many values, their sum, the sum of their squares, the smallest, the largest.
    pub values: (u64, f64, f64, f64, f64),
}

/// A decision and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecisionRow {
    /// To whom.
    #[serde(flatten)]
    pub owner: Owner,
    /// The decision.
    pub decision: Decision,
    /// `outstanding`, `applied`, `superseded`, `refused`, `rolled_back`, `replaced` or `expired`.
    pub fate: FateWord,
    /// Why it is not in force, as the agent said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// [`Fate`] as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FateWord {
    /// [`Fate::Outstanding`].
    Outstanding,
    /// Answered: applied.
    Applied,
    /// Answered: superseded.
    Superseded,
    /// Answered: refused.
    Refused,
    /// Answered: rolled back.
    RolledBack,
    /// [`Fate::Replaced`].
    Replaced,
    /// [`Fate::Expired`].
    Expired,
}

/// The newest status of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusRow {
    /// Whose.
    #[serde(flatten)]
    pub owner: Owner,
    /// What it said.
    pub status: Status,
    /// When that was heard, in microseconds since 1970.
    pub heard_us: i64,
}

impl Rows {
    /// True when there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.progress.len()
            + self.averages.len()
            + self.decisions.len()
            + self.directives.len()
            + self.statuses.len()
            + self.latest.len()
            + self.stays.len()
            + self.clarifications.len()
    }

    /// Adds rows that came later.
    pub fn extend(&mut self, more: Self) {
        self.term = self.term.max(more.term);
        self.progress.extend(more.progress);
        self.averages.extend(more.averages);
        self.decisions.extend(more.decisions);
        self.directives.extend(more.directives);
        self.statuses.extend(more.statuses);
        self.latest.extend(more.latest);
        self.stays.extend(more.stays);
        self.clarifications.extend(more.clarifications);
        self.plate_key = more.plate_key.or(self.plate_key.take());
    }
}

impl From<&AgentId> for Owner {
    fn from(id: &AgentId) -> Self {
        Self { region: id.region.clone(), agent: id.agent.clone() }
    }
}

impl From<Owner> for AgentId {
    fn from(owner: Owner) -> Self {
        Self { region: owner.region, agent: owner.agent }
    }
}

impl ProgressRow {
    /// The row of a stream.
    #[must_use]
    pub fn new(agent: &AgentId, stream: StreamId, progress: Progress, gaps: Vec<Range>) -> Self {
        Self { owner: agent.into(), stream, through: progress.through, ranges: progress.ranges, gaps }
    }
}

impl AverageRow {
    /// The row of a stored average.
    #[must_use]
    pub fn new(fold: &Fold) -> Self {
        let (region, agent) = match &fold.scope {
            Scope::Region(region) => (Some(region.clone()), None),
            Scope::Agent(id) => (Some(id.region.clone()), Some(id.agent.clone())),
            Scope::Group(group) => (None, Some(group.clone())),
        };
        let Aggregate { n, sum, sum_squares, min, max } = fold.aggregate;
        Self {
            region,
            agent,
            kind: fold.kind.to_owned(),
            field: fold.field.to_owned(),
            width_s: fold.width_s,
            start_us: fold.start.us(),
            values: (n, sum, sum_squares, min, max),
        }
    }

    /// The average; none of a use case or field that this program does not know.
    #[must_use]
    pub fn fold(self) -> Option<Fold> {
        let usecase = usecase::find(&self.kind)?;
        let field = usecase.fields().iter().find(|field| field.name == self.field)?.name;
        let scope = match (self.region, self.agent) {
            (Some(region), Some(agent)) => Scope::Agent(AgentId { region, agent }),
            (Some(region), None) => Scope::Region(region),
            (None, Some(group)) => Scope::Group(group),
            (None, None) => return None,
        };
        let (n, sum, sum_squares, min, max) = self.values;
        let aggregate = Aggregate { n, sum, sum_squares, min, max };
        let start = Wall::from_us(self.start_us);
        Some(Fold { scope, kind: usecase.kind(), field, width_s: self.width_s, start, aggregate })
    }
}

impl DecisionRow {
    /// The row of a decision.
    #[must_use]
    pub fn new(record: &DecisionRecord) -> Self {
        let fate = match record.fate {
            Fate::Outstanding => FateWord::Outstanding,
            Fate::Acknowledged(Outcome::Applied) => FateWord::Applied,
            Fate::Acknowledged(Outcome::Superseded) => FateWord::Superseded,
            Fate::Acknowledged(Outcome::Refused) => FateWord::Refused,
            Fate::Acknowledged(Outcome::RolledBack) => FateWord::RolledBack,
            Fate::Replaced => FateWord::Replaced,
            Fate::Expired => FateWord::Expired,
        };
        Self { owner: (&record.agent).into(), decision: record.decision.clone(), fate, reason: record.reason.clone() }
    }

    /// The decision as it is kept.
    #[must_use]
    pub fn record(self) -> DecisionRecord {
        let fate = match self.fate {
            FateWord::Outstanding => Fate::Outstanding,
            FateWord::Applied => Fate::Acknowledged(Outcome::Applied),
            FateWord::Superseded => Fate::Acknowledged(Outcome::Superseded),
            FateWord::Refused => Fate::Acknowledged(Outcome::Refused),
            FateWord::RolledBack => Fate::Acknowledged(Outcome::RolledBack),
            FateWord::Replaced => Fate::Replaced,
            FateWord::Expired => Fate::Expired,
        };
        let decided = Wall::from_us(self.decision.decided_us);
        DecisionRecord { agent: self.owner.into(), decision: self.decision, decided, fate, reason: self.reason }
    }
}

impl StatusRow {
    /// The row of a status.
    #[must_use]
    pub fn new(heard: &AgentStatus) -> Self {
        Self { owner: (&heard.agent).into(), status: heard.status.clone(), heard_us: heard.heard.us() }
    }

    /// The status as it is kept.
    #[must_use]
    pub fn status(self) -> AgentStatus {
        AgentStatus { agent: self.owner.into(), status: self.status, heard: Wall::from_us(self.heard_us) }
    }
}
