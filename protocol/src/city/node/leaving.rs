//! A node leaves in order: everything that it has goes to disk before it is gone.

use super::{CityNode, NodeEffect};
use crate::time::{Monotonic, Now};
use crate::wire::Role;
use std::time::Duration;

/// How long the coordinator may take to acknowledge the last averages, before the node puts them into its own queue.
const HAND_OVER_WITHIN: Duration = Duration::from_millis(1500);
/// How long all of it may take. What is not on disk then is lost, as if the node had been killed.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How far it has come.
#[derive(Debug)]
pub(super) struct Leaving {
    /// From then on it puts its averages into its own queue.
    keeps_own_at: Monotonic,
    keeps_own: bool,
    ends_at: Monotonic,
    done: bool,
}

impl Leaving {
    pub(super) const fn keeps_own(&self) -> bool {
        self.keeps_own
    }

    pub(super) const fn next(&self) -> Option<Monotonic> {
        match (self.done, self.keeps_own) {
            (true, _) => None,
            (false, false) => Some(self.keeps_own_at),
            (false, true) => Some(self.ends_at),
        }
    }
}

impl CityNode {
    pub(super) fn begin_leaving(&mut self, now: Now) {
        if self.leaving.is_some() {
            return;
        }
        let (keeps_own_at, ends_at) = (now.mono + HAND_OVER_WITHIN, now.mono + LEAVE_WITHIN);
        // Without a coordinator there is nobody to wait for.
        let keeps_own = !self.connected || self.election.leader().is_none();
        let flushed = self.windows.flush(now.wall);
        self.keep(flushed);
        self.leaving = Some(Leaving { keeps_own_at, keeps_own, ends_at, done: false });
        let clients: Vec<_> = self.clients.names().cloned().collect();
        for client in clients {
            self.say_alive(client, Vec::new());
        }
        // The last averages of its own are in the last one over all nodes.
        self.take_own(now);
        self.end_interval(now, true);
    }

    /// Leaves when everything is on disk.
    pub(super) fn leave_on(&mut self, now: Now) {
        let Some(leaving) = &mut self.leaving else { return };
        if leaving.done {
            return;
        }
        if !leaving.keeps_own && (leaving.keeps_own_at <= now.mono || self.election.leader().is_none()) {
            leaving.keeps_own = true;
            self.take_own(now);
        }
        let Some(leaving) = &mut self.leaving else { return };
        let on_disk = self.kept.is_empty() && self.books.waiting() == 0;
        if !on_disk && leaving.ends_at > now.mono {
            return;
        }
        leaving.done = true;
        if self.election.role() == Role::Leading {
            // The successor is to know what it need not take again.
            self.say_global(None, Vec::new());
            self.election.stand_aside(Duration::ZERO, now.mono);
            self.follow_election(now);
        } else {
            self.say(Role::Leaving);
        }
        self.effects.push_back(NodeEffect::Left);
    }
}
