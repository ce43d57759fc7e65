//! Averages over a sliding window: windows of one length that begin a step apart, so that each sample is in several.

use super::message::Average;
use crate::time::Wall;
use crate::window::Aggregate;
use std::collections::BTreeMap;
use std::time::Duration;

/// The most windows that are open. Sensors that bring an hour of kept samples open some 720 of 5 s; beyond, the oldest are
/// closed before their time.
const OPEN_MAX: usize = 4096;
/// The longest window.
const LENGTH_MAX: Duration = Duration::from_secs(3600);
/// The most windows that a sample may be in.
const OVERLAP_MAX: u32 = 60;

/// How long windows are, and how far apart they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sliding {
    /// How long a window is: a multiple of the step, an hour at most. Default 10 s.
    pub length: Duration,
    /// How far apart windows begin, 100 ms at least. Default 5 s: a sample is in two windows.
    pub step: Duration,
    /// How long after its end a window waits for samples. Default 1 s.
    pub grace: Duration,
}

impl Default for Sliding {
    fn default() -> Self {
        Self { length: Duration::from_secs(10), step: Duration::from_secs(5), grace: Duration::from_secs(1) }
    }
}

/// Windows that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a window's length must be 1 to 60 times its step, a multiple of it, and 100 ms to an hour")]
pub struct SlidingError;

impl Sliding {
    /// Checks what is stated with the fields.
    ///
    /// # Errors
    /// [`SlidingError`].
    pub fn check(&self) -> Result<(), SlidingError> {
        let (length, step) = (micros(self.length), micros(self.step));
        let good = self.step >= Duration::from_millis(100)
            && self.length >= self.step
            && self.length <= LENGTH_MAX
            && self.grace <= LENGTH_MAX
            && length % step == 0
            && length / step <= i64::from(OVERLAP_MAX);
        if good { Ok(()) } else { Err(SlidingError) }
    }
}

/// An open window.
#[derive(Debug)]
struct Window {
    values: Aggregate,
    closes: Wall,
}

/// The windows of a node.
#[derive(Debug)]
pub(super) struct Windows {
    sliding: Sliding,
    /// When the node began: what is older is of samples that were kept elsewhere.
    since: Wall,
    /// Windows that end before or at this were closed.
    closed_through: i64,
    /// By their start, in microseconds.
    open: BTreeMap<i64, Window>,
    /// Makes the times of late averages differ; see [`Average::ts_us`].
    late: u64,
}

impl Windows {
    /// `mark` differs from start to start of the node.
    pub(super) const fn new(sliding: Sliding, mark: u64, since: Wall) -> Self {
        Self { sliding, since, closed_through: 0, open: BTreeMap::new(), late: mark }
    }

    /// Adds a sample to all windows that it is in. One from the future is of now.
    pub(super) fn add(&mut self, ts_us: i64, value: f64, now: Wall) {
        let (step, length) = (micros(self.sliding.step), micros(self.sliding.length));
        let ts = ts_us.min(now.us());
        let last = ts - ts.rem_euclid(step);
        let starts = (0..length / step).map(|back| last - back * step);
        for start in starts.filter(|start| *start >= Wall::MIN.us()) {
            // A late window gathers for the grace: what a sensor has kept comes in several messages.
            let end = Wall::from_us(start + length);
            let closes = end.max(now) + self.sliding.grace;
            let window = self.open.entry(start).or_insert(Window { values: Aggregate::default(), closes });
            window.values.add(value);
        }
    }

    /// Takes out the windows whose time is over, oldest first.
    pub(super) fn close(&mut self, now: Wall) -> Vec<Average> {
        let due: Vec<i64> =
            self.open.iter().filter(|(_, window)| window.closes <= now).map(|(start, _)| *start).collect();
        let excess = self.open.len().saturating_sub(OPEN_MAX);
        let excess: Vec<i64> = self.open.keys().take(excess).copied().collect();
        let mut closed = Vec::new();
        for start in due.into_iter().chain(excess) {
            let end = start + micros(self.sliding.length);
            closed.extend(self.take(start, end, now));
        }
        closed
    }

    /// Takes out all windows, as far as they have come.
    pub(super) fn flush(&mut self, now: Wall) -> Vec<Average> {
        let starts: Vec<i64> = self.open.keys().copied().collect();
        let length = micros(self.sliding.length);
        starts
            .into_iter()
            .filter_map(|start| self.take(start, (start + length).min(now.us()).max(start), now))
            .collect()
    }

