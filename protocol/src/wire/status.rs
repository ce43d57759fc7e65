//! `up/status`: is the agent there, and how full is its queue. Retained; the offline one is the last will.

use super::{Message, WireError};
use crate::ids::SEQ_MAX;
use crate::time::Wall;
use serde::{Deserialize, Serialize};

/// How an agent is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// False in the last will.
    pub online: bool,
    /// Which connection this speaks of: (openings of the queue, connects since), so that the will of an old connection
    /// cannot unsay a newer one.
    pub connection: (u64, u64),
    /// When it was said, by the agent's clock. In a will: when the connection was made.
    pub ts_us: i64,
    /// Readings in the queue.
    #[serde(default)]
    pub queued: u64,
    /// Bytes of readings in the queue.
    #[serde(default)]
    pub queued_bytes: u64,
    /// The time of the oldest reading in the queue.
    #[serde(default)]
    pub oldest_us: Option<i64>,
    /// Readings that a full queue had to drop, since the queue was made.
    #[serde(default)]
    pub dropped: u64,
    /// Readings that damage to the queue took, since it was made; left out when there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damaged: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Message for Status {
    fn check(&self) -> Result<(), WireError> {
        let time = |us: i64| (Wall::MIN.us()..=Wall::MAX.us()).contains(&us);
        if !time(self.ts_us) {
            return Err(WireError::Value { what: "ts_us" });
        }
        if !self.oldest_us.is_none_or(time) {
            return Err(WireError::Value { what: "oldest_us" });
        }
        let counts = [self.queued, self.queued_bytes, self.dropped, self.damaged, self.connection.0, self.connection.1];
        if counts.iter().any(|count| *count > SEQ_MAX) {
            return Err(WireError::Value { what: "a count" });
        }
        Ok(())
    }
}
