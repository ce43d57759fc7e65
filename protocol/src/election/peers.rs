//! Who else was heard.

use crate::ids::Name;
use crate::time::Monotonic;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most that are remembered: a region has two ingesters, a city some twenty-five nodes.
const PEERS_MAX: usize = 64;

/// One that was not heard for this long gives its place to another.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) heard: Monotonic,
    pub(super) reach: u32,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<Name, Peer>);

impl Peers {
    /// Notes that one was heard. False when there is no room for one more.
    pub(super) fn heard(&mut self, from: &Name, reach: u32, now: Monotonic) -> bool {
        if self.0.len() >= PEERS_MAX && !self.0.contains_key(from) {
            self.0.retain(|_, peer| now.since(peer.heard) < FORGET_AFTER);
            if self.0.len() >= PEERS_MAX {
                return false;
            }
        }
        self.0.insert(from.clone(), Peer { heard: now, reach });
        true
    }

    /// Those heard within `lease`.
    pub(super) fn living(&self, now: Monotonic, lease: Duration) -> impl Iterator<Item = (&Name, &Peer)> {
        self.0.iter().filter(move |(_, peer)| now.since(peer.heard) < lease)
    }
}
