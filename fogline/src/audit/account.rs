//! The account.

use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::StreamId;
use serde::Serialize;

/// Ranges that are listed by their numbers for each agent; all of them are counted.
pub const RANGES_LISTED: usize = 100;

/// What became of everything that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Whether nothing is lost, nothing is stored twice, and nothing is missing.
    pub passed: bool,
    /// Whether each stream was judged by itself. False where the database does not keep streams (VictoriaMetrics): there the
    /// numbers of an agent are judged all together, and numbers that two of its streams share (an old copy of a queue file
    /// came back) count as duplicates.
    pub by_stream: bool,
    /// All agents together.
    pub total: Counts,
    /// Readings that the ingester has counted as stored, that the database does not hold, and whose numbers nobody knows.
    pub missing: u64,
    /// Dead letters that somebody has deleted: unless they were sent again and stored, their readings are lost.
    pub dead_letters_deleted: u64,
    /// By region and name.
    pub agents: Vec<AgentAccount>,
}

/// Readings by what became of them. `accepted` is the sum of `stored`, `queued`, `dead`, `dropped` and `lost`: each reading
/// counts for the first of them that is true of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Given a number and appended to a queue, as far as anybody knows.
    pub accepted: u64,
    /// In the database, once or more often.
    pub stored: u64,
    /// In a queue, and not in the database.
    pub queued: u64,
    /// Dead letters: refused by the database for good, and kept by the ingester.
    pub dead: u64,
    /// In a reported gap: dropped by a full queue, or damaged.
    pub dropped: u64,
    /// Nowhere.
    pub lost: u64,
    /// Points of the database beyond the first of each reading.
    pub duplicates: u64,
    /// Numbers of which nobody knows whether they were ever given: their agent's queue file would tell.
    pub unknown: u64,
}

/// What became of an agent's readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AgentAccount {
    /// "region/agent".
    pub agent: String,
    /// In numbers.
    #[serde(flatten)]
    pub counts: Counts,
    /// Streams that are known of it.
    pub streams: u64,
    /// Queue files of it that were read.
    pub queues: u64,
    /// What is lost, the first [`RANGES_LISTED`] ranges.
    pub lost_ranges: Vec<LostRange>,
    /// What is stored more than once, the first [`RANGES_LISTED`] ranges.
    pub duplicate_ranges: Vec<LostRange>,
    /// What is unknown, the first [`RANGES_LISTED`] ranges.
    pub unknown_ranges: Vec<Range>,
}

/// Numbers of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LostRange {
    /// Their stream; none when the queue file gave them, and forgot to which of its streams.
    pub stream: Option<StreamId>,
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Counts {
    /// Adds what became of others. Gaps come from outside, and may be as long as whoever sent them liked.
    pub(super) const fn add(&mut self, other: &Self) {
        self.accepted = self.accepted.saturating_add(other.accepted);
        self.stored = self.stored.saturating_add(other.stored);
        self.queued = self.queued.saturating_add(other.queued);
        self.dead = self.dead.saturating_add(other.dead);
        self.dropped = self.dropped.saturating_add(other.dropped);
        self.lost = self.lost.saturating_add(other.lost);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
        self.unknown = self.unknown.saturating_add(other.unknown);
    }
}

impl Account {
    /// The account of an agent, by "region/agent".
    #[must_use]
    pub fn agent(&self, agent: &str) -> Option<&AgentAccount> {
        self.agents.iter().find(|account| account.agent == agent)
    }
}
