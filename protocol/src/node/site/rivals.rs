//! Ingesters that take some of the same agents, and not the same ones: only one of them may lead.

use super::SiteNode;
use crate::ids::Name;
use crate::realm::Realm;
use crate::time::Monotonic;
use std::collections::BTreeMap;
use std::time::Duration;

/// As many as an election remembers: one is already a mistake that somebody has to mend.
const RIVALS_MAX: usize = 64;

/// Those that were heard lately, and what they take.
#[derive(Debug, Default)]
pub(super) struct Rivals(BTreeMap<Name, (Realm, Monotonic)>);

impl Rivals {
    pub(super) fn heard(&mut self, from: &Name, realm: Realm, now: Monotonic, lease: Duration) {
        if self.0.len() >= RIVALS_MAX {
            self.0.retain(|_, (_, heard)| now.since(*heard) < lease);
        }
        if self.0.len() < RIVALS_MAX || self.0.contains_key(from) {
            self.0.insert(from.clone(), (realm, now));
        }
    }

    /// It takes the same agents now.
    pub(super) fn is_fellow(&mut self, name: &Name) {
        self.0.remove(name);
    }

    /// Those heard within `lease`, by name.
    pub(super) fn living(&self, now: Monotonic, lease: Duration) -> impl Iterator<Item = (&Name, &Realm)> {
        let lives = move |(_, (_, heard)): &(&Name, &(Realm, Monotonic))| now.since(*heard) < lease;
        self.0.iter().filter(lives).map(|(name, (realm, _))| (name, realm))
    }
}

impl SiteNode {
    /// Those heard within a lease, and what each takes.
    pub(super) fn living_rivals(&self, now: Monotonic) -> impl Iterator<Item = (&Name, &Realm)> {
        self.rivals.living(now, self.config.timing.lease)
    }
}
