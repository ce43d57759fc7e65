//! Averages over time: mergeable aggregates in tumbling windows of event time.

use crate::ids::{AgentId, Name};
use crate::time::Wall;
use std::collections::BTreeMap;
use std::time::Duration;

/// The window that decisions rest on, in seconds.
pub const DECISION_WIDTH_S: u32 = 5;
/// The windows that are stored, in seconds. Each is a multiple of the one before.
pub const STORED_WIDTHS_S: [u32; 3] = [DECISION_WIDTH_S, 60, 3600];

/// Of whom an average speaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All agents of a region.
    Region(Name),
    /// One agent.
    Agent(AgentId),
    /// A group of sensors across regions, as their use case has it.
    Group(Name),
}

impl Scope {
    /// The names by which databases keep it: region and agent. A region has no agent, a group no region.
    #[must_use]
    pub fn names(&self) -> (&str, &str) {
        match self {
            Self::Region(region) => (region.as_str(), ""),
            Self::Agent(id) => (id.region.as_str(), id.agent.as_str()),
            Self::Group(group) => ("", group.as_str()),
        }
    }

    /// The scope of these names; none when they are none.
    #[must_use]
    pub fn of_names(region: &str, agent: &str) -> Option<Self> {
        let name = |text: &str| Name::new(text).ok();
        match (region, agent) {
            ("", group) => name(group).map(Self::Group),
            (region, "") => name(region).map(Self::Region),
            (region, agent) => Some(Self::Agent(AgentId { region: name(region)?, agent: name(agent)? })),
        }
    }
}

/// What is kept of any number of values. Two of them merge into what all their values would have given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Aggregate {
    /// How many values.
    pub n: u64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_squares: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Default for Aggregate {
    fn default() -> Self {
        Self { n: 0, sum: 0.0, sum_squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY }
    }
}

impl Aggregate {
    /// Adds a finite value.
    pub fn add(&mut self, value: f64) {
        self.n += 1;
        self.sum += value;
        self.sum_squares += value * value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Adds all values of another.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.sum_squares += other.sum_squares;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The mean; none without values.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }
}

/// When the window of `width_s` seconds that holds `ts` begins.
#[must_use]
pub fn window_start(ts: Wall, width_s: u32) -> Wall {
    let width_us = i64::from(width_s) * 1_000_000;
    Wall::from_us(ts.us() - ts.us().rem_euclid(width_us))
}

/// Windows that are open: keyed values by the start of their window. Time moves by the owner's clock alone, so that no
/// reading from the future can close a window.
#[derive(Debug, Clone)]
pub struct Windows<K> {
    width_s: u32,
    grace: Duration,
    /// Windows that begin before this are closed and stay closed, also when the clock is set back.
    closed_before: Wall,
    open: BTreeMap<(Wall, K), Aggregate>,
}

/// How a value stands to the open windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Its window is open: it counts.
    OnTime,
    /// Its window is closed.
    Late,
    /// Its window begins more than the grace after now.
    Future,
}

impl<K: Ord + Clone> Windows<K> {
    /// Windows of `width_s` seconds that stay open for `grace` after their end.
    #[must_use]
    pub const fn new(width_s: u32, grace: Duration) -> Self {
        Self { width_s, grace, closed_before: Wall::MIN, open: BTreeMap::new() }
    }

    /// How a window that begins at `start` stands now.
    #[must_use]
    pub fn timing(&self, start: Wall, now: Wall) -> Timing {
        if start < self.closed_before || self.end(start) + self.grace <= now {
            Timing::Late
        } else if start > now + self.grace {
            Timing::Future
        } else {
            Timing::OnTime
        }
    }

    /// Merges values into the window that begins at `start`, if it is on time.
    pub fn merge(&mut self, start: Wall, key: K, values: &Aggregate, now: Wall) -> Timing {
        let timing = self.timing(start, now);
        if timing == Timing::OnTime {
            self.open.entry((start, key)).or_default().merge(values);
        }
        timing
    }

    /// Takes out the windows whose time is over, oldest first.
    pub fn close(&mut self, now: Wall) -> Vec<(Wall, K, Aggregate)> {
        let reach = now - self.grace - self.width();
        let closes_before = window_start(reach, self.width_s) + self.width();
        self.closed_before = self.closed_before.max(closes_before);
        let mut closed = Vec::new();
        while let Some(entry) = self.open.first_entry().filter(|entry| entry.key().0 < self.closed_before) {
            let ((start, key), values) = entry.remove_entry();
            closed.push((start, key, values));
        }
        closed
    }

    /// When the next window closes: none when none is open.
    #[must_use]
    pub fn next_close(&self) -> Option<Wall> {
        self.open.keys().next().map(|(start, _)| self.end(*start) + self.grace)
    }

    /// How many keyed windows are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// True when none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn width(&self) -> Duration {
        Duration::from_secs(u64::from(self.width_s))
    }

    fn end(&self, start: Wall) -> Wall {
        start + self.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn aggregate(values: &[f64]) -> Aggregate {
        let mut aggregate = Aggregate::default();
        values.iter().for_each(|value| aggregate.add(*value));
        aggregate
    }

    fn seconds(s: i64) -> Wall {
        Wall::from_us(s * 1_000_000)
    }

    proptest! {
        #[test]
        fn merged_parts_equal_the_whole(values in prop::collection::vec(-1e6_f64..1e6, 0..50), cut in 0_usize..50) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = aggregate(left);
            merged.merge(&aggregate(right));
            let whole = aggregate(&values);
            prop_assert_eq!((merged.n, merged.min, merged.max), (whole.n, whole.min, whole.max));
            prop_assert!((merged.sum - whole.sum).abs() <= 1e-6);
        }

        #[test]
        fn a_window_holds_its_time(us in 0_i64..1 << 53, width_s in 1_u32..4000) {
            let start = window_start(Wall::from_us(us), width_s);
            prop_assert!(start.us() <= us && us < start.us() + i64::from(width_s) * 1_000_000);
            prop_assert_eq!(start.us() % (i64::from(width_s) * 1_000_000), 0);
        }
    }

    #[test]
    fn a_window_closes_once_after_its_grace() {
        let mut windows = Windows::new(5, Duration::from_secs(1));
        assert_eq!(windows.merge(seconds(100), "a", &aggregate(&[1.0]), seconds(101)), Timing::OnTime);
        assert!(windows.close(seconds(105)).is_empty());
        assert_eq!(windows.next_close(), Some(seconds(106)));
        assert_eq!(windows.merge(seconds(100), "a", &aggregate(&[3.0]), seconds(105)), Timing::OnTime);
        let closed = windows.close(seconds(106));
        assert_eq!(closed, vec![(seconds(100), "a", aggregate(&[1.0, 3.0]))]);
        assert_eq!(windows.merge(seconds(100), "a", &aggregate(&[9.0]), seconds(106)), Timing::Late);
        assert_eq!(windows.merge(seconds(100), "a", &aggregate(&[9.0]), seconds(101)), Timing::Late, "clock set back");
        assert!(windows.close(seconds(200)).is_empty());
    }

    #[test]
    fn the_future_waits_outside() {
        let mut windows = Windows::new(5, Duration::from_secs(1));
        assert_eq!(windows.merge(seconds(110), "a", &aggregate(&[1.0]), seconds(100)), Timing::Future);
        assert!(windows.is_empty());
        assert_eq!(
            windows.merge(seconds(100), "a", &aggregate(&[1.0]), seconds(99)),
            Timing::OnTime,
            "within the grace"
        );
    }
}
