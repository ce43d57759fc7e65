//! Who is registered at the API: a node that it has forgotten registers again, and the coordinator removes those that are
//! silent, so that no sensor is sent to them.

use super::{CityNode, NodeEffect};
use crate::city::grid::{EdgeNode, NODES_MAX};
use crate::ids::Name;
use crate::time::Monotonic;
use crate::wire::Role;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the API is asked.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// A node that is silent for this long is removed.
const FORGET_AFTER: Duration = Duration::from_secs(15);

/// When each was heard, or seen at the API first.
#[derive(Debug)]
pub(super) struct Registered {
    heard: BTreeMap<Name, Monotonic>,
    next: Monotonic,
}

impl Registered {
    pub(super) const fn new(next: Monotonic) -> Self {
        Self { heard: BTreeMap::new(), next }
    }

    pub(super) const fn next(&self) -> Monotonic {
        self.next
    }

    /// True when the API is to be asked now.
    pub(super) fn is_due(&mut self, now: Monotonic) -> bool {
        let due = self.next <= now;
        if due {
            self.next = now + ASK_EVERY;
        }
        due
    }

    pub(super) fn heard(&mut self, node: &Name, now: Monotonic) {
        if let Some(heard) = self.heard.get_mut(node) {
            *heard = now;
        }
    }

    /// Nobody could be heard before.
    pub(super) fn connected(&mut self, now: Monotonic) {
        self.heard.values_mut().for_each(|heard| *heard = now);
    }
}

impl CityNode {
    pub(super) fn registered_nodes(&mut self, nodes: Vec<EdgeNode>, now: Monotonic) {
        if self.leaving.is_some() {
            return;
        }
        if !nodes.iter().any(|node| node.id == *self.me()) {
            self.effects.push_back(NodeEffect::Register);
        }
        self.registered.heard.retain(|known, _| nodes.iter().any(|node| node.id == *known));
        let others = nodes.into_iter().take(NODES_MAX).filter(|node| node.id != self.config.id.agent);
        let in_charge = self.election.role() == Role::Leading && self.connected;
        for node in others {
            let heard = *self.registered.heard.entry(node.id.clone()).or_insert(now);
            if in_charge && now.since(heard) >= FORGET_AFTER {
                self.effects.push_back(NodeEffect::Forget(node));
            }
        }
    }
}
