//! An ingester of a realm that may have others: it leads, or it stands by.
//!
//! While it leads a [`CloudNode`] takes readings and decides; the node is made when the store was taken over, and gone when
//! another one leads. Around it are the [`Election`], the log that the leader writes for its followers, and the follower's
//! side of that.

mod following;
mod interface;
mod leading;
mod logging;
mod peers;
mod pieces;
mod rivals;
mod snapshot;
mod standby;

pub use interface::{Keeping, SiteConfig, SiteEffect, SiteInput};
pub use snapshot::SiteSnapshot;

use super::cloud::Counters;
use super::{CloudInput, CloudTuning, Machine, Publish};
use crate::election::{Candidate, Election, ElectionEffect};
use crate::rng::Rng;
use crate::store::{StoreAnswer, StoreCommand, TakeOver};
use crate::time::{Monotonic, Now};
use crate::topic::{Forum, Peer, Topic, region_of};
use crate::window::DECISION_WIDTH_S;
use crate::wire::{Beat, Message, Role};
use following::Following;
use leading::Lead;
use rivals::Rivals;
use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

/// A leader whose store does not answer for this long lets another one try, if there is one.
const STORE_PATIENCE: Duration = Duration::from_secs(10);
/// For how long, at first: doubled each time...
const ASIDE_FIRST: Duration = Duration::from_secs(10);
/// ...up to here.
const ASIDE_LONGEST: Duration = Duration::from_secs(300);

/// The machine.
#[derive(Debug)]
pub struct SiteNode {
    config: SiteConfig,
    election: Election,
    /// The run that asked to take over, until the store has answered.
    taking: Option<u64>,
    lead: Option<Lead>,
    following: Following,
    rivals: Rivals,
    connected: BTreeSet<usize>,
    runs: Rng,
    /// What was counted in earlier leads.
    counters: Counters,
    /// Messages of agents of other regions.
    others: u64,
    leads: u64,
    aside: Duration,
    /// It has led or followed: what it is told by others does not end it any more.
    settled: bool,
    leaving: bool,
    effects: VecDeque<SiteEffect>,
}

impl SiteNode {
    /// An ingester that knows of nobody yet.
    #[must_use]
    pub fn new(config: SiteConfig, now: Now) -> Self {
        let me = Candidate {
            name: config.cloud.ingester.clone(),
            rank: config.rank,
            brokers: u32::try_from(config.brokers).unwrap_or(u32::MAX),
            timing: config.timing,
        };
        Self {
            election: Election::new(me, None, now.mono),
            taking: None,
            lead: None,
            following: Following::default(),
            rivals: Rivals::default(),
            connected: BTreeSet::new(),
            runs: Rng::new(config.cloud.run),
            counters: Counters::default(),
            others: 0,
            leads: 0,
            aside: ASIDE_FIRST,
            settled: false,
            leaving: false,
            effects: VecDeque::new(),
            config,
        }
    }

    /// In this lead and in later ones.
    const fn tune(&mut self, tuning: CloudTuning) {
        self.config.cloud.tune(tuning);
        if let Some(lead) = &mut self.lead {
            lead.node.tune(tuning);
        }
    }

    /// Leads no more and will not again: what is at the store is waited for, what followers lack is said to them.
    pub fn leave(&mut self, now: Now) {
        self.leaving = true;
        self.advance(now);
    }

    /// After [`Self::leave`]: nothing is waited for any more.
    #[must_use]
    pub const fn has_left(&self) -> bool {
        self.leaving && self.lead.is_none()
    }

    fn connected(&mut self, broker: usize, now: Now) {
        self.connected.insert(broker);
        self.reaches(now.mono);
        if let Some(lead) = &mut self.lead {
            lead.node.handle(CloudInput::Connected { broker }, now);
        }
    }

    fn disconnected(&mut self, broker: usize, now: Now) {
        self.connected.remove(&broker);
        self.reaches(now.mono);
        if let Some(lead) = &mut self.lead {
            lead.node.handle(CloudInput::Disconnected { broker }, now);
        }
    }

    fn reaches(&mut self, now: Monotonic) {
        self.election.reaches(u32::try_from(self.connected.len()).unwrap_or(u32::MAX), now);
    }

    fn message(&mut self, broker: usize, topic: String, payload: bytes::Bytes, now: Now) {
        if peers::is_of_peers(&topic) {
            self.peer_said(broker, &topic, &payload, now);
        } else if region_of(&topic).is_some_and(|region| !self.config.realm.takes(region)) {
            // Before anything is decoded: to one of many shares it is most of what comes.
            self.others += 1;
        } else if let Some(lead) = self.lead.as_mut().filter(|_| !self.leaving) {
            lead.node.handle(CloudInput::Message { broker, topic, payload }, now);
        }
    }

