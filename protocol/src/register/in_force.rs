//! The decisions that an agent has applied.

use crate::ids::Term;
use crate::queue::SavedDecision;
use crate::time::{Monotonic, Now, Wall};
use crate::wire::{Decision, DecisionAck, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most keys of one agent. Further keys are ignored: nothing of ours has more than a handful.
const KEYS_MAX: usize = 64;

/// What to do about a decision that came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// Keep it on disk; it is in force when that is done.
    Save(SavedDecision),
    /// Answer at once.
    Answer(DecisionAck),
    /// Nothing: it is being saved already, or there are too many keys.
    Nothing,
}

#[derive(Debug, Clone)]
struct Register {
    saved: Option<Decision>,
    expires: Monotonic,
    expired: bool,
    saving: Option<SavedDecision>,
}

/// The registers of one agent.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    registers: BTreeMap<String, Register>,
    highest: Option<Term>,
}

impl InForce {
    /// What the queue file holds. A decision's time runs on while the agent is down.
    #[must_use]
    pub fn new(saved: &[SavedDecision], now: Now) -> Self {
        let mut all = Self::default();
        for SavedDecision { decision, received } in saved {
            all.raise_term(&decision.term);
            let expires = now.mono + remaining(decision, *received, now.wall);
            let register =
                Register { saved: Some(decision.clone()), expires, expired: expires <= now.mono, saving: None };
            all.registers.insert(decision.key.clone(), register);
        }
        all
    }

    /// The highest term of a decision that was received.
    #[must_use]
    pub const fn highest_term(&self) -> Option<&Term> {
        self.highest.as_ref()
    }

    /// The decisions in force.
    pub fn iter(&self) -> impl Iterator<Item = &Decision> {
        self.registers.values().filter(|register| !register.expired).filter_map(|register| register.saved.as_ref())
    }

    /// A decision came in.
    pub fn receive(&mut self, decision: Decision, wall: Wall) -> Received {
        self.raise_term(&decision.term);
        if !self.registers.contains_key(&decision.key) && self.registers.len() >= KEYS_MAX {
            return Received::Nothing;
        }
        let empty = Register { saved: None, expires: Monotonic::ZERO, expired: true, saving: None };
        let register = self.registers.entry(decision.key.clone()).or_insert(empty);
        let saving = register.saving.as_ref().map(|saving| saving.decision.order());
        if saving.is_some_and(|order| decision.order() <= order) {
            return Received::Nothing;
        }
        let outcome = match &register.saved {
            Some(known) if decision.order() > known.order() => None,
            // An ingester that lost its state counts from 1 again: the same order, and another decision.
            Some(known) if decision.order() < known.order() || decision.body != known.body => Some(Outcome::Superseded),
            Some(_) => Some(Outcome::Applied),
            None => None,
        };
        if let Some(outcome) = outcome {
            return Received::Answer(self.answer(&decision, outcome));
        }
        let saved = SavedDecision { decision, received: wall };
        register.saving = Some(saved.clone());
        Received::Save(saved)
    }

    /// The decision being saved for `key` is on disk: it is in force, and answered.
    pub fn saved(&mut self, key: &str, now: Now) -> Option<(Decision, DecisionAck)> {
        let register = self.registers.get_mut(key)?;
        let SavedDecision { decision, received } = register.saving.take()?;
        register.expires = now.mono + remaining(&decision, received, now.wall);
        register.expired = false;
        register.saved = Some(decision.clone());
        let ack = self.answer(&decision, Outcome::Applied);
        Some((decision, ack))
    }

    /// Saving failed: the ingester will send it again.
    pub fn save_failed(&mut self) {
        self.registers.values_mut().for_each(|register| register.saving = None);
    }

    /// The keys whose decision's time is over since the last call.
    pub fn expire(&mut self, now: Monotonic) -> Vec<String> {
        let mut expired = Vec::new();
        for (key, register) in &mut self.registers {
            if !register.expired && register.expires <= now {
                register.expired = true;
                expired.push(key.clone());
            }
        }
        expired
    }

    /// When the next decision expires.
    #[must_use]
    pub fn next_expiry(&self) -> Option<Monotonic> {
        self.registers.values().filter(|register| !register.expired).map(|register| register.expires).min()
    }

    fn answer(&self, decision: &Decision, outcome: Outcome) -> DecisionAck {
        let highest = self.highest.clone();
        DecisionAck { key: decision.key.clone(), term: decision.term.clone(), seq: decision.seq, outcome, highest }
    }

    fn raise_term(&mut self, term: &Term) {
        if self.highest.as_ref().is_none_or(|highest| term > highest) {
            self.highest = Some(term.clone());
        }
    }
}

/// How long a decision is still in force; never longer than its whole time, also when the clock was set back.
fn remaining(decision: &Decision, received: Wall, now: Wall) -> Duration {
    Duration::from_millis(decision.ttl_ms).saturating_sub(now.since(received))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Name;
    use proptest::prelude::*;

    fn decision(counter: u64, seq: u64) -> Decision {
        let term = Term { counter, ingester: Name::new("ingest-1").unwrap() };
        Decision { key: "limit".into(), term, seq, ttl_ms: 1000, body: serde_json::json!({ "limit_kmh": 100 }) }
    }

    fn now(ms: u64) -> Now {
        Now { mono: Monotonic::from_us(ms * 1000), wall: Wall::from_us(i64::try_from(ms).unwrap() * 1000) }
    }

    #[test]
    fn a_decision_is_answered_after_it_is_saved() {
        let mut all = InForce::default();
        assert!(matches!(all.receive(decision(1, 1), now(0).wall), Received::Save(_)));
        assert_eq!(all.receive(decision(1, 1), now(0).wall), Received::Nothing, "being saved");
        assert_eq!(all.iter().count(), 0);
        let (_, ack) = all.saved("limit", now(1)).unwrap();
        assert_eq!(ack.outcome, Outcome::Applied);
        assert_eq!(all.iter().count(), 1);
        let again = all.receive(decision(1, 1), now(2).wall);
        assert!(matches!(again, Received::Answer(DecisionAck { outcome: Outcome::Applied, .. })));
    }

    #[test]
    fn a_decision_ends_with_its_time_also_over_a_restart() {
        let saved = SavedDecision { decision: decision(1, 1), received: now(0).wall };
        let mut all = InForce::new(std::slice::from_ref(&saved), now(400));
        assert_eq!(all.next_expiry(), Some(now(1000).mono));
        assert!(all.expire(now(999).mono).is_empty());
        assert_eq!(all.expire(now(1000).mono), ["limit"]);
        assert!(all.expire(now(1001).mono).is_empty());
        assert_eq!(InForce::new(&[saved], now(5000)).iter().count(), 0);
    }

    proptest! {
        #[test]
        fn an_older_decision_never_follows_a_newer_one(orders in prop::collection::vec((1_u64..4, 1_u64..6), 1..40)) {
            let mut all = InForce::default();
            let mut newest = (0, 0);
            for (counter, seq) in orders {
                match all.receive(decision(counter, seq), now(0).wall) {
                    Received::Save(_) => prop_assert!((counter, seq) > newest),
                    Received::Answer(ack) if ack.outcome == Outcome::Applied => prop_assert!((counter, seq) == newest),
                    Received::Answer(_) => prop_assert!((counter, seq) < newest),
                    Received::Nothing => prop_assert!(false, "nothing is being saved"),
                }
                if let Some((applied, _)) = all.saved("limit", now(0)) {
                    newest = (applied.term.counter, applied.seq);
                }
            }
        }
    }
}
