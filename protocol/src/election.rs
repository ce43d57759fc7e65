//! Who of several leads: a bully election (Garcia-Molina: "Elections in a Distributed Computing System", 1982) with a lease
//! and terms.
//!
//! Everybody says twice a second what it is. Who has not heard its leader for a lease claims the lead; of several claimants
//! the highest rank goes on, the others wait for it. A leader in charge is not deposed by a newcomer of higher rank.
//!
//! Messages may be lost, and whoever is cut off may lead too: an election is for liveness. Safety is in what leaders do:
//! each has a term of its own, and of two that hear each other the one with the lower term stands down.
//!
//! A *rival* is one that takes some of the same agents and not the same ones. It cannot stand in for this one; but while it leads
//! this one does not, and what was said of terms and claims holds between rivals too.

mod peers;
#[cfg(test)]
mod tests;

use crate::ids::{Name, Term};
use crate::time::Monotonic;
use crate::wire::Role;
use peers::Peers;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the words of an election count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// A leader that was not heard for this long leads no more. Default 3 s.
    pub lease: Duration,
    /// How often everybody says what it is. Default 500 ms: a lease outlives the loss of five.
    pub beat_every: Duration,
    /// How long a claim, or a newcomer's first beat, may take to be answered. Default 500 ms: from one to another and
    /// back over links of 100 ms each way. Over slower ones two may lead for a moment, until they hear each other.
    pub answer_within: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let ms = Duration::from_millis;
        Self { lease: ms(3000), beat_every: ms(500), answer_within: ms(500) }
    }
}

/// Who takes part, and with what weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name, unique among those that elect.
    pub name: Name,
    /// The highest leads, when several would; among equals the greatest name.
    pub rank: u32,
    /// How many brokers it may be connected to.
    pub brokers: u32,
    /// How long words count.
    pub timing: Timing,
}

/// What one says of itself to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// What it is.
    pub role: Role,
    /// Its term if it leads, else the highest that it has heard of; none at first.
    pub term: Option<Term>,
    /// Its weight: see [`Candidate::rank`].
    pub rank: u32,
    /// How many brokers it is connected to.
    pub reach: u32,
}

/// What an election asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ElectionEffect {
    /// Say what we are, on every broker.
    Say,
    /// Take the lead, in a term above this counter; answered by [`Election::took`].
    Take {
        /// The highest counter that was heard of.
        above: u64,
    },
    /// Say that we lead no more, of our own accord.
    Farewell,
    /// Lead no more.
    StandDown,
}

/// What one knows of the lead.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Standing {
    /// Listens, and claims when it has heard no leader until then.
    Joining { until: Monotonic },
    /// Has stood aside: until then others may lead without its objection.
    Resting { until: Monotonic },
    /// This one leads.
    Following { leader: Name, heard: Monotonic },
    /// Waits for those of higher rank to say that they would.
    Claiming { until: Monotonic },
    /// The lead is being taken.
    Taking,
    /// Leads. Since when another one reaches more brokers.
    Leading { outreached: Option<Monotonic> },
}

/// One participant.
#[derive(Debug)]
pub struct Election {
    me: Candidate,
    standing: Standing,
    peers: Peers,
    /// The own term while leading, else the highest that was heard of.
    term: Option<Term>,
    reach: u32,
    next_beat: Monotonic,
    effects: VecDeque<ElectionEffect>,
}

impl Election {
    /// A participant that has heard of nobody yet, and knows of terms up to `term`.
    #[must_use]
    pub fn new(me: Candidate, term: Option<Term>, now: Monotonic) -> Self {
        let standing = Standing::Joining { until: now + me.timing.lease };
        Self { me, standing, peers: Peers::default(), term, reach: 0, next_beat: now, effects: VecDeque::new() }
    }

    /// What it is.
    #[must_use]
    pub const fn role(&self) -> Role {
        match self.standing {
            Standing::Joining { .. } | Standing::Resting { .. } | Standing::Following { .. } => Role::StandingBy,
            Standing::Claiming { .. } | Standing::Taking => Role::Claiming,
            Standing::Leading { .. } => Role::Leading,
        }
    }

    /// Its own term if it leads, else the highest that it has heard of.
    #[must_use]
    pub const fn term(&self) -> Option<&Term> {
        self.term.as_ref()
    }

