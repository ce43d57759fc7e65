//! What travels: JSON, UTF-8, `"v": 1` first, unknown keys ignored, a higher `v` refused.
//!
//! Each message is a file: its struct, and the rules that decoding checks beyond types. Decoding never panics, whatever
//! comes in.

mod ack;
mod batch;
mod beat;
mod decision;
mod hello;
mod log;
mod request;
mod status;

pub use ack::{Ack, State, StreamAck};
pub use batch::{Batch, BatchHeader, CLOCK_MAX};
pub use beat::{Beat, LogPlace, Role};
pub use decision::{Decision, DecisionAck, Outcome, REASON_MAX_BYTES, TTL_MAX_MS};
pub use hello::{Hello, OpenStream};
pub use log::{Ask, Log, PARTS_MAX, PageOf};
pub use request::{Reply, Request};
pub use status::Status;

use crate::delivery::ranges::Range;
use crate::ids::{SEQ_MAX, Seq, Term};
use crate::reading::ReadingError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of every message that this program writes, and the highest that it reads.
pub const VERSION: u32 = 1;
/// The longest payload that is looked at: what a broker of ours lets through. Longer ones are refused unread.
pub const PAYLOAD_MAX_BYTES: usize = 64 * 1024;

/// Why a message was refused. Each is counted by its [`WireError::reason`]; none harms anybody else.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Longer than [`PAYLOAD_MAX_BYTES`].
    #[error("{0} bytes long: at most 65536 are read")]
    TooLong(usize),
    /// Of a later version than this program knows.
    #[error("version {0} is newer than this program, which reads up to 1: update it")]
    Version(u32),
    /// Not JSON, or of other types than the message has.
    #[error("malformed: {0}")]
    Malformed(String),
    /// A sequence number outside of 1 to 2^53 - 1.
    #[error("{what} {seq} is out of range: sequence numbers go from 1 to 9007199254740991")]
    Sequence {
        /// Which number.
        what: &'static str,
        /// Its value.
        seq: Seq,
    },
    /// A range that ends before it begins, or ranges out of order.
    #[error("{what} [{},{}] is empty, overlaps or is out of order", range.first, range.last)]
    Range {
        /// Which range.
        what: &'static str,
        /// Its ends.
        range: Range,
    },
    /// More entries than allowed.
    #[error("{count} {what}: at most {most} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// A number outside of its stated range.
    #[error("{what} is out of range")]
    Value {
        /// Which value.
        what: &'static str,
    },
    /// A reading of a batch breaks a rule.
    #[error("reading {index} of the batch: {error}")]
    Reading {
        /// Its place in the batch, from 0.
        index: usize,
        /// The rule.
        error: ReadingError,
    },
}

impl WireError {
    /// A short word for counters.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "too_long",
            Self::Version(_) => "version",
            Self::Malformed(_) => "malformed",
            Self::Sequence { .. } => "sequence",
            Self::Range { .. } => "range",
            Self::TooMany { .. } => "too_many",
            Self::Value { .. } => "value",
            Self::Reading { .. } => "reading",
        }
    }
}

/// What every small message has in common. Batches of readings are read by [`Batch::decode`], without the detour over an
/// owned structure.
pub trait Message: Serialize + DeserializeOwned {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// The rule that is broken.
    fn check(&self) -> Result<(), WireError>;

    /// The message as JSON.
    #[must_use]
    fn encode(&self) -> Vec<u8> {
        // Our own structures have text keys and finite numbers only: there is nothing in them that JSON cannot say.
        serde_json::to_vec(&Versioned { v: VERSION, body: self }).unwrap_or_default()
    }

    /// Reads a message.
    ///
    /// # Errors
    /// [`WireError`] says what is wrong.
    fn decode(payload: &[u8]) -> Result<Self, WireError> {
        check_version(payload)?;
        let message: Self = serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
        message.check()?;
        Ok(message)
    }
}

#[derive(Serialize)]
struct Versioned<'a, T> {
    v: u32,
    #[serde(flatten)]
    body: &'a T,
}

/// The version comes first, because the rest of a later one may look different.
fn check_version(payload: &[u8]) -> Result<(), WireError> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    if payload.len() > PAYLOAD_MAX_BYTES {
        return Err(WireError::TooLong(payload.len()));
    }
    let Version { v } = serde_json::from_slice(payload).map_err(|error| malformed(&error))?;
    check_known_version(v)
}

/// The longest explanation that is kept: the library's quote what was sent, all of it.
const EXPLANATION_MAX_CHARS: usize = 200;

fn malformed(error: &serde_json::Error) -> WireError {
    WireError::Malformed(error.to_string().chars().take(EXPLANATION_MAX_CHARS).collect())
}

const fn check_known_version(v: u32) -> Result<(), WireError> {
    match v {
        VERSION => Ok(()),
        0 => Err(WireError::Value { what: "v" }),
        newer => Err(WireError::Version(newer)),
    }
}

const fn check_seq(what: &'static str, seq: Seq) -> Result<(), WireError> {
    if seq == 0 || seq > SEQ_MAX { Err(WireError::Sequence { what, seq }) } else { Ok(()) }
}

/// Whatever term a decision may have an agent may report.
fn check_reported_term(term: Option<&Term>) -> Result<(), WireError> {
    term.map_or(Ok(()), |term| check_seq("term", term.counter))
}

/// Ranges must be in order, apart, and within the sequence numbers.
fn check_ranges(what: &'static str, ranges: &[Range], most: usize) -> Result<(), WireError> {
    if ranges.len() > most {
        return Err(WireError::TooMany { what, count: ranges.len(), most });
    }
    let mut above = 0;
    for range in ranges {
        check_seq(what, range.first)?;
        check_seq(what, range.last)?;
        if range.is_empty() || range.first <= above {
            return Err(WireError::Range { what, range: *range });
        }
        above = range.last;
    }
    Ok(())
}
