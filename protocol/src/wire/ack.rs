//! `down/ack`: the ingester says which readings are in the store.

use super::{Message, Reply, WireError, check_ranges};
use crate::delivery::ranges::Range;
use crate::delivery::{RANGES_MAX, STREAMS_MAX};
use crate::ids::{SEQ_MAX, Seq, StreamId};
use serde::{Deserialize, Serialize};

/// Sent after each write and each hello, and repeated to whom the ingester holds something for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ack {
    /// The number of the hello that this answers, if it answers one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hello: Option<u64>,
    /// How many bytes of readings the agent may have unacknowledged.
    pub credit: u64,
    /// Why things may be slow.
    pub state: State,
    /// What is stored, per stream; at most [`STREAMS_MAX`].
    pub streams: Vec<StreamAck>,
    /// The answer to the agent's newest question, if it has waited for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
}

/// How the ingester is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Writing.
    Ok,
    /// The store does not answer or refuses everything: readings wait.
    StoreDown,
    /// More came in than the ingester may hold: some of it was not taken and must be sent again.
    Busy,
}

/// What is stored of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamAck {
    /// Which stream.
    pub stream: StreamId,
    /// Everything up to here is stored, dead-lettered or recorded as a gap. 0: nothing.
    pub through: Seq,
    /// What is stored above that, in order, apart; at most [`RANGES_MAX`].
    #[serde(default)]
    pub ranges: Vec<Range>,
}

impl Message for Ack {
    fn check(&self) -> Result<(), WireError> {
        self.reply.as_ref().map_or(Ok(()), Message::check)?;
        if self.streams.len() > STREAMS_MAX {
            return Err(WireError::TooMany { what: "streams", count: self.streams.len(), most: STREAMS_MAX });
        }
        for ack in &self.streams {
            if ack.through > SEQ_MAX {
                return Err(WireError::Sequence { what: "through", seq: ack.through });
            }
            check_ranges("ranges", &ack.ranges, RANGES_MAX)?;
            if let Some(range) = ack.ranges.first().filter(|range| range.first <= ack.through) {
                return Err(WireError::Range { what: "ranges", range: *range });
            }
        }
        Ok(())
    }
}