    fn store_answered(&mut self, answer: StoreAnswer, now: Now) {
        match answer {
            StoreAnswer::TakenOver(run, result) => {
                if self.taking.take_if(|taking| *taking == run).is_some() {
                    self.taken_over(run, result, now);
                }
            }
            StoreAnswer::Adopted(result) => {
                if self.following.adopted(&result, now.mono) {
                    self.say(self.election.role(), now.mono);
                }
            }
            StoreAnswer::Exported(result) => self.exported(result),
            answer @ (StoreAnswer::Committed(..) | StoreAnswer::Recalled(..)) => self.lead_answered(answer, now),
        }
    }

    /// Starts whatever may be started now.
    fn advance(&mut self, now: Now) {
        self.mind_store(now.mono);
        self.mind_leaving(now.mono);
        while let Some(effect) = self.election.poll_effect() {
            match effect {
                ElectionEffect::Say => self.say(self.election.role(), now.mono),
                ElectionEffect::Farewell => self.say(Role::Leaving, now.mono),
                ElectionEffect::Take { above } => self.take_over(above, now),
                ElectionEffect::StandDown => self.stand_down(),
            }
        }
        if let Some(lead) = &mut self.lead {
            lead.mind_standby(now.mono);
        }
        self.start_leads_effects();
        self.write_log(now.mono);
        self.ask_leader(now.mono);
    }

    fn take_over(&mut self, above: u64, now: Now) {
        if self.leaving {
            return self.election.took(None, now.mono);
        }
        let run = self.runs.next_u64();
        self.taking = Some(run);
        let open = self.config.cloud.grace + Duration::from_secs(u64::from(DECISION_WIDTH_S));
        let take = TakeOver { run, above, since: now.wall - open };
        self.effects.push_back(SiteEffect::Store(StoreCommand::TakeOver(take)));
    }

    fn say(&mut self, role: Role, now: Monotonic) {
        let beat = Beat {
            role,
            term: self.election.term().cloned(),
            rank: self.config.rank,
            reach: self.election.reach(),
            realm: Some(self.config.realm.clone()),
            store: self.config.store.clone(),
            log: self.lead.as_ref().and_then(Lead::log_place),
            in_step: self.following.in_step(now),
            keeps: self.following.keeps(),
        };
        let payload = beat.encode();
        for forum in self.config.realm.beat_forums() {
            self.publish_everywhere(&forum, Peer::Beat, &payload);
        }
    }

    fn publish_everywhere(&mut self, forum: &Forum, channel: Peer, payload: &[u8]) {
        let brokers: Vec<usize> = self.connected.iter().copied().collect();
        brokers.into_iter().for_each(|broker| self.publish_at(forum, broker, channel, payload.to_vec()));
    }

    /// To those of the same realm.
    fn publish(&mut self, broker: usize, channel: Peer, payload: Vec<u8>) {
        self.publish_at(&self.config.realm.home(), broker, channel, payload);
    }

    fn publish_at(&mut self, forum: &Forum, broker: usize, channel: Peer, payload: Vec<u8>) {
        if self.connected.contains(&broker) {
            let topic = Topic::Ingest(forum.clone(), self.config.cloud.ingester.clone(), channel);
            let publish = Publish { topic: topic.to_string(), payload, retain: false };
            self.effects.push_back(SiteEffect::Publish { broker, publish });
        }
    }
}

impl Machine for SiteNode {
    type Input = SiteInput;
    type Effect = SiteEffect;

    fn handle(&mut self, input: SiteInput, now: Now) {
        match input {
            SiteInput::Connected { broker } => self.connected(broker, now),
            SiteInput::Disconnected { broker } => self.disconnected(broker, now),
            SiteInput::Message { broker, topic, payload } => self.message(broker, topic, payload, now),
            SiteInput::Store(answer) => self.store_answered(answer, now),
            SiteInput::Direct { ticket, change } => self.direct(ticket, change, now),
            SiteInput::Tune(tuning) => self.tune(tuning),
        }
        self.advance(now);
    }

    fn handle_timeout(&mut self, now: Now) {
        self.election.handle_timeout(now.mono);
        if let Some(lead) = &mut self.lead {
            lead.node.handle_timeout(now);
        }
        self.advance(now);
    }

    fn poll_effect(&mut self) -> Option<SiteEffect> {
        self.effects.pop_front()
    }

    fn poll_timeout(&self) -> Option<Monotonic> {
        let lead = self.lead.as_ref().and_then(Lead::poll_timeout);
        let following = self.following.poll_timeout().filter(|_| self.lead.is_none());
        self.election.poll_timeout().into_iter().chain(lead).chain(following).min()
    }
}
