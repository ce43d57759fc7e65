//! What gives way when the queue is full, or when readings are too old.

use super::books::Books;
use super::error::Fault;
use super::gaps;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::queue::{FullPolicy, QueueLimits};
use fogline_protocol::time::Wall;
use rusqlite::Connection;

/// A full queue that drops new readings takes some again once this part of it is free. Were it to take each as soon as
/// there is room for one, gaps and readings would alternate, and gaps be without number.
const REOPENS_AT_PART: u64 = 64;

/// Drops from the front what is too old at `now`, and, where the oldest give way, what is too much. Ends at the first
/// reading that may stay: an old reading behind it waits until it is at the front.
pub(super) fn drop_oldest(
    conn: &Connection,
    books: &mut Books,
    limits: &QueueLimits,
    now: Wall,
    dropped: &mut RangeSet,
) -> Result<(), Fault> {
    let too_much = |books: &Books| {
        limits.policy == FullPolicy::DropOldest && (books.readings > limits.readings || books.bytes > limits.bytes)
    };
    if books.readings == 0 || (limits.max_age_us.is_none() && !too_much(books)) {
        return Ok(());
    }
    let sql = "SELECT seq, ts_us, octet_length(body) FROM readings WHERE seq > ?1 ORDER BY seq";
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([books.gone])?;
    while let Some(row) = rows.next()? {
        let (seq, time) = (row.get(0)?, Wall::from_us(row.get(1)?));
        let stamps = books.stamps_of(seq);
        let too_old = stamps.tell_age() && is_too_old(limits, stamps.time(time), now);
        if !too_much(books) && !too_old {
            break;
        }
        books.take_away(seq, 1, row.get(2)?)?;
        dropped.insert(Range::new(seq, seq));
    }
    Ok(())
}

fn is_too_old(limits: &QueueLimits, time: Wall, now: Wall) -> bool {
    limits.max_age_us.is_some_and(|age| time.us() < now.us().saturating_sub(age))
}

/// Says of each new reading whether the queue takes it.
pub(super) struct Intake {
    limits: QueueLimits,
    open: bool,
}

impl Intake {
    /// As the queue is now.
    pub(super) fn new(conn: &Connection, books: &Books, limits: &QueueLimits) -> Result<Self, Fault> {
        let room = |limit: u64| limit - limit / REOPENS_AT_PART;
        let roomy = books.readings <= room(limits.readings) && books.bytes <= room(limits.bytes);
        let open = limits.policy != FullPolicy::DropNewest || roomy || !gaps::contains(conn, books.next - 1)?;
        Ok(Self { limits: *limits, open })
    }

    /// True when a reading of `bytes` is taken. Once one is not, no later one of this append is: what is dropped is one
    /// piece.
    pub(super) fn takes(&mut self, books: &Books, bytes: u64) -> bool {
        let fits = books.readings < self.limits.readings && books.bytes + bytes <= self.limits.bytes;
        self.open = self.open && (self.limits.policy != FullPolicy::DropNewest || fits);
        self.open
    }
}
