//! What waits for the next commit, and the commit that is at the store.

use super::agent::Stream;
use super::agents::Agents;
use crate::ids::{AgentId, StreamId};
use crate::store::{Bills, Commit, Points, StreamProgress};
use crate::time::Monotonic;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The most readings of one commit: a write stays short, so that acknowledgements do.
const COMMIT_READINGS_MAX: u64 = 20_000;
/// The fewest that it is cut to for a slow store: some batches.
const COMMIT_READINGS_MIN: u64 = 200;
/// What a commit may take: while it is at the store nothing is acknowledged, and agents that hear nothing for 20 s send again.
const COMMIT_LONGEST: Duration = Duration::from_secs(1);
/// How long to wait before a commit that failed is asked for again: doubled from here...
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// ...up to here.
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// A batch that waits for its commit.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) points: Points,
    /// The bytes that are held for it.
    pub(super) bytes: u64,
    /// What it changes in the ledger.
    pub(super) bills: Bills,
}

/// What waits for the next commit. Bounded by the ingester's memory.
#[derive(Debug, Default)]
pub(super) struct Pending {
    batches: VecDeque<Waiting>,
    moved: BTreeSet<(AgentId, StreamId)>,
    /// Something is to be committed although no reading is.
    pub(super) hurry: bool,
    /// The most readings of a commit, where the store is too slow for the usual.
    most: Option<u64>,
}

impl Pending {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.batches.push_back(waiting);
    }

    /// The floor or the gaps of a stream moved.
    pub(super) fn moved(&mut self, id: &AgentId, stream: StreamId) {
        self.moved.insert((id.clone(), stream));
    }

    /// A commit of so many readings took so long: the next ones follow the store.
    pub(super) fn took(&mut self, readings: u64, time: Duration) {
        let most = self.most.unwrap_or(COMMIT_READINGS_MAX);
        if time > COMMIT_LONGEST {
            let fitting = u128::from(readings) * COMMIT_LONGEST.as_micros() / time.as_micros().max(1);
            let fitting = u64::try_from(fitting).unwrap_or(COMMIT_READINGS_MAX);
            self.most = Some(fitting.clamp(COMMIT_READINGS_MIN, most));
        } else if readings >= most && time < COMMIT_LONGEST / 2 {
            self.most = Some(most * 2).filter(|most| *most < COMMIT_READINGS_MAX);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.hurry || !self.batches.is_empty() || !self.moved.is_empty()
    }

    /// Moves what waits into `commit`, as much as fits. Gives the bytes that are held for it, by agent.
    pub(super) fn stage(&mut self, agents: &mut Agents, commit: &mut Commit) -> BTreeMap<AgentId, u64> {
        self.hurry = false;
        let mut touched = std::mem::take(&mut self.moved);
        let mut held: BTreeMap<AgentId, u64> = BTreeMap::new();
        let mut readings = 0;
        let most = self.most.unwrap_or(COMMIT_READINGS_MAX);
        while let Some(Waiting { points, bytes, bills }) = self.batches.pop_front() {
            readings += points.count();
            if let Some(Stream::Known(receiver)) = agents.stream(&points.agent, points.stream) {
                receiver.stage(&points.fresh);
            }
            *held.entry(points.agent.clone()).or_default() += bytes;
            touched.insert((points.agent.clone(), points.stream));
            commit.points.push(points);
            commit.bills.append(bills);
            if readings >= most {
                break;
            }
        }
        for (agent, stream) in touched {
            if let Some(Stream::Known(receiver)) = agents.stream(&agent, stream) {
                let (progress, new_gaps) = receiver.stage_progress();
                commit.progress.push(StreamProgress { agent, stream, progress, new_gaps });
            }
        }
        held
    }
}

/// A commit at the store.
#[derive(Debug)]
pub(super) struct Committing {
    pub(super) commit: Arc<Commit>,
    pub(super) held: BTreeMap<AgentId, u64>,
    /// After a failure: when to ask again.
    pub(super) retry_at: Option<Monotonic>,
    /// When the store was asked last.
    asked: Monotonic,
    wait: Duration,
}

impl Committing {
    pub(super) const fn new(commit: Arc<Commit>, held: BTreeMap<AgentId, u64>, asked: Monotonic) -> Self {
        Self { commit, held, retry_at: None, asked, wait: RETRY_FIRST }
    }

    /// How many readings it has, and how long the store has been at it.
    pub(super) fn took(&self, now: Monotonic) -> (u64, Duration) {
        (self.commit.points.iter().map(Points::count).sum(), now.since(self.asked))
    }

    /// The same commit is asked for again, later.
    pub(super) fn retry_later(mut self, now: Monotonic) -> Self {
        self.retry_at = Some(now + self.wait);
        self.wait = (self.wait * 2).min(RETRY_LONGEST);
        self
    }

    /// True when it is time to ask again.
    pub(super) fn poll_retry(&mut self, now: Monotonic) -> bool {
        let due = self.retry_at.take_if(|at| *at <= now).is_some();
        if due {
            self.asked = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_follow_a_store_that_is_slow_and_one_that_is_fast_again() {
        let (mut pending, s) = (Pending::default(), Duration::from_secs(1));
        pending.took(20_000, s);
        assert_eq!(pending.most, None);
        pending.took(20_000, 10 * s);
        assert_eq!(pending.most, Some(2_000));
        pending.took(10, 10 * s);
        assert_eq!(pending.most, Some(COMMIT_READINGS_MIN), "a single slow one of few readings");
        for _ in 0..3 {
            pending.took(100, s / 100);
        }
        assert_eq!(pending.most, Some(COMMIT_READINGS_MIN), "small ones prove nothing");
        (0..7).for_each(|n| pending.took(COMMIT_READINGS_MIN << n, s / 100));
        assert_eq!(pending.most, None);
    }
}