    /// Who leads, as far as it knows.
    #[must_use]
    pub const fn leader(&self) -> Option<&Name> {
        match &self.standing {
            Standing::Following { leader, .. } => Some(leader),
            Standing::Leading { .. } => Some(&self.me.name),
            Standing::Joining { .. } | Standing::Resting { .. } | Standing::Claiming { .. } | Standing::Taking => None,
        }
    }

    /// How many brokers it is connected to.
    #[must_use]
    pub const fn reach(&self) -> u32 {
        self.reach
    }

    /// Who else was heard within a lease, rivals left out.
    pub fn living(&self, now: Monotonic) -> impl Iterator<Item = &Name> {
        self.fellows(now).map(|(name, _)| name)
    }

    fn fellows(&self, now: Monotonic) -> impl Iterator<Item = (&Name, &peers::Peer)> {
        self.peers.living(now, self.me.timing.lease).filter(|(_, peer)| !peer.rival)
    }

    /// The rival because of which this one does not lead.
    #[must_use]
    pub fn waits_for(&self) -> Option<&Name> {
        match &self.standing {
            Standing::Following { leader, .. } if self.peers.is_rival(leader) => Some(leader),
            Standing::Following { .. }
            | Standing::Leading { .. }
            | Standing::Joining { .. }
            | Standing::Resting { .. }
            | Standing::Claiming { .. }
            | Standing::Taking => None,
        }
    }

    /// It is connected to so many brokers now.
    pub fn reaches(&mut self, brokers: u32, now: Monotonic) {
        let more = brokers > self.reach;
        self.reach = brokers;
        if !more {
            return;
        }
        self.say(now);
        if let Standing::Joining { until } = &mut self.standing {
            // Where not all brokers can be asked the leader may be at another one: it gets its lease's time.
            let all = brokers >= self.me.brokers;
            *until = now + if all { self.me.timing.answer_within } else { self.me.timing.lease };
        }
    }

    /// Another one said what it is.
    pub fn heard(&mut self, from: &Name, word: &Word, now: Monotonic) {
        self.heard_word(from, word, peers::Peer { heard: now, reach: word.reach, rival: false }, now);
    }

    /// A rival said what it is.
    pub fn heard_rival(&mut self, from: &Name, word: &Word, now: Monotonic) {
        self.heard_word(from, word, peers::Peer { heard: now, reach: word.reach, rival: true }, now);
    }

    fn heard_word(&mut self, from: &Name, word: &Word, peer: peers::Peer, now: Monotonic) {
        if *from == self.me.name || !self.peers.heard(from, peer) {
            return;
        }
        if word.term > self.term && !self.is_leading() {
            self.term.clone_from(&word.term);
        }
        match word.role {
            Role::Leading => self.heard_leader(from, word, now),
            Role::Claiming => self.heard_claim(from, word, now),
            Role::Leaving => self.heard_farewell(from, now),
            Role::StandingBy => self.answer_newcomer(word, now),
        }
    }

    fn heard_leader(&mut self, from: &Name, word: &Word, now: Monotonic) {
        match &mut self.standing {
            Standing::Leading { .. } if word.term > self.term => {
                self.term.clone_from(&word.term);
                self.effects.push_back(ElectionEffect::StandDown);
                self.follow(from, now);
            }
            // It hears our term at once, and stands down.
            Standing::Leading { .. } => self.say(now),
            // Two that lead find out by themselves. Until then the higher term counts.
            Standing::Following { leader, .. } if leader != from && word.term < self.term => {}
            Standing::Joining { .. }
            | Standing::Resting { .. }
            | Standing::Following { .. }
            | Standing::Claiming { .. } => self.follow(from, now),
            Standing::Taking => {}
        }
    }

    fn heard_claim(&mut self, from: &Name, word: &Word, now: Monotonic) {
        let wait = self.me.timing.answer_within * 2;
        let stronger = (word.rank, from) > (self.me.rank, &self.me.name);
        match &mut self.standing {
            Standing::Leading { .. } => self.say(now),
            Standing::Claiming { .. } | Standing::Joining { .. } if stronger => {
                self.standing = Standing::Joining { until: now + wait };
            }
            Standing::Joining { .. } => self.claim(now),
            // The weaker one hears our claim, or will; who has a leader keeps out of it.
            Standing::Claiming { .. } | Standing::Resting { .. } | Standing::Following { .. } | Standing::Taking => {}
        }
    }

    fn heard_farewell(&mut self, from: &Name, now: Monotonic) {
        if matches!(&self.standing, Standing::Following { leader, .. } if leader == from) {
            self.claim(now);
        }
    }

