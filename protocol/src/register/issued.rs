//! The decisions that an ingester has sent.

use crate::ids::{AgentId, Seq, Term};
use crate::store::{DecisionRecord, Fate};
use crate::time::{Monotonic, Now, Wall};
use crate::usecase::Verdict;
use crate::wire::{Decision, DecisionAck, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to wait for an answer before a decision is sent again: doubled from here...
const RESEND_FIRST: Duration = Duration::from_secs(1);
/// ...up to here.
const RESEND_LONGEST: Duration = Duration::from_secs(8);

/// A decision that is not answered yet.
#[derive(Debug, Clone)]
struct Register {
    decision: Decision,
    decided: Wall,
    expires: Monotonic,
    /// Sent once it is committed, so that a restart knows of it.
    committed: bool,
    next_send: Monotonic,
    wait: Duration,
}

/// The registers of all agents. At most one decision each is outstanding, so that they are bounded by the agents.
#[derive(Debug, Clone)]
pub struct Issued {
    term: Term,
    outstanding: BTreeMap<(AgentId, String), Register>,
    /// The number and body of the newest decision, also after it was answered.
    newest: BTreeMap<(AgentId, String), (Seq, serde_json::Value)>,
    /// Changes to be committed.
    changes: Vec<DecisionRecord>,
}

impl Issued {
    /// Goes on with what the state holds. Older terms' decisions are sent until newer ones replace them.
    #[must_use]
    pub fn new(term: Term, recovered: Vec<DecisionRecord>, now: Now) -> Self {
        let mut all = Self { term, outstanding: BTreeMap::new(), newest: BTreeMap::new(), changes: Vec::new() };
        for record in recovered {
            let left = Duration::from_millis(record.decision.ttl_ms).saturating_sub(now.wall.since(record.decided));
            let register = Register {
                decided: record.decided,
                expires: now.mono + left,
                committed: true,
                next_send: now.mono,
                wait: RESEND_FIRST,
                decision: record.decision,
            };
            all.outstanding.insert((record.agent, register.decision.key.clone()), register);
        }
        all
    }

    /// The term of new decisions.
    #[must_use]
    pub const fn term(&self) -> &Term {
        &self.term
    }

    /// `agent` has heard of the term `seen`: new decisions must be above it. Our own term is no news from an agent that
    /// we have sent something; from another it means that an earlier life of ours, now forgotten, was in the same term.
    pub fn raise_above(&mut self, agent: &AgentId, seen: &Term) {
        let forgotten = *seen == self.term && !self.newest.keys().any(|(of, _)| of == agent);
        if *seen > self.term || forgotten {
            self.term.counter = seen.counter + 1;
        }
    }

    /// The body of the newest decision for an agent and key.
    #[must_use]
    pub fn newest_body(&self, agent: &AgentId, key: &str) -> Option<&serde_json::Value> {
        self.newest.get(&(agent.clone(), key.to_owned())).map(|(_, body)| body)
    }

    /// Decides anew. The decision before is replaced, whether it was answered or not.
    pub fn issue(&mut self, agent: &AgentId, key: &str, verdict: Verdict, now: Now) {
        let at = (agent.clone(), key.to_owned());
        let seq = self.newest.get(&at).map_or(1, |(seq, _)| seq + 1);
        self.newest.insert(at.clone(), (seq, verdict.body.clone()));
        let decision =
            Decision { key: at.1.clone(), term: self.term.clone(), seq, ttl_ms: verdict.ttl_ms, body: verdict.body };
        let register = Register {
            decided: now.wall,
            expires: now.mono + Duration::from_millis(decision.ttl_ms),
            committed: false,
            next_send: now.mono,
            wait: RESEND_FIRST,
            decision,
        };
        self.changes.push(record(&at.0, &register, Fate::Outstanding));
        if let Some(replaced) = self.outstanding.insert(at.clone(), register) {
            self.changes.push(record(&at.0, &replaced, Fate::Replaced));
        }
    }

    /// An agent answered. Answers to older decisions change nothing.
    pub fn acknowledged(&mut self, agent: &AgentId, ack: &DecisionAck, now: Now) -> bool {
        let at = (agent.clone(), ack.key.clone());
        let answers = |register: &&Register| register.decision.order() == (&ack.term, ack.seq);
        if self.outstanding.get(&at).filter(answers).is_none() {
            return false;
        }
        let Some(register) = self.outstanding.remove(&at) else { return false };
        self.changes.push(record(agent, &register, Fate::Acknowledged(ack.outcome)));
        if ack.outcome == Outcome::Superseded {
            self.decide_above(agent, register, ack.highest.as_ref(), now);
        }
        true
    }

    /// Our newest decision was refused for an older life's: it is decided again, in a term above that, for the time it
    /// has left.
    fn decide_above(&mut self, agent: &AgentId, register: Register, highest: Option<&Term>, now: Now) {
        let above = highest.map_or(0, |term| term.counter).max(self.term.counter);
        self.term.counter = above + 1;
        let decision = Decision { term: self.term.clone(), ..register.decision };
        let again = Register { decision, committed: false, next_send: now.mono, wait: RESEND_FIRST, ..register };
        self.changes.push(record(agent, &again, Fate::Outstanding));
        self.outstanding.insert((agent.clone(), again.decision.key.clone()), again);
    }

    /// Takes out the changes that are to be committed.
    pub fn take_changes(&mut self) -> Vec<DecisionRecord> {
        std::mem::take(&mut self.changes)
    }

    /// True when there is something to commit.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Changes are committed: the decisions among them may be sent.
    pub fn committed(&mut self, changes: &[DecisionRecord], now: Monotonic) {
        for change in changes.iter().filter(|change| change.fate == Fate::Outstanding) {
            let at = (change.agent.clone(), change.decision.key.clone());
            if let Some(register) =
                self.outstanding.get_mut(&at).filter(|r| r.decision.order() == change.decision.order())
            {
                register.committed = true;
                register.next_send = now;
            }
        }
    }

    /// An agent is there again: what is outstanding goes out at once.
    pub fn resend_to(&mut self, agent: &AgentId, now: Monotonic) {
        let from = (agent.clone(), String::new());
        for (_, register) in self.outstanding.range_mut(from..).take_while(|((of, _), _)| of == agent) {
            register.next_send = now;
            register.wait = RESEND_FIRST;
        }
    }

    /// What is to be sent now: each with the time that is left of it. What has expired is given up.
    pub fn due(&mut self, now: Monotonic) -> Vec<(AgentId, Decision)> {
        self.give_up_expired(now);
        let mut due = Vec::new();
        for ((agent, _), register) in &mut self.outstanding {
            if !register.committed || register.next_send > now {
                continue;
            }
            register.next_send = now + register.wait;
            register.wait = (register.wait * 2).min(RESEND_LONGEST);
            let left = u64::try_from(register.expires.since(now).as_millis()).unwrap_or(u64::MAX).max(1);
            due.push((agent.clone(), Decision { ttl_ms: left, ..register.decision.clone() }));
        }
        due
    }

    /// When [`Issued::due`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let next = |register: &Register| {
            if register.committed { register.next_send.min(register.expires) } else { register.expires }
        };
        self.outstanding.values().map(next).min()
    }

    /// How many are not answered.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    fn give_up_expired(&mut self, now: Monotonic) {
        let expired: Vec<_> =
            self.outstanding.iter().filter(|(_, register)| register.expires <= now).map(|(at, _)| at.clone()).collect();
        for at in expired {
            if let Some(register) = self.outstanding.remove(&at) {
                self.changes.push(record(&at.0, &register, Fate::Expired));
            }
        }
    }
}

fn record(agent: &AgentId, register: &Register, fate: Fate) -> DecisionRecord {
    DecisionRecord { agent: agent.clone(), decision: register.decision.clone(), decided: register.decided, fate }
}
