//! What other ingesters say.

use super::{SiteEffect, SiteNode};
use crate::ids::Name;
use crate::realm::Realm;
use crate::time::{Monotonic, Now};
use crate::topic::{Forum, Peer, Topic};
use crate::wire::{Ask, Beat, Log, Message, Role};
use std::time::Duration;

/// A broker at which another one was not heard for this long is not the way to it any more.
const STALE_AFTER: Duration = Duration::from_millis(1500);

/// Through which broker to speak to another one: always the same, while it is heard there, so that nothing overtakes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) broker: usize,
    heard: Monotonic,
}

impl Route {
    pub(super) const fn new(broker: usize, now: Monotonic) -> Self {
        Self { broker, heard: now }
    }

    pub(super) fn heard(&mut self, broker: usize, now: Monotonic) {
        if broker == self.broker || now.since(self.heard) > STALE_AFTER {
            *self = Self::new(broker, now);
        }
    }
}

/// True of topics that only ingesters write. Looked at for each message of an agent too: it must cost nothing.
pub(super) fn is_of_peers(topic: &str) -> bool {
    topic.split('/').nth(3) == Some("ingest")
}

impl SiteNode {
    pub(super) fn peer_said(&mut self, broker: usize, topic: &str, payload: &[u8], now: Now) {
        let Ok(Topic::Ingest(forum, from, channel)) = Topic::parse(topic) else {
            return self.refuse("topic");
        };
        let at_home = forum == self.config.realm.home();
        if from == self.config.cloud.ingester || (!at_home && channel != Peer::Beat) {
            return;
        }
        let understood = match channel {
            Peer::Beat => Beat::decode(payload).map(|beat| self.heard_beat(broker, &forum, &from, &beat, now)),
            Peer::Log => Log::decode(payload).map(|log| self.following.heard(&from, log, now.mono)),
            Peer::Ask => Ask::decode(payload).map(|ask| self.asked(broker, from, ask)),
        };
        if let Err(error) = understood {
            self.refuse(error.reason());
        }
        self.adopt_rows();
    }

    /// Counted where it is seen: by the node while it leads.
    fn refuse(&mut self, reason: &'static str) {
        match &mut self.lead {
            Some(lead) => lead.node.count_refusal(reason),
            None => self.counters.refuse(reason),
        }
    }

    fn heard_beat(&mut self, broker: usize, forum: &Forum, from: &Name, beat: &Beat, now: Now) {
        let stated = match (&beat.realm, forum) {
            (Some(realm), _) => Some(realm.clone()),
            (None, Forum::Region(region)) => Some(Realm::region(region.clone())),
            (None, Forum::Everywhere) => Some(Realm::Everywhere),
            (None, Forum::Share(_)) => None,
        };
        let Some(realm) = stated else { return self.refuse("value") };
        if realm == self.config.realm {
            // In each region that they take they say it: once is enough.
            if self.config.realm.beat_forums().first() == Some(forum) {
                self.heard_fellow(broker, from, beat, now);
            }
        } else if realm.is_rival_of(&self.config.realm) {
            self.rivals.heard(from, realm, now.mono, self.config.timing.lease);
            self.election.heard_rival(from, &beat.word(), now.mono);
        }
    }

    /// One of the same realm.
    fn heard_fellow(&mut self, broker: usize, from: &Name, beat: &Beat, now: Now) {
        self.rivals.is_fellow(from);
        if beat.store != self.config.store {
            return self.other_store(from, beat);
        }
        self.settled |= beat.role == Role::Leading;
        self.election.heard(from, &beat.word(), now.mono);
        if let Some(lead) = &mut self.lead {
            lead.heard_follower(broker, from, beat, now.mono);
        }
        if beat.role == Role::Leading && self.election.leader() == Some(from) {
            self.following.heard_leader(broker, from, beat, self.config.keeping, now.mono);
        }
    }

    /// Readings of one region in two stores, and progress that speaks of both: nobody could say what is stored. Whoever
    /// starts beside one that is at work gives way; of two that start, the weaker.
    fn other_store(&mut self, from: &Name, beat: &Beat) {
        let stronger = (beat.rank, from) > (self.config.rank, &self.config.cloud.ingester);
        if !self.settled && (beat.role == Role::Leading || stronger) {
            self.settled = true;
            self.effects.push_back(SiteEffect::Conflict { peer: from.clone(), store: beat.store.clone() });
        }
    }
}
