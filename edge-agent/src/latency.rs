//! How long readings take from the sensor to their acknowledgement.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// The longest time that is told from longer ones: an hour, in microseconds. What takes longer was an outage.
const LONGEST_US: u64 = 3_600_000_000;
/// Figures of each time that are kept: to a thousandth.
const FIGURES: u8 = 3;

/// A distribution of times, in microseconds.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

/// A distribution of times in few words; all in microseconds, each exact to a thousandth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// How many readings.
    pub count: u64,
    /// Half of them took at most so long.
    pub p50_us: u64,
    /// 99% of them took at most so long.
    pub p99_us: u64,
    /// 99.9% of them took at most so long.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Times that are kept in no histogram: a fault of this program.
#[derive(Debug, thiserror::Error)]
#[error("no histogram of times: {0}")]
pub struct LatencyError(String);

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// None in practice: the bounds are constants that fit.
    pub fn new() -> Result<Self, LatencyError> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_US, FIGURES);
        histogram.map(Self).map_err(|error| LatencyError(error.to_string()))
    }

    /// Adds a time in microseconds.
    pub fn record(&mut self, us: u64) {
        self.record_n(us, 1);
    }

    /// Adds `count` equal times in microseconds.
    pub fn record_n(&mut self, us: u64, count: u64) {
        self.0.saturating_record_n(us.clamp(1, LONGEST_US), count);
    }

    /// The distribution as (time in microseconds, how many): what [`Latencies::record_n`] makes the same one of, for merging
    /// those of several agents.
    #[must_use]
    pub fn counts(&self) -> Vec<(u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to().min(LONGEST_US), step.count_at_value())).collect()
    }

    /// In few words.
    #[must_use]
    pub fn summary(&self) -> LatencySummary {
        if self.0.is_empty() {
            return LatencySummary::default();
        }
        let at = |quantile| self.0.value_at_quantile(quantile).min(self.0.max());
        LatencySummary {
            count: self.0.len(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: self.0.max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_survives_its_counts() {
        let mut latencies = Latencies::new().unwrap();
        assert_eq!(latencies.summary(), LatencySummary::default());
        (1..=10_000).for_each(|us| latencies.record(us * 17));
        latencies.record(u64::MAX);
        latencies.record(0);
        let mut merged = Latencies::new().unwrap();
        latencies.counts().into_iter().for_each(|(us, count)| merged.record_n(us, count));
        assert_eq!(merged.counts(), latencies.counts());
        let summary = latencies.summary();
        assert_eq!(summary.count, 10_002);
        assert!(summary.p50_us.abs_diff(85_000) < 200, "{summary:?}");
        assert!(summary.p999_us.abs_diff(169_830) < 400, "{summary:?}");
        assert!(summary.max_us >= LONGEST_US);
    }
}
