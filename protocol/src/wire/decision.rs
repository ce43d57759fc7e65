//! `down/limit` and its like, and `up/ack`: a decision, and what became of it.

use super::{Message, WireError, check_reported_term, check_seq};
use crate::ids::{Seq, Term, is_name};
use crate::time::Wall;
use serde::{Deserialize, Serialize};

/// The longest time that a decision may be in force: a day. What should last longer is configuration.
pub const TTL_MAX_MS: u64 = 24 * 60 * 60 * 1000;

/// The longest reason that an agent gives, in bytes.
pub const REASON_MAX_BYTES: usize = 256;

/// The value of a register of one agent: the newest replaces all before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Which register: `limit`, for example.
    pub key: String,
    /// The term in which it was decided.
    pub term: Term,
    /// The number of the decision in its term, from 1.
    pub seq: Seq,
    /// When it was decided, by the ingester's clock, in microseconds since 1970, from 0. With term and number it names the
    /// decision: an ingester that lost its state uses those again.
    #[serde(default)]
    pub decided_us: i64,
    /// How long it is in force after it was received, in milliseconds, from 1 to [`TTL_MAX_MS`]. Counted by the agent, so
    /// that an unset clock does no harm.
    pub ttl_ms: u64,
    /// What was decided, in the words of its use case.
    pub body: serde_json::Value,
}

/// What an agent did with a [`Decision`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionAck {
    /// Which register.
    pub key: String,
    /// The decision's term.
    pub term: Term,
    /// The decision's number.
    pub seq: Seq,
    /// When the decision was made, as the decision said it.
    #[serde(default)]
    pub decided_us: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// The highest term of which the agent has heard: whoever decides for it has to be above.
    #[serde(default)]
    pub highest: Option<Term>,
    /// Why it is not in force, in words, at most [`REASON_MAX_BYTES`]; left out when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is in force on the agent, and would be after a restart.
    Applied,
    /// The agent has a newer one.
    Superseded,
    /// The agent cannot use it, and has changed nothing.
    Refused,
    /// The agent has tried it and went back to what it had before: it did not hear an ingester in time, or did not live to.
    RolledBack,
}

impl Decision {
    /// What orders decisions of a register.
    #[must_use]
    pub fn order(&self) -> (&Term, Seq) {
        (&self.term, self.seq)
    }
}

impl Message for Decision {
    fn check(&self) -> Result<(), WireError> {
        check_key(&self.key)?;
        check_seq("term", self.term.counter)?;
        check_seq("seq", self.seq)?;
        check_decided(self.decided_us)?;
        if self.ttl_ms == 0 || self.ttl_ms > TTL_MAX_MS {
            return Err(WireError::Value { what: "ttl_ms" });
        }
        Ok(())
    }
}

impl Message for DecisionAck {
    fn check(&self) -> Result<(), WireError> {
        check_key(&self.key)?;
        check_seq("term", self.term.counter)?;
        check_reported_term(self.highest.as_ref())?;
        check_decided(self.decided_us)?;
        if self.reason.as_ref().is_some_and(|reason| reason.len() > REASON_MAX_BYTES) {
            return Err(WireError::Value { what: "reason" });
        }
        check_seq("seq", self.seq)
    }
}

fn check_decided(us: i64) -> Result<(), WireError> {
    if (0..=Wall::MAX.us()).contains(&us) { Ok(()) } else { Err(WireError::Value { what: "decided_us" }) }
}

fn check_key(key: &str) -> Result<(), WireError> {
    if key.split('/').all(is_name) { Ok(()) } else { Err(WireError::Value { what: "key" }) }
}
