//! What the log says: who leads, which brokers are there, and messages that were not taken: of those the first at once, then
//! how many in so long.

use fogline_protocol::ids::Name;
use fogline_protocol::node::{Counters, SiteSnapshot};
use fogline_protocol::wire::Role;
use std::time::Duration;
use tokio::time::Instant;

/// How long to gather before the log says it again: a million refused messages are a few lines.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// How often the log repeats that settings contradict each other.
const RIVALS_EVERY: Duration = Duration::from_secs(60);

/// Follows the counters.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The addresses of the brokers.
    brokers: Vec<String>,
    connected: Vec<bool>,
    leader: Option<Name>,
    leading: bool,
    in_step: bool,
    refused: u64,
    rivals_said: Option<Instant>,
    quiet_until: Option<Instant>,
}

impl Journal {
    /// Nothing is connected yet.
    pub(crate) fn new(brokers: Vec<String>) -> Self {
        let connected = vec![false; brokers.len()];
        Self {
            brokers,
            connected,
            leader: None,
            leading: false,
            in_step: false,
            refused: 0,
            rivals_said: None,
            quiet_until: None,
        }
    }

    /// A connection stands.
    pub(crate) fn connected(&mut self, at: usize) {
        if let (Some(connected), Some(broker)) = (self.connected.get_mut(at), self.brokers.get(at)) {
            *connected = true;
            tracing::info!(broker, "connected and subscribed");
        }
    }

    /// A connection is gone. Attempts that fail are not worth a word.
    pub(crate) fn disconnected(&mut self, at: usize, reason: &str) {
        if let (Some(connected @ true), Some(broker)) = (self.connected.get_mut(at), self.brokers.get(at)) {
            *connected = false;
            tracing::warn!(broker, reason, "the connection to the broker ended; connecting again");
        }
    }

    /// Looks for what is new.
    pub(crate) fn look(&mut self, site: &SiteSnapshot, now: Instant) {
        self.look_for_rivals(site, now);
        self.look_who_leads(site);
        self.look_for_refusals(&site.cloud.counters, now);
    }

    fn look_who_leads(&mut self, site: &SiteSnapshot) {
        let leading = site.role == Role::Leading;
        let term = site.term.as_ref().map_or(0, |term| term.counter);
        if leading && !self.leading {
            tracing::info!(term, "leads: takes readings and decides");
        } else if self.leading && !leading {
            tracing::warn!(term, "leads no more");
        }
        if !leading && site.leader != self.leader {
            match &site.leader {
                Some(_) if site.waits_for.is_some() => {}
                Some(leader) => tracing::info!(%leader, term, "stands by"),
                None if !self.leading => tracing::warn!("the leader is silent"),
                None => {}
            }
        }
        if site.in_step && !self.in_step && !leading {
            tracing::info!("in step with the leader: could take over without loss");
        }
        (self.leading, self.in_step, self.leader) = (leading, site.in_step, site.leader.clone());
    }

    /// It is said at once, and again as long as it is so.
    fn look_for_rivals(&mut self, site: &SiteSnapshot, now: Instant) {
        let Some((name, takes)) = site.rivals.iter().max_by_key(|(name, _)| Some(name) == site.waits_for.as_ref())
        else {
            self.rivals_said = None;
            return;
        };
        if self.rivals_said.is_some_and(|said| now < said + RIVALS_EVERY) {
            return;
        }
        self.rivals_said = Some(now);
        let (waits, own) = (site.waits_for.is_some(), &site.realm);
        tracing::error!(
            rival = %name, %takes, %own, waits,
            "another ingester takes some of the same regions: only one of the two leads, and regions of the other stand still. \
             Give both the same --region or --share, or regions that the other has not"
        );
    }

    fn look_for_refusals(&mut self, counters: &Counters, now: Instant) {
        let refused = counters.refused.values().sum();
        if refused == self.refused || self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        let messages = refused - self.refused;
        let last = counters.last_refusal.as_deref().unwrap_or("no room for it now; it will be sent again");
        tracing::warn!(messages, last, "messages of agents were not taken: /metrics counts them by reason");
        self.refused = refused;
        self.quiet_until = Some(now + SAY_EVERY);
    }
}
