//! What waits for the next commit, and the commit that is at the store.

use super::agent::Stream;
use super::agents::Agents;
use crate::ids::{AgentId, StreamId};
use crate::store::{Commit, Points, StreamProgress};
use crate::time::Monotonic;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The most readings of one commit: a write stays short, so that acknowledgements do.
const COMMIT_READINGS_MAX: u64 = 20_000;
/// How long to wait before a commit that failed is asked for again: doubled from here...
const RETRY_FIRST: Duration = Duration::from_millis(200);
/// ...up to here.
const RETRY_LONGEST: Duration = Duration::from_secs(5);

/// What waits for the next commit. Bounded by the ingester's memory.
#[derive(Debug, Default)]
pub(super) struct Pending {
    batches: VecDeque<(Points, u64)>,
    moved: BTreeSet<(AgentId, StreamId)>,
    /// Something is to be committed although no reading is.
    pub(super) hurry: bool,
}

impl Pending {
    pub(super) fn push(&mut self, points: Points, bytes: u64) {
        self.batches.push_back((points, bytes));
    }

    /// The floor or the gaps of a stream moved.
    pub(super) fn moved(&mut self, id: &AgentId, stream: StreamId) {
        self.moved.insert((id.clone(), stream));
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
        while let Some((points, bytes)) = self.batches.pop_front() {
            readings += points.count();
            if let Some(Stream::Known(receiver)) = agents.stream(&points.agent, points.stream) {
                receiver.stage(&points.fresh);
            }
            *held.entry(points.agent.clone()).or_default() += bytes;
            touched.insert((points.agent.clone(), points.stream));
            commit.points.push(points);
            if readings >= COMMIT_READINGS_MAX {
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
    wait: Duration,
}

impl Committing {
    pub(super) const fn new(commit: Arc<Commit>, held: BTreeMap<AgentId, u64>) -> Self {
        Self { commit, held, retry_at: None, wait: RETRY_FIRST }
    }

    /// The same commit is asked for again, later.
    pub(super) fn retry_later(mut self, now: Monotonic) -> Self {
        self.retry_at = Some(now + self.wait);
        self.wait = (self.wait * 2).min(RETRY_LONGEST);
        self
    }

    /// True when it is time to ask again.
    pub(super) fn poll_retry(&mut self, now: Monotonic) -> bool {
        self.retry_at.take_if(|at| *at <= now).is_some()
    }
}
