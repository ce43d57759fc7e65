//! Numbers in SQLite, whose integers are signed, and times of this machine's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// A count or a sequence number; all of them are below 2^53 by the protocol.
pub(super) fn to_sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The opposite of [`to_sql`].
pub(super) fn from_sql(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Microseconds since 1970 by the clock of this machine, for notes to the operator.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
