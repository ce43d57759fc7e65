//! Who else was heard.

use crate::ids::Name;
use crate::time::Monotonic;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most that are remembered: a realm has two ingesters and few rivals, a city some twenty-five nodes.
const PEERS_MAX: usize = 64;

/// One that was not heard for this long gives its place to another.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    pub(super) heard: Monotonic,
    pub(super) reach: u32,
    /// It takes some of the same agents, and not the same ones.
    pub(super) rival: bool,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Peers(BTreeMap<Name, Peer>);

impl Peers {
    /// Notes that one was heard. False when there is no room for one more.
    pub(super) fn heard(&mut self, from: &Name, peer: Peer) -> bool {
        let now = peer.heard;
        if self.0.len() >= PEERS_MAX && !self.0.contains_key(from) {
            self.0.retain(|_, peer| now.since(peer.heard) < FORGET_AFTER);
            if self.0.len() >= PEERS_MAX {
                return false;
            }
        }
        self.0.insert(from.clone(), peer);
        true
    }

    /// Whether this one takes some of the same agents only.
    pub(super) fn is_rival(&self, name: &Name) -> bool {
        self.0.get(name).is_some_and(|peer| peer.rival)
    }

    /// Those heard within `lease`.
    pub(super) fn living(&self, now: Monotonic, lease: Duration) -> impl Iterator<Item = (&Name, &Peer)> {
        self.0.iter().filter(move |(_, peer)| now.since(peer.heard) < lease)
    }
}
