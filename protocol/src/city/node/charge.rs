//! What a coordinator does while it is in charge: the average over all nodes, every five seconds.

use crate::city::grid::NODES_MAX;
use crate::city::message::Average;
use crate::city::sliding::micros;
use crate::ids::Name;
use crate::time::{Monotonic, Now, Wall};
use std::collections::BTreeSet;
use std::time::Duration;

/// A local average whose window ended longer ago is uploaded, and says nothing of how the air is now.
const FRESH_FOR: Duration = Duration::from_secs(30);

/// The current interval.
#[derive(Debug)]
pub(super) struct Charge {
    every: Duration,
    from: Wall,
    next: Monotonic,
    sum: f64,
    n: u64,
    nodes: BTreeSet<Name>,
}

impl Charge {
    /// In charge from now on.
    pub(super) fn new(every: Duration, now: Now) -> Self {
        let mut charge = Self { every, from: now.wall, next: now.mono, sum: 0.0, n: 0, nodes: BTreeSet::new() };
        charge.next = charge.after(now);
        charge
    }

    /// A node's average has come in this interval.
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn add(&mut self, node: &Name, average: &Average, now: Wall) {
        let fresh = now.since(Wall::from_us(average.ts_us)) <= FRESH_FOR;
        if fresh && (self.nodes.len() < NODES_MAX || self.nodes.contains(node)) {
            self.sum += average.mean * average.n as f64;
            self.n = self.n.saturating_add(average.n).min(crate::ids::SEQ_MAX);
            self.nodes.insert(node.clone());
        }
    }

    /// When the interval ends.
    pub(super) const fn next(&self) -> Monotonic {
        self.next
    }

    /// Ends the interval, and gives its average and whose it is; none when no node had one.
    #[allow(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn end(&mut self, now: Now) -> (Option<Average>, Vec<Name>) {
        let (from, n, sum) = (self.from, self.n, self.sum);
        // Intervals end where the clock's full steps are, when the timer was on time.
        let full = now.wall.us() - now.wall.us().rem_euclid(micros(self.every).max(1));
        let on_time = full > from.us() && now.wall.us() - full < 1_000_000;
        let to = if on_time { full } else { now.wall.us().max(from.us()) };
        (self.from, self.next, self.sum, self.n) = (Wall::from_us(to), self.after(now), 0.0, 0);
        let nodes = std::mem::take(&mut self.nodes).into_iter().collect();
        let mean = (n > 0).then(|| (sum / n as f64 * 1000.0).round() / 1000.0);
        (mean.map(|mean| Average { from_us: from.us(), ts_us: to, mean, n }), nodes)
    }

    /// The interval goes on for another step.
    pub(super) fn go_on(&mut self, now: Now) {
        self.next = self.after(now);
    }

    /// The next full step of the clock.
    fn after(&self, now: Now) -> Monotonic {
        let every = micros(self.every).max(1);
        let rest = every - now.wall.us().rem_euclid(every);
        now.mono + Duration::from_micros(u64::try_from(rest).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Now {
        Now { mono: Monotonic::from_us(u64::try_from(ms * 1000).unwrap()), wall: Wall::from_us(ms * 1000) }
    }

    #[test]
    fn averages_are_weighed_by_their_samples_and_stale_ones_are_left_out() {
        let mut charge = Charge::new(Duration::from_secs(5), at(102_300));
        let [a, b] = ["a", "b"].map(|name| Name::new(name).unwrap());
        let average = |ts_s: i64, mean, n| Average { from_us: 0, ts_us: ts_s * 1_000_000, mean, n };
        charge.add(&a, &average(101, 10.0, 1), at(103_000).wall);
        charge.add(&b, &average(102, 30.0, 3), at(103_000).wall);
        charge.add(&b, &average(60, 1000.0, 50), at(103_000).wall);
        assert_eq!(charge.next(), at(105_000).mono);
        let expected = Average { from_us: 102_300_000, ts_us: 105_000_000, mean: 25.0, n: 4 };
        assert_eq!(charge.end(at(105_002)), (Some(expected), vec![a.clone(), b]));
        assert_eq!(charge.next(), at(110_000).mono);
        charge.add(&a, &average(104, 8.0, 2), at(106_000).wall);
        let part = Average { from_us: 105_000_000, ts_us: 107_500_000, mean: 8.0, n: 2 };
        assert_eq!(charge.end(at(107_500)).0, Some(part), "a part of an interval");
        assert_eq!(charge.end(at(110_000)).0, None);
    }
}
