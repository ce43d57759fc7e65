//! Whether anything got lost.

use super::fleet::Left;
use serde::Serialize;

/// What is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Readings.
    pub(crate) readings: u64,
    /// Of these, readings that are there more than once; none where that cannot be counted.
    pub(crate) duplicates: Option<u64>,
    /// What was counted.
    pub(crate) counted: &'static str,
}

/// The account at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    /// Readings that the agents were told are stored.
    pub(crate) acknowledged: u64,
    /// Readings that are.
    pub(crate) stored: u64,
    /// What was counted as stored.
    pub(crate) counted: &'static str,
    /// Readings that are stored more than once.
    pub(crate) duplicates: Option<u64>,
    /// Readings that wait in the queues; they may be stored already.
    pub(crate) queued: u64,
    /// Readings that full queues dropped.
    pub(crate) dropped: u64,
    /// Whether it is right.
    pub(crate) passed: bool,
}

impl Check {
    /// Compares the agents' account with the store's.
    pub(crate) fn new(left: Left, stored: Stored) -> Self {
        let mut check = Self {
            acknowledged: left.acknowledged,
            stored: stored.readings,
            counted: stored.counted,
            duplicates: stored.duplicates,
            queued: left.queued,
            dropped: left.dropped,
            passed: false,
        };
        check.passed = check.problems().is_empty();
        check
    }

    /// What is wrong, a sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let Self { acknowledged, stored, queued, dropped, .. } = *self;
        let mut problems = Vec::new();
        if stored < acknowledged {
            problems.push(format!("{} readings were acknowledged and are not in the store", acknowledged - stored));
        }
        if stored > acknowledged + queued {
            problems
                .push(format!("{} readings are in the store that no agent has sent", stored - acknowledged - queued));
        }
        if let Some(duplicates) = self.duplicates.filter(|duplicates| *duplicates > 0) {
            problems.push(format!("{duplicates} readings are in the store more than once"));
        }
        if dropped > 0 {
            problems.push(format!(
                "{dropped} readings were dropped by full queues: what was measured is not what was planned"
            ));
        }
        if acknowledged == 0 {
            problems.push("no reading was acknowledged at all".to_owned());
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(acknowledged: u64, queued: u64, readings: u64, duplicates: u64) -> Check {
        let left = Left { acknowledged, queued, dropped: 0 };
        Check::new(left, Stored { readings, duplicates: Some(duplicates), counted: "rows" })
    }

    #[test]
    fn an_honest_account_passes() {
        assert!(check(100, 0, 100, 0).passed);
        assert!(check(100, 10, 107, 0).passed, "stored, and the acknowledgement is on its way");
    }

    #[test]
    fn loss_duplicates_and_strangers_are_seen() {
        for (check, word) in [
            (check(100, 10, 99, 0), "not in the store"),
            (check(100, 10, 111, 0), "no agent has sent"),
            (check(100, 10, 105, 1), "more than once"),
            (check(0, 10, 0, 0), "no reading"),
        ] {
            assert!(!check.passed);
            assert!(check.problems().iter().any(|problem| problem.contains(word)), "{:?}", check.problems());
        }
    }
}
