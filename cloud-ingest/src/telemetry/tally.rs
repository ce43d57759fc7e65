//! What the store has taken of each agent since the last look.

use super::changes::{Event, Sort};
use fogline_protocol::clock::TimeFlag;
use fogline_protocol::ids::AgentId;
use fogline_protocol::store::{AgentStatus, Commit, DecisionRecord, Fate, Points, StreamProgress};
use fogline_protocol::time::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most agents that are told apart: 10,000 points every 10 s are two requests. What is beyond is in the sums only.
pub(super) const AGENTS_MAX: usize = 10_000;
/// What is later is a recording that is played, or a backlog of yesterday, and not how fast things go.
const LATEST: Duration = Duration::from_secs(3600);

/// What was taken since the last look.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    agents: BTreeMap<AgentId, Share>,
    /// Agents whose newest status says so.
    offline: BTreeSet<AgentId>,
    events: Vec<Event>,
    /// Events for which there was no room.
    missed: u64,
}

/// An agent's share of it.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Share {
    /// Readings stored.
    pub(super) stored: u64,
    /// Readings that will never come.
    pub(super) gaps: u64,
    /// From a reading's time to its being stored.
    pub(super) latency: Latency,
    /// Decisions made for it.
    pub(super) decisions: u64,
    /// Decisions that it has answered.
    pub(super) acknowledged: u64,
    /// Decisions that it had not answered when they were replaced or their time ran out.
    pub(super) unanswered: u64,
    /// The longest that an answer took.
    pub(super) ack_max: Option<Duration>,
}

/// How late readings were.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Latency {
    count: u32,
    sum: Duration,
    pub(super) max: Duration,
}

impl Latency {
    fn add(&mut self, late: Duration) {
        self.count += 1;
        self.sum += late;
        self.max = self.max.max(late);
    }

    /// None when there were no readings.
    pub(super) fn mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.count)
    }
}

/// What a look finds.
#[derive(Debug, Default)]
pub(super) struct Tallied {
    pub(super) agents: BTreeMap<AgentId, Share>,
    pub(super) events: Vec<Event>,
    pub(super) missed: u64,
}

impl Tally {
    /// The store has taken this.
    pub(crate) fn take(&mut self, commit: &Commit, now: Wall) {
        commit.points.iter().for_each(|points| self.points(points, now));
        commit.progress.iter().for_each(|progress| self.gaps(progress, now));
        commit.decisions.iter().for_each(|record| self.decision(record, now));
        commit.statuses.iter().for_each(|heard| self.status(heard));
    }

    /// What it was; and it begins anew.
    pub(super) fn look(&mut self) -> Tallied {
        Tallied {
            agents: std::mem::take(&mut self.agents),
            events: std::mem::take(&mut self.events),
            missed: std::mem::take(&mut self.missed),
        }
    }

    fn share(&mut self, agent: &AgentId) -> Option<&mut Share> {
        if self.agents.len() >= AGENTS_MAX && !self.agents.contains_key(agent) {
            return None;
        }
        Some(self.agents.entry(agent.clone()).or_default())
    }

    fn points(&mut self, points: &Points, now: Wall) {
        let Some(share) = self.share(&points.agent) else { return };
        share.stored += points.count();
        // A clock that was not set says nothing of how late its readings are.
        if points.time == Some(TimeFlag::Unset) {
            return;
        }
        for late in points.iter().map(|point| now.since(point.reading.ts())).filter(|late| *late <= LATEST) {
            share.latency.add(late);
        }
    }

    fn gaps(&mut self, progress: &StreamProgress, now: Wall) {
        let lost: u64 = progress.new_gaps.iter().map(|gap| gap.count()).sum();
        if lost == 0 {
            return;
        }
        if let Some(share) = self.share(&progress.agent) {
            share.gaps += lost;
        }
        let text = format!("{}: {lost} readings are lost: its queue was full, or damaged", progress.agent);
        self.event(Sort::Fault, &progress.agent, text, now);
    }

    fn decision(&mut self, record: &DecisionRecord, now: Wall) {
        let Some(share) = self.share(&record.agent) else { return };
        match record.fate {
            Fate::Outstanding => share.decisions += 1,
            Fate::Replaced | Fate::Expired => share.unanswered += 1,
            Fate::Acknowledged(_) => {
                share.acknowledged += 1;
                share.ack_max = share.ack_max.max(Some(now.since(record.decided)));
            }
        }
    }

    fn status(&mut self, heard: &AgentStatus) {
        let agent = &heard.agent;
        if heard.status.online {
            if self.offline.remove(agent) {
                self.event(Sort::Recovery, agent, format!("{agent} is back"), heard.heard);
            }
        } else if !self.offline.contains(agent) && self.offline.len() < AGENTS_MAX {
            self.offline.insert(agent.clone());
            self.event(Sort::Fault, agent, format!("{agent} is offline"), heard.heard);
        }
    }

