//! The decisions that an agent has applied.

use crate::ids::Term;
use crate::queue::SavedDecision;
use crate::sensing;
use crate::time::{Monotonic, Now, Wall};
use crate::wire::{Decision, DecisionAck, Outcome};
use std::cmp::Ordering;
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
    /// Nothing: one is being saved, and this one will be sent again; or there are too many keys.
    Nothing,
}

#[derive(Debug, Clone)]
struct Register {
    saved: Decision,
    expires: Monotonic,
    expired: bool,
}

/// The registers of one agent.
#[derive(Debug, Clone, Default)]
pub struct InForce {
    registers: BTreeMap<String, Register>,
    /// One at a time: the disk's answer could not be told from that to another.
    saving: Option<SavedDecision>,
    highest: Option<Term>,
}

impl InForce {
    /// What the queue file holds. A decision's time runs on while the agent is down.
    #[must_use]
    pub fn new(saved: &[SavedDecision], now: Now) -> Self {
        let mut all = Self::default();
        for SavedDecision { decision, received } in saved {
            all.raise_term(&decision.term);
            // It is tried before it is in force: that is not for a register to do.
            if decision.key == sensing::KEY {
                continue;
            }
            let expires = now.mono + remaining(decision, *received, now.wall);
            let register = Register { saved: decision.clone(), expires, expired: expires <= now.mono };
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
        self.registers.values().filter(|register| !register.expired).map(|register| &register.saved)
    }

    /// The decision in force for `key`, and when its time is over.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<(&Decision, Monotonic)> {
        let register = self.registers.get(key).filter(|register| !register.expired)?;
        Some((&register.saved, register.expires))
    }

    /// A decision came in.
    pub fn receive(&mut self, decision: Decision, wall: Wall) -> Received {
        self.raise_term(&decision.term);
        let outcome = self.registers.get(&decision.key).and_then(|known| outcome(&decision, &known.saved));
        if let Some(outcome) = outcome {
            return Received::Answer(self.answer(&decision, outcome));
        }
        let is_one_too_many = !self.registers.contains_key(&decision.key) && self.registers.len() >= KEYS_MAX;
        if self.saving.is_some() || is_one_too_many {
            return Received::Nothing;
        }
        let saved = SavedDecision { decision, received: wall };
        self.saving = Some(saved.clone());
        Received::Save(saved)
    }

    /// The decision being saved for `key` is on disk: it is in force, and answered.
    pub fn saved(&mut self, key: &str, now: Now) -> Option<(Decision, DecisionAck)> {
        let SavedDecision { decision, received } = self.saving.take_if(|saving| saving.decision.key == key)?;
        let expires = now.mono + remaining(&decision, received, now.wall);
        let register = Register { saved: decision.clone(), expires, expired: false };
        self.registers.insert(decision.key.clone(), register);
        let ack = self.answer(&decision, Outcome::Applied);
        Some((decision, ack))
    }

    /// Saving failed: the ingester will send it again.
    pub fn save_failed(&mut self) {
        self.saving = None;
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

    /// The answer to a decision that is not kept here.
    #[must_use]
    pub fn answer_for(&mut self, decision: &Decision, outcome: Outcome, reason: Option<String>) -> DecisionAck {
        self.raise_term(&decision.term);
        DecisionAck { reason, ..self.answer(decision, outcome) }
    }

    fn answer(&self, decision: &Decision, outcome: Outcome) -> DecisionAck {
        let highest = self.highest.clone();
        let (key, term) = (decision.key.clone(), decision.term.clone());
        DecisionAck { key, term, seq: decision.seq, decided_us: decision.decided_us, outcome, highest, reason: None }
    }

    fn raise_term(&mut self, term: &Term) {
        if self.highest.as_ref().is_none_or(|highest| term > highest) {
            self.highest = Some(term.clone());
        }
    }
}

/// What becomes of a decision at once, when `known` is in force; nothing when it is newer.
fn outcome(decision: &Decision, known: &Decision) -> Option<Outcome> {
    match decision.order().cmp(&known.order()) {
        Ordering::Greater => None,
        Ordering::Equal if decision.decided_us == known.decided_us => Some(Outcome::Applied),
        // An ingester that lost its state counts from 1 again: the same order, and another decision.
        Ordering::Equal | Ordering::Less => Some(Outcome::Superseded),
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
        Decision {
            key: "limit".into(),
            term,
            seq,
            decided_us: 7,
            ttl_ms: 1000,
            body: serde_json::json!({ "limit_kmh": 100 }),
        }
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
    fn a_newer_decision_waits_until_the_one_before_is_on_disk() {
        let mut all = InForce::default();
        assert!(matches!(all.receive(decision(1, 1), now(0).wall), Received::Save(_)));
        assert_eq!(all.receive(decision(1, 2), now(0).wall), Received::Nothing, "it is sent again");
        let (applied, ack) = all.saved("limit", now(1)).unwrap();
        assert_eq!((applied.seq, ack.seq), (1, 1), "only what is on disk is in force");
        assert!(matches!(all.receive(decision(1, 2), now(2).wall), Received::Save(_)));
        all.save_failed();
        assert_eq!(all.saved("limit", now(3)), None);
        assert_eq!(all.iter().map(|decision| decision.seq).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn the_same_number_of_another_time_is_not_applied() {
        let mut all = InForce::default();
        all.receive(decision(1, 1), now(0).wall);
        all.saved("limit", now(0));
        let forgotten = Decision { decided_us: 8, ..decision(1, 1) };
        let Received::Answer(ack) = all.receive(forgotten, now(1).wall) else { panic!("no answer") };
        assert_eq!((ack.outcome, ack.highest.unwrap().counter), (Outcome::Superseded, 1));
    }

    #[test]
    fn a_decision_ends_with_its_time_also_over_a_restart() {
        let saved = SavedDecision { decision: decision(1, 1), received: now(0).wall };
        let mut all = InForce::new(std::slice::from_ref(&saved), now(400));
        assert_eq!(all.next_expiry(), Some(now(1000).mono));
        assert_eq!(all.get("limit").map(|(decision, expires)| (decision.seq, expires)), Some((1, now(1000).mono)));
        assert!(all.expire(now(999).mono).is_empty());
        assert_eq!(all.expire(now(1000).mono), ["limit"]);
        assert!(all.expire(now(1001).mono).is_empty());
        assert_eq!(all.get("limit"), None);
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
