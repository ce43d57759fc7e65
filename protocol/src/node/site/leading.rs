//! Leading: the node that takes readings, from the takeover to its end.

use super::logging::LogWriter;
use super::{ASIDE_FIRST, ASIDE_LONGEST, Keeping, STORE_PATIENCE, SiteEffect, SiteNode};
use crate::directive::{DirectiveChange, DirectiveRefusal};
use crate::ids::Name;
use crate::node::{CloudEffect, CloudInput, CloudNode, Machine as _};
use crate::store::{Commit, Recovered, StoreAnswer, StoreCommand, StoreFault};
use crate::time::{Monotonic, Now};
use crate::wire::{Beat, LogPlace};
use std::sync::Arc;

/// A lead.
#[derive(Debug)]
pub(super) struct Lead {
    pub(super) node: CloudNode,
    /// The commit at the store.
    pub(super) asked: Option<Arc<Commit>>,
    /// Since when the store does not do what it is asked for.
    store_down: Option<Monotonic>,
    /// For followers, if they need it.
    pub(super) log: Option<LogWriter>,
}

impl Lead {
    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        let log = self.log.as_ref().and_then(LogWriter::poll_timeout);
        let patience = self.store_down.map(|since| since + STORE_PATIENCE);
        self.node.poll_timeout().into_iter().chain(log).chain(patience).min()
    }

    pub(super) fn log_place(&self) -> Option<LogPlace> {
        self.log.as_ref().map(LogWriter::place)
    }

    pub(super) fn heard_follower(&mut self, broker: usize, from: &Name, beat: &Beat, now: Monotonic) {
        if let Some(log) = &mut self.log {
            log.heard(broker, from, beat.in_step, now);
        }
        self.follower_keeps(beat);
        self.mind_standby(now);
    }

    pub(super) fn followers_in_step(&self, now: Monotonic) -> usize {
        self.log.as_ref().map_or(0, |log| log.in_step(now))
    }

    /// How many followers would keep the bills of this leader.
    pub(super) fn standbys(&self, now: Monotonic) -> usize {
        self.log.as_ref().map_or(0, |log| log.standbys(now))
    }

    fn answered(&mut self, answer: &StoreAnswer, now: Monotonic) {
        let failed = match answer {
            StoreAnswer::Committed(_, result) => result.is_err(),
            StoreAnswer::Recalled(_, _, result) => result.is_err(),
            StoreAnswer::TakenOver(..) | StoreAnswer::Exported(_) | StoreAnswer::Adopted(_) => return,
        };
        self.store_down = failed.then(|| self.store_down.unwrap_or(now));
        if let StoreAnswer::Committed(id, Ok(_)) = answer
            && let Some(commit) = self.asked.take_if(|commit| commit.id == *id)
            && let Some(log) = &mut self.log
        {
            log.committed(&commit);
        }
    }
}

impl SiteNode {
    pub(super) fn taken_over(&mut self, run: u64, result: Result<Recovered, StoreFault>, now: Now) {
        let Ok(mut recovered) = result else { return self.election.took(None, now.mono) };
        // The state may be that of an ingester that took more.
        recovered.keep_only(|region| self.config.realm.takes(region));
        let lead = recovered.term;
        let mut config = self.config.cloud.clone();
        config.run = run;
        let mut node = CloudNode::new(config, recovered, now);
        node.count_from(std::mem::take(&mut self.counters));
        for broker in &self.connected {
            node.handle(CloudInput::Connected { broker: *broker }, now);
        }
        self.election.took(Some(node.term().clone()), now.mono);
        let log = (self.config.keeping == Keeping::Apart).then(|| LogWriter::new(lead));
        self.lead = Some(Lead { node, asked: None, store_down: None, log });
        self.following.ends();
        self.settled = true;
        self.leads += 1;
        self.effects.push_back(SiteEffect::Listen(true));
    }

    /// Who leads there is only known of regions that this one takes: of others that is said first.
    pub(super) fn direct(&mut self, ticket: u64, change: DirectiveChange, now: Now) {
        let (region, takes) = (&change.target.region, &self.config.realm);
        let refusal = if !takes.takes(region.as_str()) {
            DirectiveRefusal::NotTaken { region: region.clone(), takes: takes.clone() }
        } else if let Some(lead) = self.lead.as_mut().filter(|_| !self.leaving) {
            return lead.node.handle(CloudInput::Direct { ticket, change }, now);
        } else {
            DirectiveRefusal::StandsBy
        };
        self.effects.push_back(SiteEffect::Directed { ticket, result: Err(refusal) });
    }

    pub(super) fn stand_down(&mut self) {
        let Some(lead) = self.lead.take() else { return };
        self.counters = lead.node.snapshot().counters;
        self.effects.push_back(SiteEffect::Listen(false));
    }

    pub(super) fn lead_answered(&mut self, answer: StoreAnswer, now: Now) {
        let Some(lead) = &mut self.lead else { return };
        lead.answered(&answer, now.mono);
        if lead.store_down.is_none() {
            self.aside = ASIDE_FIRST;
        }
        if matches!(&answer, StoreAnswer::Committed(_, Err(StoreFault::Deposed))) {
            return self.election.stand_aside(self.config.timing.lease, now.mono);
        }
        lead.node.handle(CloudInput::Store(answer), now);
    }

    /// A leader that cannot store for long stands aside for one that perhaps can.
    pub(super) fn mind_store(&mut self, now: Monotonic) {
        let down = self.lead.as_ref().and_then(|lead| lead.store_down);
        if down.is_some_and(|since| now.since(since) >= STORE_PATIENCE) {
            if self.election.living(now).next().is_some() {
                self.election.stand_aside(self.aside, now);
                self.aside = (self.aside * 2).min(ASIDE_LONGEST);
            } else if let Some(lead) = &mut self.lead {
                lead.store_down = Some(now);
            }
        }
    }

    /// An orderly end waits for what is at the store and for what followers lack.
    pub(super) fn mind_leaving(&mut self, now: Monotonic) {
        let Some(lead) = self.lead.as_ref().filter(|_| self.leaving) else { return };
        if lead.asked.is_none() && lead.log.as_ref().is_none_or(LogWriter::is_at_rest) {
            self.election.stand_aside(ASIDE_LONGEST, now);
        }
    }

    /// What the leading node asks for; its term may have been raised.
    pub(super) fn start_leads_effects(&mut self) {
        let Some(lead) = &mut self.lead else { return };
        while let Some(effect) = lead.node.poll_effect() {
            match effect {
                CloudEffect::Publish { broker, publish } => {
                    self.effects.push_back(SiteEffect::Publish { broker, publish });
                }
                CloudEffect::Directed { ticket, result } => {
                    self.effects.push_back(SiteEffect::Directed { ticket, result });
                }
                CloudEffect::Store(command) => {
                    if let StoreCommand::Commit(commit) = &command {
                        lead.asked = Some(commit.clone());
                    }
                    self.effects.push_back(SiteEffect::Store(command));
                }
            }
        }
        self.election.raised(lead.node.term());
    }
}
