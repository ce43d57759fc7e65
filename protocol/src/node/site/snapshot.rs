//! What an ingester can tell of its place among others.

use super::{Keeping, SiteNode};
use crate::ids::{Name, Term};
use crate::node::CloudSnapshot;
use crate::realm::Realm;
use crate::time::Monotonic;
use crate::wire::Role;
use std::collections::BTreeMap;

/// An ingester at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSnapshot {
    /// What it is among those of its realm.
    pub role: Role,
    /// Who leads, as far as it knows.
    pub leader: Option<Name>,
    /// Its term if it leads, else the highest that it has heard of.
    pub term: Option<Term>,
    /// The brokers that it is connected to, by their places in the list.
    pub connected: Vec<usize>,
    /// Whose agents it takes while it leads.
    pub realm: Realm,
    /// Others of its realm that were heard within a lease.
    pub peers: Vec<Name>,
    /// Others that were heard within a lease and take some of the same agents, and not the same ones: with what they take.
    pub rivals: Vec<(Name, Realm)>,
    /// The rival that leads, because of which this one does not.
    pub waits_for: Option<Name>,
    /// Messages of agents of other regions, which came and were left to others.
    pub others: u64,
    /// It could take over without loss: it follows its leader's log without a hole, or shares its state.
    pub in_step: bool,
    /// Others that could.
    pub followers_in_step: usize,
    /// Whether another one keeps the ledger of the garages too, so that bills outlive this one; none while it does not lead.
    pub standby: Option<bool>,
    /// How often it took the lead since its start.
    pub leads: u64,
    /// What it does as a leader; while it stands by only what was counted before.
    pub cloud: CloudSnapshot,
}

impl SiteNode {
    /// The ingester now.
    #[must_use]
    pub fn snapshot(&self, now: Monotonic) -> SiteSnapshot {
        SiteSnapshot {
            role: self.election.role(),
            leader: self.election.leader().cloned(),
            term: self.election.term().cloned(),
            connected: self.connected.iter().copied().collect(),
            realm: self.config.realm.clone(),
            rivals: self.living_rivals(now).map(|(name, realm)| (name.clone(), realm.clone())).collect(),
            waits_for: self.election.waits_for().cloned(),
            others: self.others,
            peers: self.election.living(now).cloned().collect(),
            in_step: self.following.in_step(now),
            followers_in_step: self.lead.as_ref().map_or(0, |lead| lead.followers_in_step(now)),
            standby: self.lead.as_ref().map(|lead| match self.config.keeping {
                Keeping::Apart => lead.standbys(now) > 0,
                // They keep it in one place: who lives can go on with it.
                Keeping::Together => self.election.living(now).next().is_some(),
            }),
            leads: self.leads,
            cloud: self.cloud_snapshot(),
        }
    }

    fn cloud_snapshot(&self) -> CloudSnapshot {
        if let Some(lead) = &self.lead {
            return lead.node.snapshot();
        }
        CloudSnapshot {
            connected: !self.connected.is_empty(),
            term: self.election.term().cloned(),
            agents: 0,
            at_brokers: BTreeMap::new(),
            active: 0,
            credit: 0,
            held_bytes: 0,
            outstanding: 0,
            withheld: 0,
            inside: 0,
            store_down: None,
            counters: self.counters.clone(),
        }
    }
}
