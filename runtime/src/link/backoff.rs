//! How long to wait before the next attempt to connect.

use std::time::Duration;

/// Longest wait before the next broker of the list, and before the second round. Short, because most cuts are a broker that restarts.
const INITIAL: Duration = Duration::from_millis(250);

/// Longest wait of all, by default. A broker that comes back is to be found within 8 s, the walk over the others and the first answer included;
/// and a thousand clients of one broker that return evenly within 5 s are 200 a second, which a broker with TLS takes too.
pub(super) const CAP: Duration = Duration::from_secs(5);

/// Exponential backoff with full jitter: a wait is drawn evenly from zero to a bound that doubles with each round, so
/// that ten thousand clients of one restarted broker do not return at the same moment.
///
/// A round tries each broker of the list once, quickly; the second broker is not punished for the failure of the first.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    random: u64,
    failures: u32,
    brokers: u32,
    cap: Duration,
}

impl Backoff {
    /// A backoff over a list of `brokers` (at least 1), with no wait longer than `cap`. The same `seed` gives the same waits.
    pub(super) fn new(seed: u64, brokers: usize, cap: Duration) -> Self {
        Self { random: seed, failures: 0, brokers: u32::try_from(brokers).unwrap_or(u32::MAX).max(1), cap }
    }

    /// Counts a failure and says how long to wait before the next attempt.
    pub(super) fn next_delay(&mut self) -> Duration {
        let bound = self.bound();
        self.failures = self.failures.saturating_add(1);
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX - 1);
        Duration::from_micros(self.next_random() % (bound_us + 1))
    }

    /// To be called after a session that was stable: a broker that accepts and drops in a loop must not reset the waits.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    fn bound(&self) -> Duration {
        let attempts = self.failures.saturating_add(1);
        if !attempts.is_multiple_of(self.brokers) {
            return INITIAL.min(self.cap);
        }
        let rounds = attempts / self.brokers;
        let factor = 1_u32.checked_shl(rounds - 1).unwrap_or(u32::MAX);
        INITIAL.checked_mul(factor).unwrap_or(self.cap).min(self.cap)
    }

    /// SplitMix64: enough for jitter, and it needs no dependency.
    fn next_random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(seed: u64, brokers: usize, count: usize) -> Vec<Duration> {
        let mut backoff = Backoff::new(seed, brokers, CAP);
        (0..count).map(|_| backoff.next_delay()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_waits_and_another_seed_others() {
        assert_eq!(delays(7, 1, 20), delays(7, 1, 20));
        assert_ne!(delays(7, 1, 20), delays(8, 1, 20));
    }

    #[test]
    fn waits_stay_under_a_bound_that_doubles_up_to_the_cap() {
        for seed in 0..200 {
            let mut bound = INITIAL;
            for delay in delays(seed, 1, 40) {
                assert!(delay <= bound, "seed {seed}: {delay:?} over {bound:?}");
                bound = (bound * 2).min(CAP);
            }
        }
    }

    #[test]
    fn jitter_is_full() {
        let first: Vec<Duration> = (0..200).map(|seed| delays(seed, 1, 1)[0]).collect();
        assert!(first.iter().any(|delay| *delay < INITIAL / 10));
        assert!(first.iter().any(|delay| *delay > INITIAL * 9 / 10));
    }

    #[test]
    fn many_failures_do_not_overflow_and_still_wait() {
        let mut backoff = Backoff::new(1, 1, CAP);
        backoff.failures = u32::MAX;
        let longest = (0..100).map(|_| backoff.next_delay()).max().unwrap();
        assert!(longest <= CAP && longest > CAP / 2, "{longest:?}");
    }

    #[test]
    fn a_round_over_three_brokers_counts_as_one_failure() {
        for seed in 0..200 {
            assert!(delays(seed, 3, 3).iter().all(|delay| *delay <= INITIAL));
        }
        let sixth = (0..200).map(|seed| delays(seed, 3, 6)[5]).max().unwrap();
        assert!(sixth > INITIAL && sixth <= INITIAL * 2, "{sixth:?}");
    }

    #[test]
    fn within_a_round_waits_are_short_however_long_all_are_away() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed, 3, CAP);
            backoff.failures = 300;
            let waits: Vec<Duration> = (0..3).map(|_| backoff.next_delay()).collect();
            assert!(waits[0] <= INITIAL && waits[1] <= INITIAL && waits[2] <= CAP, "{waits:?}");
        }
    }

    #[test]
    fn a_reset_starts_again_with_the_shortest_bound() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed, 1, CAP);
            for _ in 0..10 {
                backoff.next_delay();
            }
            backoff.reset();
            assert!(backoff.next_delay() <= INITIAL);
        }
    }

    #[test]
    fn whoever_is_in_a_hurry_waits_less() {
        let mut backoff = Backoff::new(7, 1, Duration::from_secs(1));
        let longest = (0..200).map(|_| backoff.next_delay()).max().unwrap();
        assert!((Duration::from_millis(900)..=Duration::from_secs(1)).contains(&longest), "{longest:?}");
    }
}
