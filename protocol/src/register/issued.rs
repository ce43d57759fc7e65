//! The decisions that an ingester has sent.

use crate::directive::{self, directive_of};
use crate::ids::{AgentId, SEQ_MAX, Seq, Term};
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

/// The furthest that reports raise the term of one life of an ingester. Agents are ahead by the lives that it has forgotten; one
/// that reports more is broken or lies, and only its own decisions suffer. Counted from the start of this life: were it counted
/// from the term of the moment, lies could lift it step by step to the end of the numbers.
const TERM_LEAP_MAX: u64 = 1 << 20;

/// A decision that is not answered yet.
#[derive(Debug, Clone)]
struct Register {
    decision: Decision,
    decided: Wall,
    expires: Monotonic,
    /// Sent once it is committed, so that a restart knows of it.
    committed: bool,
    /// Nobody can have answered what was never sent.
    sent: bool,
    next_send: Monotonic,
    wait: Duration,
}

/// The registers of all agents. At most one decision each is outstanding, so that they are bounded by the agents.
#[derive(Debug, Clone)]
pub struct Issued {
    term: Term,
    /// The counter that this life began with.
    began: u64,
    outstanding: BTreeMap<(AgentId, String), Register>,
    /// The number and body of the newest decision, also after it was answered.
    newest: BTreeMap<(AgentId, String), (Seq, serde_json::Value)>,
    /// Changes to be committed.
    changes: Vec<DecisionRecord>,
}

