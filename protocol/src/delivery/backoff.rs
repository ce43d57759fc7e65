//! When to send again: the round trip's bound while things work, slower and slower probes while they do not.

use crate::rng::Rng;
use crate::time::Monotonic;
use std::time::Duration;

/// The shortest time after which a batch is sent again. The ingester repeats its acknowledgements within it, so that a
/// slow store is not taken for a loss.
pub const RESEND_MIN: Duration = Duration::from_secs(2);
/// The longest time between two probes.
pub const RESEND_MAX: Duration = Duration::from_secs(5);

/// The smoothed round trip and its variation, as in RFC 6298 section 2, between [`RESEND_MIN`] and [`RESEND_MAX`].
#[derive(Debug, Clone)]
pub struct Backoff {
    smoothed: Option<(Duration, Duration)>,
    failures: u32,
    rng: Rng,
}

impl Backoff {
    /// Nothing measured yet.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { smoothed: None, failures: 0, rng: Rng::new(seed) }
    }

    /// A batch that was sent once was acknowledged after `round_trip`. (Karn's rule: resent ones measure nothing.)
    pub fn measured(&mut self, round_trip: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (round_trip, round_trip / 2),
            Some((mean, variation)) => {
                (mean * 7 / 8 + round_trip / 8, variation * 3 / 4 + mean.abs_diff(round_trip) / 4)
            }
        });
    }

    /// Something was acknowledged: the other side is alive.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A time was up.
    pub const fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
    }

    /// True while the last thing that happened was a time-out: then one batch at a time goes out.
    #[must_use]
    pub const fn probing(&self) -> bool {
        self.failures > 0
    }

    /// When to give up waiting for what is sent now. Up to a quarter later by chance, so that a fleet does not beat in
    /// time.
    pub fn deadline(&mut self, now: Monotonic) -> Monotonic {
        let bound = self.smoothed.map_or(RESEND_MIN, |(mean, variation)| mean + variation * 4);
        let doubled = bound.max(RESEND_MIN).saturating_mul(1 << self.failures.min(4));
        let wait = doubled.min(RESEND_MAX);
        let quarter = u64::try_from(wait.as_micros() / 4).unwrap_or(0);
        now + wait + Duration::from_micros(self.rng.below(quarter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(backoff: &mut Backoff) -> Duration {
        backoff.deadline(Monotonic::ZERO).since(Monotonic::ZERO)
    }

    #[test]
    fn waits_stay_between_their_bounds() {
        let mut backoff = Backoff::new(1);
        assert!((RESEND_MIN..RESEND_MIN * 5 / 4).contains(&wait(&mut backoff)));
        backoff.measured(Duration::from_millis(5));
        assert!(
            (RESEND_MIN..RESEND_MIN * 5 / 4).contains(&wait(&mut backoff)),
            "a short round trip does not shorten it"
        );
        for _ in 0..40 {
            backoff.failed();
        }
        assert!((RESEND_MAX..RESEND_MAX * 5 / 4).contains(&wait(&mut backoff)));
        backoff.succeeded();
        for _ in 0..50 {
            backoff.measured(Duration::from_secs(3));
        }
        assert!(wait(&mut backoff) >= Duration::from_secs(3), "a long round trip lengthens it");
    }
}
