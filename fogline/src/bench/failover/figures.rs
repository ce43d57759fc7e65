//! How long the takeovers took, and what became of the readings.

use super::limits::Limits;
use super::strike::Strike;
use crate::audit::Counts;
use crate::figures::{as_micros, count, micros};
use crate::table::Table;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Failover {
    /// Each strike.
    pub(crate) times: Vec<Times>,
    /// The limits in force on the agents meanwhile.
    pub(crate) limits: Limits,
    /// What became of all readings.
    pub(crate) total: Counts,
    /// Readings counted as stored whose numbers nobody knows.
    pub(crate) missing: u64,
    /// Whether the audit found nothing lost and nothing stored twice.
    pub(crate) passed: bool,
}

/// The takeovers after one kind of strike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    /// What was struck.
    pub(crate) strike: &'static str,
    /// What was waited for.
    pub(crate) until: &'static str,
    pub(crate) goal_ms: u64,
    pub(crate) min_ms: u64,
    pub(crate) median_ms: u64,
    pub(crate) max_ms: u64,
    /// Whether the longest is within the goal.
    pub(crate) met: bool,
    /// Each, in the order in which they were measured.
    pub(crate) rounds_ms: Vec<u64>,
}

impl Times {
    /// Of at least one round.
    pub(super) fn new(strike: Strike, took: &[Duration]) -> Self {
        let ms = |duration: &Duration| as_micros(*duration) / 1000;
        let rounds_ms: Vec<u64> = took.iter().map(ms).collect();
        let mut sorted = rounds_ms.clone();
        sorted.sort_unstable();
        let at = |place: usize| sorted.get(place).copied().unwrap_or(0);
        let (goal_ms, max_ms) = (ms(&strike.goal()), at(sorted.len().saturating_sub(1)));
        let (min_ms, median_ms) = (at(0), at(sorted.len() / 2));
        let (strike, until) = (strike.name(), strike.until());
        Self { strike, until, goal_ms, min_ms, median_ms, max_ms, met: max_ms <= goal_ms, rounds_ms }
    }
}

impl Failover {
    /// What is wrong, a sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let missed = self.times.iter().filter(|times| !times.met);
        let mut problems: Vec<String> = missed
            .map(|Times { strike, max_ms, goal_ms, .. }| {
                format!("{strike}: {max_ms} ms are over the goal of {goal_ms} ms")
            })
            .collect();
        if self.limits.went_back > 0 {
            problems.push(format!("{} limits were older than the one in force before", self.limits.went_back));
        }
        if !self.passed {
            let Counts { lost, duplicates, .. } = self.total;
            problems.push(format!("{lost} readings are lost, {duplicates} stored twice, {} missing", self.missing));
        }
        if self.total.stored == 0 {
            problems.push("no reading was stored at all".to_owned());
        }
        problems
    }
}

impl fmt::Display for Failover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(&["struck", "rounds", "min", "median", "max", "goal", ""]);
        for times in &self.times {
            let figures = [times.min_ms, times.median_ms, times.max_ms, times.goal_ms].map(|ms| micros(ms * 1000));
            let name = format!("{}: {}", times.strike, times.until);
            let met = if times.met { "met" } else { "MISSED" };
            let cells = [name, times.rounds_ms.len().to_string()].into_iter().chain(figures);
            table.row(cells.chain([met.to_owned()]));
        }
        writeln!(f, "{table}")?;
        let Limits { seen, went_back, .. } = &self.limits;
        writeln!(f, "limits: {} came into force, {went_back} went back", count(*seen))?;
        let Counts { accepted, stored, queued, lost, duplicates, .. } = self.total;
        let verdict = if self.passed { "nothing was lost" } else { "FAILED" };
        writeln!(
            f,
            "audit: {verdict}: {} accepted, {} stored, {duplicates} more than once, {} still queued, {lost} lost",
            count(accepted),
            count(stored),
            count(queued),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failover(took_ms: &[u64], lost: u64, went_back: u64) -> Failover {
        let took: Vec<Duration> = took_ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        let mut limits = Limits::default();
        (limits.seen, limits.went_back) = (4, went_back);
        let total = Counts { accepted: 1000 + lost, stored: 1000, lost, ..Counts::default() };
        let times = vec![Times::new(Strike::LeaderKilled, &took)];
        Failover { times, limits, total, missing: 0, passed: lost == 0 }
    }

    #[test]
    fn the_longest_round_must_meet_the_goal() {
        let good = failover(&[4200, 3900, 5000], 0, 0);
        let Times { min_ms, median_ms, max_ms, met, .. } = good.times[0];
        assert_eq!((min_ms, median_ms, max_ms, met), (3900, 4200, 5000, true));
        assert_eq!(good.problems(), [""; 0]);
        let late = failover(&[1, 5001], 0, 0);
        assert!(late.problems()[0].contains("5001 ms are over the goal of 5000 ms"), "{:?}", late.problems());
    }

    #[test]
    fn loss_and_a_limit_that_went_back_are_problems() {
        assert!(failover(&[1], 3, 0).problems()[0].contains("3 readings are lost"));
        assert!(failover(&[1], 0, 1).problems()[0].contains("older"));
    }

    #[test]
    fn a_table_says_it_all() {
        let expected = "\
struck                                                rounds     min  median     max    goal
leader killed: first new reading stored by the other       2  3.90 s  4.20 s  4.20 s  5.00 s  met

limits: 4 came into force, 0 went back
audit: nothing was lost: 1,000 accepted, 1,000 stored, 0 more than once, 0 still queued, 0 lost
";
        assert_eq!(failover(&[4200, 3900], 0, 0).to_string(), expected);
    }
}