    /// Whoever does not know our term yet hears it at once.
    fn answer_newcomer(&mut self, word: &Word, now: Monotonic) {
        if self.is_leading() && word.term != self.term {
            self.say(now);
        }
    }

    /// The lead was taken in this term, or could not be: then others have their turn first.
    pub fn took(&mut self, term: Option<Term>, now: Monotonic) {
        if self.standing != Standing::Taking {
            return;
        }
        match term {
            Some(term) => {
                self.term = Some(term);
                self.standing = Standing::Leading { outreached: None };
            }
            None => self.standing = Standing::Resting { until: now + self.me.timing.lease },
        }
        self.say(now);
    }

    /// The own term was raised, because somebody has heard of a higher one.
    pub fn raised(&mut self, term: &Term) {
        if self.is_leading() && Some(term) > self.term.as_ref() {
            self.term = Some(term.clone());
        }
    }

    /// It cannot do what a leader has to, or stops: the others have their turn for at least `pause`. Without effect on one
    /// that does not lead.
    pub fn stand_aside(&mut self, pause: Duration, now: Monotonic) {
        if self.is_leading() {
            self.standing = Standing::Resting { until: now + pause.max(self.me.timing.lease) };
            self.effects.extend([ElectionEffect::Farewell, ElectionEffect::StandDown]);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        if self.next_beat <= now && self.reach > 0 {
            self.say(now);
        }
        match self.standing {
            Standing::Joining { until } | Standing::Resting { until } if until <= now => self.joined(now),
            Standing::Following { heard, .. } if heard + self.me.timing.lease <= now => self.claim(now),
            Standing::Claiming { until } if until <= now => self.take(),
            Standing::Leading { .. } => self.compare_reach(now),
            Standing::Joining { .. }
            | Standing::Resting { .. }
            | Standing::Following { .. }
            | Standing::Claiming { .. }
            | Standing::Taking => {}
        }
    }

    /// No leader was heard. Who is alone need not ask twice.
    fn joined(&mut self, now: Monotonic) {
        if self.reach == 0 {
            self.standing = Standing::Joining { until: now + self.me.timing.lease };
        } else if self.peers.living(now, self.me.timing.lease).next().is_none() {
            self.take();
        } else {
            self.claim(now);
        }
    }

    /// A leader that reaches fewer brokers than another one leaves agents without an ingester. It may be for a moment only,
    /// so that it counts after a lease.
    fn compare_reach(&mut self, now: Monotonic) {
        let lease = self.me.timing.lease;
        let outreached = self.fellows(now).any(|(_, peer)| peer.reach > self.reach);
        let Standing::Leading { outreached: since } = &mut self.standing else { return };
        if !outreached {
            *since = None;
        } else if since.get_or_insert(now).us() + u64::try_from(lease.as_micros()).unwrap_or(u64::MAX) <= now.us() {
            self.stand_aside(lease, now);
        }
    }

    fn claim(&mut self, now: Monotonic) {
        if self.reach == 0 {
            self.standing = Standing::Joining { until: now + self.me.timing.lease };
            return;
        }
        self.standing = Standing::Claiming { until: now + self.me.timing.answer_within };
        self.say(now);
    }

    fn take(&mut self) {
        self.standing = Standing::Taking;
        let above = self.term.as_ref().map_or(0, |term| term.counter);
        self.effects.push_back(ElectionEffect::Take { above });
    }

    fn follow(&mut self, leader: &Name, now: Monotonic) {
        self.standing = Standing::Following { leader: leader.clone(), heard: now };
    }

    fn say(&mut self, now: Monotonic) {
        self.next_beat = now + self.me.timing.beat_every;
        if self.reach > 0 && self.effects.back() != Some(&ElectionEffect::Say) {
            self.effects.push_back(ElectionEffect::Say);
        }
    }

    const fn is_leading(&self) -> bool {
        matches!(self.standing, Standing::Leading { .. })
    }

    /// What to do next.
    pub fn poll_effect(&mut self) -> Option<ElectionEffect> {
        self.effects.pop_front()
    }

    /// When [`Self::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let standing = match &self.standing {
            Standing::Joining { until } | Standing::Resting { until } | Standing::Claiming { until } => Some(*until),
            Standing::Following { heard, .. } => Some(*heard + self.me.timing.lease),
            Standing::Taking | Standing::Leading { .. } => None,
        };
        // A beat that nobody can hear is no reason to wake up.
        let beat = (self.reach > 0).then_some(self.next_beat);
        standing.into_iter().chain(beat).min()
    }
}
