//! `up/hello`: an agent says what it has to send.

use super::{Message, WireError, check_ranges, check_reported_term, check_seq};
use crate::delivery::ranges::Range;
use crate::delivery::{GAPS_PER_MESSAGE_MAX, STREAMS_MAX};
use crate::ids::{Seq, StreamId, Term};
use serde::{Deserialize, Serialize};

/// Sent after each connect and whenever the open streams change; resent until an [`super::Ack`] names its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The number of this hello, counted by the agent's process: the answer repeats it.
    pub hello: u64,
    /// The agent's program version.
    pub agent_version: String,
    /// The highest term of which the agent has applied or refused a decision. A leader starts above it.
    pub term: Option<Term>,
    /// The streams that the agent still has to send from, oldest first, at most [`STREAMS_MAX`]. The ingester forgets the
    /// others.
    pub streams: Vec<OpenStream>,
}

/// One stream of a [`Hello`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenStream {
    /// Which stream.
    pub stream: StreamId,
    /// The oldest sequence number of the stream that the agent still holds, as reading or as gap; `next` when none.
    pub floor: Seq,
    /// The sequence number that follows the stream's newest.
    pub next: Seq,
    /// Ranges that will never come.
    #[serde(default)]
    pub gaps: Vec<Range>,
}

/// The longest version text that is kept.
const AGENT_VERSION_MAX_BYTES: usize = 64;

impl Message for Hello {
    fn check(&self) -> Result<(), WireError> {
        if self.agent_version.len() > AGENT_VERSION_MAX_BYTES {
            return Err(WireError::Value { what: "agent_version" });
        }
        check_reported_term(self.term.as_ref())?;
        if self.streams.len() > STREAMS_MAX {
            return Err(WireError::TooMany { what: "streams", count: self.streams.len(), most: STREAMS_MAX });
        }
        for open in &self.streams {
            check_seq("floor", open.floor)?;
            check_seq("next", open.next)?;
            if open.floor > open.next {
                return Err(WireError::Range { what: "floor and next", range: Range::new(open.floor, open.next) });
            }
            check_ranges("gaps", &open.gaps, GAPS_PER_MESSAGE_MAX)?;
        }
        Ok(())
    }
}
