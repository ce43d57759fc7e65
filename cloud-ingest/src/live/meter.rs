//! How many readings are stored a second, and how late: of the last minute.

use fogline_protocol::clock::TimeFlag;
use fogline_protocol::store::Commit;
use fogline_protocol::time::Wall;
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// The minute is forgotten in pieces of this length.
const PIECE: Duration = Duration::from_secs(5);
/// A minute.
const PIECES: usize = 12;
/// The rate is that of the last two whole pieces: 10 s.
const PIECES_OF_RATE: usize = 2;
/// What is later than an hour, in milliseconds, is left out: a recording that is played, or a backlog, and not how fast things go.
/// It bounds the memory: two digits of that are 12 KiB for a piece.
const LATEST_MS: u64 = 3_600_000;
/// Two digits: 1% of error.
const DIGITS: u8 = 2;

/// Counts readings that are stored, with the time from their measurement to the store's success. Clocks of edge and ingester
/// may differ, and by as much this is wrong; readings of clocks that were not set are left out.
pub(crate) struct Meter {
    pieces: VecDeque<Piece>,
    started: Instant,
}

struct Piece {
    begins: Instant,
    stored: u64,
    late_ms: Option<Histogram<u32>>,
}

/// How late readings are, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub(crate) struct Latency {
    /// Half of them less than this.
    pub(crate) p50: u64,
    /// 99 of 100 less than this.
    pub(crate) p99: u64,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { pieces: VecDeque::with_capacity(PIECES + 1), started: now }
    }

    /// The store has taken these.
    pub(crate) fn stored(&mut self, commit: &Commit, wall: Wall, now: Instant) {
        self.forget(now);
        if self.pieces.back().is_none_or(|piece| now >= piece.begins + PIECE) {
            // As far as from the start: pieces of one length, whenever something comes.
            let begun = now.duration_since(self.started).as_secs() / PIECE.as_secs() * PIECE.as_secs();
            let begins = self.started + Duration::from_secs(begun);
            let late_ms = Histogram::new_with_bounds(1, LATEST_MS, DIGITS).ok();
            self.pieces.push_back(Piece { begins, stored: 0, late_ms });
        }
        let Some(piece) = self.pieces.back_mut() else { return };
        for points in &commit.points {
            piece.stored += points.count();
            let set = points.time != Some(TimeFlag::Unset);
            let Some(late_ms) = piece.late_ms.as_mut().filter(|_| set) else { continue };
            for point in points.iter() {
                let late = milliseconds(wall.since(point.reading.ts()));
                if late <= LATEST_MS {
                    late_ms.saturating_record(late);
                }
            }
        }
    }

    /// Readings stored a second, of the last 10 s.
    #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(crate) fn per_s(&self, now: Instant) -> f64 {
        let span = PIECE * u32::try_from(PIECES_OF_RATE).unwrap_or(1);
        let whole = self.started
            + PIECE * u32::try_from(now.duration_since(self.started).as_secs() / PIECE.as_secs()).unwrap_or(0);
        let from = whole.checked_sub(span).unwrap_or(self.started);
        let counted = self.pieces.iter().filter(|piece| piece.begins >= from && piece.begins < whole);
        counted.map(|piece| piece.stored).sum::<u64>() as f64 / span.as_secs_f64()
    }

    /// How late the readings of the last minute were; none when there were none.
    pub(crate) fn latency(&mut self, now: Instant) -> Option<Latency> {
        self.forget(now);
        let mut all = Histogram::<u32>::new_with_bounds(1, LATEST_MS, DIGITS).ok()?;
        for late_ms in self.pieces.iter().filter_map(|piece| piece.late_ms.as_ref()) {
            all.add(late_ms).ok()?;
        }
        (!all.is_empty()).then(|| Latency { p50: all.value_at_quantile(0.5), p99: all.value_at_quantile(0.99) })
    }

    fn forget(&mut self, now: Instant) {
        let kept = PIECE * u32::try_from(PIECES).unwrap_or(1);
        while self.pieces.front().is_some_and(|piece| now.duration_since(piece.begins) >= kept) {
            self.pieces.pop_front();
        }
    }
}

fn milliseconds(late: Duration) -> u64 {
    u64::try_from(late.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{EPOCH_US, commit};
    use super::*;

    fn at(ms: i64) -> Wall {
        Wall::from_us(EPOCH_US + ms * 1000)
    }

    #[test]
    fn rate_and_lateness_are_of_what_was_stored_lately() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let s = |s: u64| start + Duration::from_secs(s);
        assert_eq!((meter.per_s(s(3)), meter.latency(s(3))), (0.0, None));
        // Ten readings a second, each 200 ms old.
        for second in 0..20 {
            meter.stored(&commit(10), at(200), s(second));
        }
        assert_eq!(meter.per_s(s(20)).to_bits(), 10.0_f64.to_bits());
        let late = meter.latency(s(20)).unwrap();
        assert!((198..=202).contains(&late.p50) && late.p50 == late.p99, "{late:?}");
        assert!(meter.latency(s(60)).is_some());
        assert_eq!((meter.per_s(s(60)), meter.latency(s(81))), (0.0, None), "it is forgotten after a minute");
    }

    #[test]
    fn one_that_is_played_says_nothing_and_one_from_the_future_is_on_time() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        meter.stored(&commit(98), at(10), start);
        meter.stored(&commit(1), at(-5000), start);
        meter.stored(&commit(1), at(24 * 3_600_000), start);
        let late = meter.latency(start).unwrap();
        assert_eq!(late.p50, 10);
        meter.stored(&commit(10), at(24 * 3_600_000), start);
        assert_eq!(meter.latency(start), Some(late));
    }

    #[test]
    fn a_clock_that_was_not_set_says_nothing_of_lateness() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let mut unset = commit(5);
        unset.points[0].time = Some(TimeFlag::Unset);
        meter.stored(&unset, at(10), start);
        assert_eq!(meter.latency(start), None);
        assert!(meter.per_s(start + PIECE) > 0.0, "but it is stored");
    }
}