    fn event(&mut self, sort: Sort, agent: &AgentId, text: String, at: Wall) {
        if self.events.len() < super::changes::EVENTS_MAX {
            self.events.push(Event { at, sort, agent: Some(agent.clone()), text });
        } else {
            self.missed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::delivery::ranges::Range;
    use fogline_protocol::ids::{Name, StreamId};
    use fogline_protocol::reading::{Readings, Value};
    use fogline_protocol::store::Progress;
    use fogline_protocol::wire::{Outcome, Status};
    use std::sync::Arc;

    const EPOCH_US: i64 = 1_700_000_000_000_000;

    fn at(ms: i64) -> Wall {
        Wall::from_us(EPOCH_US + ms * 1000)
    }

    fn agent() -> AgentId {
        AgentId { region: Name::new("north").unwrap(), agent: Name::new("r1").unwrap() }
    }

    fn points(ages_ms: &[i64], time: Option<TimeFlag>) -> Points {
        let mut readings = Readings::new();
        for age in ages_ms {
            readings.push(at(-age), "s", "road", &[("speed_kmh", Value::Number(1.0))]).unwrap();
        }
        let fresh = vec![Range::new(1, ages_ms.len() as u64)];
        let (stream, readings) = (StreamId::from_bits(7), Arc::new(readings));
        Points { agent: agent(), stream, clock: 0, time, first: 1, readings, fresh }
    }

    fn status(online: bool) -> AgentStatus {
        let status = Status {
            online,
            connection: (1, 1),
            ts_us: 0,
            queued: 0,
            queued_bytes: 0,
            oldest_us: None,
            dropped: 0,
            damaged: 0,
        };
        AgentStatus { agent: agent(), status, heard: at(0) }
    }

    #[test]
    fn readings_are_counted_and_only_true_ages_measured() {
        let mut tally = Tally::default();
        let late = points(&[100, 300, 4_000_000], None);
        let commit = Commit { points: vec![late, points(&[50_000], Some(TimeFlag::Unset))], ..Commit::default() };
        tally.take(&commit, at(0));
        let found = tally.look().agents.remove(&agent()).unwrap();
        assert_eq!(found.stored, 4);
        assert_eq!(found.latency.mean(), Some(Duration::from_millis(200)));
        assert_eq!(found.latency.max, Duration::from_millis(300));
        assert!(tally.look().agents.is_empty(), "once");
    }

    #[test]
    fn decisions_are_told_by_what_became_of_them() {
        let mut tally = Tally::default();
        let record = |fate, decided| DecisionRecord {
            agent: agent(),
            decision: fogline_protocol::wire::Decision {
                key: "limit".into(),
                term: fogline_protocol::ids::Term { counter: 1, ingester: Name::new("i").unwrap() },
                seq: 1,
                decided_us: 0,
                ttl_ms: 1,
                body: serde_json::Value::Null,
            },
            decided,
            fate,
            reason: None,
        };
        let applied = Fate::Acknowledged(Outcome::Applied);
        let decisions = vec![
            record(Fate::Outstanding, at(0)),
            record(applied, at(-20)),
            record(applied, at(-700)),
            record(Fate::Expired, at(0)),
        ];
        tally.take(&Commit { decisions, ..Commit::default() }, at(0));
        let found = tally.look().agents.remove(&agent()).unwrap();
        assert_eq!((found.decisions, found.acknowledged, found.unanswered), (1, 2, 1));
        assert_eq!(found.ack_max, Some(Duration::from_millis(700)));
    }

    #[test]
    fn gaps_and_last_wills_are_events_and_a_return_is_one() {
        let mut tally = Tally::default();
        let progress = StreamProgress {
            agent: agent(),
            stream: StreamId::from_bits(7),
            progress: Progress::default(),
            new_gaps: vec![Range::new(3, 7)],
        };
        let commit = Commit { progress: vec![progress], statuses: vec![status(false)], ..Commit::default() };
        tally.take(&commit, at(0));
        tally.take(&Commit { statuses: vec![status(false), status(true), status(true)], ..Commit::default() }, at(1));
        let found = tally.look();
        assert_eq!(found.agents[&agent()].gaps, 5);
        let sorts: Vec<_> = found.events.iter().map(|event| event.sort).collect();
        assert_eq!(sorts, [Sort::Fault, Sort::Fault, Sort::Recovery], "{:?}", found.events);
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut tally = Tally::default();
        for n in 0..=AGENTS_MAX {
            let agent = AgentId { agent: Name::new(&format!("a{n}")).unwrap(), ..agent() };
            let commit =
                Commit { statuses: vec![AgentStatus { agent: agent.clone(), ..status(false) }], ..Commit::default() };
            tally.take(&commit, at(0));
            tally.take(&Commit { points: vec![Points { agent, ..points(&[1], None) }], ..Commit::default() }, at(0));
        }
        let found = tally.look();
        assert_eq!((found.agents.len(), tally.offline.len()), (AGENTS_MAX, AGENTS_MAX));
        assert_eq!(found.events.len() + usize::try_from(found.missed).unwrap(), AGENTS_MAX);
    }
}