    fn take(&mut self, start: i64, end: i64, now: Wall) -> Option<Average> {
        let Window { values, .. } = self.open.remove(&start)?;
        let whole = end == start + micros(self.sliding.length);
        let on_time = whole && start >= self.since.us() && end > self.closed_through && end <= now.us();
        if whole {
            self.closed_through = self.closed_through.max(end.min(now.us()));
        }
        let ts_us = if on_time { end } else { end + self.next_late_us() };
        values.mean().map(|mean| Average { from_us: start, ts_us, mean: (mean * 1000.0).round() / 1000.0, n: values.n })
    }

    /// Below a second.
    fn next_late_us(&mut self) -> i64 {
        self.late = self.late.wrapping_add(1);
        i64::try_from(self.late % 999_999).unwrap_or(0) + 1
    }

    /// When the next one closes.
    pub(super) fn next_close(&self) -> Option<Wall> {
        self.open.values().map(|window| window.closes).min()
    }
}

/// A duration that was checked.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(s: i64) -> Wall {
        Wall::from_us(s * 1_000_000)
    }

    fn windows() -> Windows {
        Windows::new(Sliding::default(), 7, seconds(100))
    }

    #[test]
    fn a_sample_is_in_two_windows_and_each_closes_once() {
        let mut windows = windows();
        windows.add(112_000_000, 20.0, seconds(112));
        windows.add(117_000_000, 30.0, seconds(117));
        assert_eq!(windows.next_close(), Some(seconds(116)));
        assert_eq!(windows.close(seconds(115)), []);
        let first = Average { from_us: 105_000_000, ts_us: 115_000_000, mean: 20.0, n: 1 };
        assert_eq!(windows.close(seconds(116)), [first]);
        let second = Average { from_us: 110_000_000, ts_us: 120_000_000, mean: 25.0, n: 2 };
        let third = Average { from_us: 115_000_000, ts_us: 125_000_000, mean: 30.0, n: 1 };
        assert_eq!(windows.close(seconds(130)), [second, third]);
        assert_eq!(windows.next_close(), None);
    }

    #[test]
    fn what_comes_late_is_an_average_of_its_own_with_a_time_of_its_own() {
        let mut windows = windows();
        windows.add(112_000_000, 20.0, seconds(112));
        assert_eq!(windows.close(seconds(130)).len(), 2);
        windows.add(112_500_000, 50.0, seconds(131));
        assert_eq!(windows.close(seconds(131)), [], "late samples are gathered");
        let late = windows.close(seconds(132));
        assert_eq!(
            late.iter().map(|late| (late.from_us, late.n)).collect::<Vec<_>>(),
            [(105_000_000, 1), (110_000_000, 1)]
        );
        assert!(late.iter().all(|late| late.ts_us % 1_000_000 > 0));
    }

    #[test]
    fn a_flush_ends_windows_now() {
        let mut windows = windows();
        windows.add(112_000_000, 20.0, seconds(112));
        let flushed = windows.flush(seconds(113));
        assert_eq!(flushed.iter().map(|part| part.ts_us / 1_000_000).collect::<Vec<_>>(), [113, 113]);
        assert!(flushed.iter().all(|part| part.ts_us % 1_000_000 > 0));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_averaged_as_often_as_windows_overlap(samples in prop::collection::vec((0_i64..4000, 0_i64..3), 1..200)) {
            let mut windows = windows();
            let (mut clock, mut counted) = (200, 0);
            for (back, ahead) in &samples {
                clock += ahead;
                windows.add((clock - back).max(50) * 1_000_000, 1.0, seconds(clock));
                counted += windows.close(seconds(clock)).iter().map(|average| average.n).sum::<u64>();
                prop_assert!(windows.open.len() <= OPEN_MAX + 2);
            }
            counted += windows.flush(seconds(clock)).iter().map(|average| average.n).sum::<u64>();
            prop_assert_eq!(counted, 2 * samples.len() as u64);
        }
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        let with = |length_ms, step_ms| {
            let (length, step) = (Duration::from_millis(length_ms), Duration::from_millis(step_ms));
            Sliding { length, step, ..Sliding::default() }.check()
        };
        assert_eq!(with(10_000, 5000), Ok(()));
        assert_eq!(with(5000, 5000), Ok(()));
        for (length, step) in [(10_000, 0), (10_000, 3000), (4000, 5000), (61_000, 1000), (7_200_000, 3_600_000)] {
            assert_eq!(with(length, step), Err(SlidingError), "{length} {step}");
        }
    }
}
