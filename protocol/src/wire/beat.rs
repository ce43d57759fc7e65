//! `ingest/{ingester}/beat`: an ingester says to the others of its realm that it lives, and what it is.

use super::{Message, WireError, check_reported_term};
use crate::election::Word;
use crate::ids::Term;
use crate::realm::Realm;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an ingester is among those of its realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It takes readings and decides.
    Leading,
    /// It has heard of a leader, or waits to hear of one.
    StandingBy,
    /// It will lead, unless one of higher rank would.
    Claiming,
    /// It was leading and leads no more, of its own accord: the others need not wait for its lease to end.
    Leaving,
}

/// As people say it.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leading => "leading",
            Self::StandingBy => "standing by",
            Self::Claiming => "about to lead",
            Self::Leaving => "leaving",
        })
    }
}

/// Said twice a second, and at once when the role changes or when a beat calls for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
    /// What it is.
    pub role: Role,
    /// Its term if it leads, else the highest that it has heard of; none at first.
    pub term: Option<Term>,
    /// Who of several claimants leads: the highest, then the greatest name.
    pub rank: u32,
    /// How many brokers it is connected to.
    pub reach: u32,
    /// Whose agents it takes; none: those that the topic says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<Realm>,
    /// Which store it writes to. Those of one realm must have one store in common.
    pub store: String,
    /// Where its log is, if it leads and the others need one.
    #[serde(default)]
    pub log: Option<LogPlace>,
    /// It knows all that the log of its leader says, and could take over without loss.
    #[serde(default)]
    pub in_step: bool,
    /// How much of its leader's log it keeps, if it follows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps: Option<LogPlace>,
}

/// An entry of a leader's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPlace {
    /// The counter of the term in which this leader took over: a term may be raised later, and its log goes on.
    pub lead: u64,
    /// The entry, counted from 1; 0 before the first.
    pub number: u64,
}

/// The longest name of a store.
const STORE_MAX_BYTES: usize = 512;

impl Beat {
    /// What it says for the election.
    #[must_use]
    pub fn word(&self) -> Word {
        Word { role: self.role, term: self.term.clone(), rank: self.rank, reach: self.reach }
    }
}

impl Message for Beat {
    fn check(&self) -> Result<(), WireError> {
        check_reported_term(self.term.as_ref())?;
        if self.store.len() > STORE_MAX_BYTES {
            return Err(WireError::Value { what: "store" });
        }
        Ok(())
    }
}