impl Issued {
    /// Goes on with what the state holds. Older terms' decisions are sent until newer ones replace them, and what is in force
    /// is what the next decision is compared with.
    #[must_use]
    pub fn new(term: Term, recovered: Vec<DecisionRecord>, now: Now) -> Self {
        let (began, outstanding, newest) = (term.counter, BTreeMap::new(), BTreeMap::new());
        let mut all = Self { term, began, outstanding, newest, changes: Vec::new() };
        for record in recovered {
            let (at, decision) = ((record.agent.clone(), record.decision.key.clone()), &record.decision);
            all.newest.insert(at.clone(), (decision.seq, decision.body.clone()));
            if record.fate == Fate::Expired {
                all.unsay(&at);
            }
            if record.fate != Fate::Outstanding {
                continue;
            }
            let left = Duration::from_millis(record.decision.ttl_ms).saturating_sub(now.wall.since(record.decided));
            let register = Register {
                decided: record.decided,
                expires: now.mono + left,
                committed: true,
                sent: true,
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
    /// False when the report cannot be true, and changes nothing.
    pub fn raise_above(&mut self, agent: &AgentId, seen: &Term) -> bool {
        let forgotten = *seen == self.term && !self.has_decided_for(agent);
        if *seen < self.term || (*seen == self.term && !forgotten) {
            return true;
        }
        let believed = self.believes(seen);
        if believed {
            self.term.counter = seen.counter + 1;
        }
        believed
    }

    fn has_decided_for(&self, agent: &AgentId) -> bool {
        let from = (agent.clone(), String::new());
        self.newest.range(from..).next().is_some_and(|((of, _), _)| of == agent)
    }

    const fn believes(&self, seen: &Term) -> bool {
        seen.counter <= self.began.saturating_add(TERM_LEAP_MAX) && seen.counter < SEQ_MAX
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
        let (key, term, decided_us) = (at.1.clone(), self.term.clone(), now.wall.us().max(0));
        let decision = Decision { key, term, seq, decided_us, ttl_ms: verdict.ttl_ms, body: verdict.body };
        let register = Register {
            decided: now.wall,
            expires: now.mono + Duration::from_millis(decision.ttl_ms),
            committed: false,
            sent: false,
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
        // An answer to an earlier life's decision, which had the same number, may still be on its way.
        let answers = |register: &&Register| {
            let of_it = register.decision.order() == (&ack.term, ack.seq);
            of_it && register.sent && register.decision.decided_us == ack.decided_us
        };
        if self.outstanding.get(&at).filter(answers).is_none() {
            return false;
        }
        let Some(register) = self.outstanding.remove(&at) else { return false };
        let answered = record(agent, &register, Fate::Acknowledged(ack.outcome));
        self.changes.push(DecisionRecord { reason: ack.reason.clone(), ..answered });
        if ack.outcome == Outcome::Superseded {
            self.decide_above(agent, register, ack.highest.as_ref(), now);
        }
        true
    }

    /// Our newest decision was refused for an older life's: it is decided again, in a term above that, for the time it
    /// has left. After a while, so that an agent that refuses everything is not told without end.
    fn decide_above(&mut self, agent: &AgentId, register: Register, highest: Option<&Term>, now: Now) {
        let Some(highest) = highest.filter(|highest| self.believes(highest)) else { return };
        self.term.counter = highest.counter.max(self.term.counter) + 1;
        let decision = Decision { term: self.term.clone(), ..register.decision };
        let next_send = now.mono + RESEND_FIRST;
        let again = Register { decision, committed: false, sent: false, next_send, wait: RESEND_FIRST, ..register };
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
    pub fn committed(&mut self, changes: &[DecisionRecord]) {
        for change in changes.iter().filter(|change| change.fate == Fate::Outstanding) {
            let at = (change.agent.clone(), change.decision.key.clone());
            if let Some(register) =
                self.outstanding.get_mut(&at).filter(|r| r.decision.order() == change.decision.order())
            {
                register.committed = true;
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
            register.sent = true;
            register.next_send = now + register.wait;
            register.wait = (register.wait * 2).min(RESEND_LONGEST);
            let left = u64::try_from(register.expires.since(now).as_millis()).unwrap_or(u64::MAX).max(1);
            due.push((agent.clone(), Decision { ttl_ms: left, ..register.decision.clone() }));
        }
        due
    }

    /// Forgets what was decided for agents that nobody has heard of for long, but directives, of whose end they must hear. One
    /// that comes back has a newer decision than the first that it gets then, refuses that, and so raises the term.
    pub fn forget_all_but(&mut self, knows: impl Fn(&AgentId) -> bool) {
        let outstanding = &self.outstanding;
        self.newest
            .retain(|at, (_, body)| outstanding.contains_key(at) || knows(&at.0) || directive_of(body).is_some());
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
                self.unsay(&at);
            }
        }
    }

    /// An agent has never heard of any decision: its queue file is another one. What it answered once it does not know any more; of
    /// directives it is to be told again.
    pub fn unsay_all(&mut self, agent: &AgentId) {
        let from = (agent.clone(), String::new());
        let outstanding = &self.outstanding;
        let known = self.newest.range_mut(from..).take_while(|((of, _), _)| of == agent);
        for (_, (_, body)) in
            known.filter(|(at, (_, body))| directive_of(body).is_some() && !outstanding.contains_key(at))
        {
            *body = serde_json::Value::Null;
        }
    }

    /// A directive of which the agent never said that it heard: it may keep to that one, or to one before it, and is to be told again
    /// when it comes.
    fn unsay(&mut self, at: &(AgentId, String)) {
        if let Some((_, body)) = self.newest.get_mut(at).filter(|(_, body)| directive_of(body).is_some()) {
            *body = directive::unknown();
        }
    }

    /// False while the newest decision of a register waits for its answer.
    #[must_use]
    pub fn is_answered(&self, agent: &AgentId, key: &str) -> bool {
        !self.outstanding.contains_key(&(agent.clone(), key.to_owned()))
    }

    /// The registers in which this agent may keep to a directive.
    pub fn directed_keys(&self, agent: &AgentId) -> impl Iterator<Item = &str> {
        let from = (agent.clone(), String::new());
        let own = self.newest.range(from..).take_while(move |((of, _), _)| of == agent);
        own.filter_map(|((_, key), (_, body))| directive_of(body).map(|_| key.as_str()))
    }

    /// The newest decisions that tell of a directive: to whom, in which register, and which.
    pub fn directed(&self) -> impl Iterator<Item = (&AgentId, &str, u64)> {
        self.newest.iter().filter_map(|((agent, key), (_, body))| Some((agent, key.as_str(), directive_of(body)?)))
    }
}

fn record(agent: &AgentId, register: &Register, fate: Fate) -> DecisionRecord {
    DecisionRecord {
        agent: agent.clone(),
        decision: register.decision.clone(),
        decided: register.decided,
        fate,
        reason: None,
    }
}

#[cfg(test)]
mod tests;
