//! Acknowledgements that wait: a billing reading is acknowledged only once one that stands by has its bill too.

use super::CloudNode;
use crate::ids::{AgentId, StreamId};
use crate::store::{Commit, Progress, StreamProgress};
use crate::wire::StreamAck;
use std::collections::{BTreeMap, VecDeque};

/// The most commits that one stream waits for apart; later ones wait together.
const WAITING_MAX: usize = 64;

/// What may be said of a stream, and what may be said once a commit is kept elsewhere too.
#[derive(Debug)]
struct Held {
    said: Progress,
    waits: VecDeque<(u64, Progress)>,
}

/// The streams whose progress is not said whole.
#[derive(Debug, Default)]
pub(super) struct Withheld {
    /// Somebody stands by who will say what it keeps.
    standby: bool,
    streams: BTreeMap<(AgentId, StreamId), Held>,
}

impl Withheld {
    /// A commit is in the store. `before` is what was written of the stream until then.
    pub(super) fn committed(&mut self, commit: &Commit, change: &StreamProgress, before: impl FnOnce() -> Progress) {
        let key = (change.agent.clone(), change.stream);
        let waits = self.standby && has_bills(commit, &change.agent);
        if !waits && !self.streams.contains_key(&key) {
            return;
        }
        let held = self.streams.entry(key).or_insert_with(|| Held { said: before(), waits: VecDeque::new() });
        if held.waits.len() >= WAITING_MAX {
            held.waits.pop_back();
        }
        held.waits.push_back((commit.id, change.progress.clone()));
    }

    /// Leaves out of an acknowledgement what must wait.
    pub(super) fn hold_back(&self, id: &AgentId, streams: &mut [StreamAck]) {
        if self.streams.is_empty() {
            return;
        }
        for ack in streams {
            if let Some(held) = self.streams.get(&(id.clone(), ack.stream)) {
                let Progress { through, ranges } = held.said.clone();
                (ack.through, ack.ranges) = (through, ranges);
            }
        }
    }

    /// Whether somebody stands by who will say what it keeps.
    pub(super) const fn has_standby(&self) -> bool {
        self.standby
    }

    /// How many streams wait.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Who waits.
    pub(super) fn agents(&self) -> impl Iterator<Item = &AgentId> {
        self.streams.keys().map(|(agent, _)| agent)
    }

    /// All commits up to this one are kept elsewhere too. Gives whom to tell.
    fn kept(&mut self, commit: u64) -> Vec<AgentId> {
        let mut told = Vec::new();
        self.streams.retain(|(agent, _), held| {
            while held.waits.front().is_some_and(|(id, _)| *id <= commit)
                && let Some((_, progress)) = held.waits.pop_front()
            {
                held.said = progress;
                told.push(agent.clone());
            }
            !held.waits.is_empty()
        });
        told
    }
}

fn has_bills(commit: &Commit, agent: &AgentId) -> bool {
    let is_of = |owner: &crate::store::Owner| owner.region == agent.region && owner.agent == agent.agent;
    commit.bills.stays.iter().any(|stay| is_of(&stay.owner))
        || commit.bills.clarifications.iter().any(|clarification| is_of(&clarification.owner))
}

impl CloudNode {
    /// Whether somebody stands by that keeps a ledger of its own and says how far: without, nothing has to wait.
    pub(in crate::node) fn stands_by(&mut self, standby: bool) {
        if self.withheld.standby && !standby {
            self.kept_elsewhere(u64::MAX);
        }
        self.withheld.standby = standby;
    }

    /// All that commits up to this one changed is kept by one that stands by.
    pub(in crate::node) fn kept_elsewhere(&mut self, commit: u64) {
        self.withheld.kept(commit).iter().for_each(|agent| self.agents.owe_ack(agent));
        self.say_directed(commit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;
    use crate::store::{Bills, Clarification, Unclear};

    fn agent() -> AgentId {
        AgentId { region: Name::new("city").unwrap(), agent: Name::new("garages").unwrap() }
    }

    fn commit(id: u64, bill: bool) -> Commit {
        let clarification = Clarification {
            owner: (&agent()).into(),
            garage: "east".to_owned(),
            stream: StreamId::from_bits(1),
            seq: 1,
            what: Unclear::SecondEntry,
            ts_us: 0,
            plate: String::new(),
            plate_hash: String::new(),
        };
        let bills = Bills { stays: Vec::new(), clarifications: bill.then_some(clarification).into_iter().collect() };
        Commit { id, bills, ..Commit::default() }
    }

    fn said(withheld: &Withheld) -> u64 {
        let mut acks = [StreamAck { stream: StreamId::from_bits(1), through: 99, ranges: Vec::new() }];
        withheld.hold_back(&agent(), &mut acks);
        acks[0].through
    }

    #[test]
    fn a_bill_is_acknowledged_when_it_is_kept_elsewhere_and_nothing_after_it_earlier() {
        let mut withheld = Withheld { standby: true, ..Withheld::default() };
        let commit = |withheld: &mut Withheld, id, bill, through| {
            let progress = Progress { through, ranges: Vec::new() };
            let change =
                StreamProgress { agent: agent(), stream: StreamId::from_bits(1), progress, new_gaps: Vec::new() };
            withheld.committed(&commit(id, bill), &change, || Progress { through: through - 1, ranges: Vec::new() });
        };
        commit(&mut withheld, 1, false, 10);
        assert_eq!(said(&withheld), 99, "no bill");
        commit(&mut withheld, 2, true, 11);
        commit(&mut withheld, 3, false, 12);
        assert_eq!((said(&withheld), withheld.kept(1).len()), (10, 0));
        assert_eq!((withheld.kept(2), said(&withheld)), (vec![agent()], 11));
        assert_eq!((withheld.kept(9).len(), said(&withheld)), (1, 99));
        withheld.standby = false;
        commit(&mut withheld, 4, true, 13);
        assert_eq!(said(&withheld), 99, "a leader that is alone waits for nobody");
    }

    #[test]
    fn many_commits_wait_together() {
        let mut withheld = Withheld { standby: true, ..Withheld::default() };
        for id in 1..=200 {
            let progress = Progress { through: id, ranges: Vec::new() };
            let change =
                StreamProgress { agent: agent(), stream: StreamId::from_bits(1), progress, new_gaps: Vec::new() };
            withheld.committed(&commit(id, true), &change, Progress::default);
        }
        assert_eq!(withheld.streams.values().next().unwrap().waits.len(), WAITING_MAX);
        assert_eq!((withheld.kept(199).len(), said(&withheld)), (63, 63));
    }
}
