//! When failed attempts amount to a dead broker.

use std::time::{Duration, Instant};

/// Fewer failures in a row prove nothing: a suspended process finds one deadline long past when it wakes up.
const MIN_FAILURES: u32 = 3;

/// Counts failures in a row.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Duration,
    failing_since: Option<Instant>,
    failures: u32,
}

impl Patience {
    pub(crate) fn new(deadline: Duration) -> Self {
        Self { deadline, failing_since: None, failures: 0 }
    }

    pub(crate) fn success(&mut self) {
        self.failing_since = None;
        self.failures = 0;
    }

    /// Takes an attempt's failure into account. `Some` says that the broker is dead, and for how long it has been silent.
    pub(crate) fn failure(&mut self, started: Instant, now: Instant) -> Option<Duration> {
        let since = *self.failing_since.get_or_insert(started);
        self.failures = self.failures.saturating_add(1);
        let silent_for = now.saturating_duration_since(since);
        (self.failures >= MIN_FAILURES && silent_for >= self.deadline).then_some(silent_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn failures_up_to_the_deadline_are_death() {
        let start = Instant::now();
        let mut patience = Patience::new(10 * SECOND);
        assert_eq!(patience.failure(start, start + 5 * SECOND), None);
        assert_eq!(patience.failure(start + 6 * SECOND, start + 9 * SECOND), None);
        assert_eq!(patience.failure(start + 9 * SECOND, start + 11 * SECOND), Some(11 * SECOND));
    }

    #[test]
    fn a_success_starts_anew() {
        let start = Instant::now();
        let mut patience = Patience::new(SECOND);
        assert_eq!(patience.failure(start, start + 2 * SECOND), None);
        assert_eq!(patience.failure(start, start + 3 * SECOND), None);
        patience.success();
        assert_eq!(patience.failure(start + 4 * SECOND, start + 5 * SECOND), None);
    }

    #[test]
    fn one_long_pause_is_not_death() {
        let start = Instant::now();
        let mut patience = Patience::new(SECOND);
        assert_eq!(patience.failure(start, start + 3600 * SECOND), None);
        patience.success();
    }
}
