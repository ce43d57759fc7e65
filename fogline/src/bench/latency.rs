//! Distributions of many agents, of a part of their time.

use fogline_agent::latency::{Latencies, LatencySummary};
use std::collections::BTreeMap;

/// A distribution as agents tell it: pairs of microseconds and how many.
pub(crate) type Counts = Vec<(u64, u64)>;

/// The distribution of all agents together, of what was acknowledged after `before` and up to `after`, given in the same
/// order.
///
/// # Errors
/// None in practice.
pub(crate) fn between(before: &[Counts], after: &[Counts]) -> anyhow::Result<LatencySummary> {
    let mut merged = Latencies::new()?;
    for (after, before) in after.iter().zip(before) {
        let before: BTreeMap<u64, u64> = before.iter().copied().collect();
        for &(us, count) in after {
            let new = count.saturating_sub(before.get(&us).copied().unwrap_or(0));
            // A time that nothing took would still count as the longest.
            if new > 0 {
                merged.record_n(us, new);
            }
        }
    }
    Ok(merged.summary())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(times: impl IntoIterator<Item = u64>) -> Counts {
        let mut latencies = Latencies::new().unwrap();
        times.into_iter().for_each(|us| latencies.record(us));
        latencies.counts()
    }

    #[test]
    fn what_came_before_does_not_count() {
        let before = [counts([5_000_000; 10]), counts([])];
        let after = [counts([5_000_000; 10].into_iter().chain(1..=500)), counts(501..=1000)];
        let summary = between(&before, &after).unwrap();
        assert_eq!((summary.count, summary.p50_us, summary.max_us), (1000, 500, 1000));
    }
}
