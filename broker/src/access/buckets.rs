//! How often something happened lately, for many at once, in bounded memory.

use std::{collections::HashMap, hash::Hash, time::Duration};

use tokio::time::Instant;

/// For each key one instant: when all that happened is forgotten. Each event moves it on by an interval (the generic cell
/// rate algorithm).
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    forgotten_at: HashMap<K, Instant>,
    interval: Duration,
    capacity: usize,
}

impl<K: Eq + Hash + Copy> Buckets<K> {
    /// One event is forgotten each `interval`; when there are `capacity` keys, the one that is forgotten first makes room.
    pub(crate) fn new(interval: Duration, capacity: usize) -> Self {
        Self { forgotten_at: HashMap::new(), interval, capacity }
    }

    /// The time until all that happened to `key` is forgotten.
    pub(crate) fn debt(&self, key: K, now: Instant) -> Duration {
        self.forgotten_at.get(&key).map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// How long `key` has to wait until one more event makes no more than `burst`; `None` if it need not.
    pub(crate) fn wait(&self, key: K, burst: u32, now: Instant) -> Option<Duration> {
        let excess = (self.debt(key, now) + self.interval).saturating_sub(self.interval * burst);
        (!excess.is_zero()).then_some(excess)
    }

    /// Adds an event, as long as the debt stays below `max_debt`.
    pub(crate) fn add(&mut self, key: K, max_debt: Duration, now: Instant) {
        let debt = (self.debt(key, now) + self.interval).min(max_debt);
        if !self.forgotten_at.contains_key(&key) && self.forgotten_at.len() >= self.capacity {
            self.make_room(now);
        }
        self.forgotten_at.insert(key, now + debt);
    }

    /// Takes an event back.
    pub(crate) fn take_back(&mut self, key: K, now: Instant) {
        let debt = self.debt(key, now).saturating_sub(self.interval);
        if debt.is_zero() {
            self.forgotten_at.remove(&key);
        } else if let Some(at) = self.forgotten_at.get_mut(&key) {
            *at = now + debt;
        }
    }

    /// Forgets all about `key`.
    pub(crate) fn forget(&mut self, key: K) {
        self.forgotten_at.remove(&key);
    }

    fn make_room(&mut self, now: Instant) {
        self.forgotten_at.retain(|_, at| *at > now);
        if self.forgotten_at.len() >= self.capacity
            && let Some(first) = self.forgotten_at.iter().min_by_key(|(_, at)| **at).map(|(key, _)| *key)
        {
            self.forgotten_at.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_burst_passes_and_then_one_in_each_interval() {
        let (mut buckets, start) = (Buckets::new(SECOND, 10), Instant::now());
        for _ in 0..3 {
            assert_eq!(buckets.wait("a", 3, start), None);
            buckets.add("a", Duration::MAX, start);
        }
        assert_eq!(buckets.wait("a", 3, start), Some(SECOND));
        assert_eq!(buckets.wait("b", 3, start), None);
        assert_eq!(buckets.wait("a", 3, start + SECOND), None);
        buckets.take_back("a", start);
        assert_eq!(buckets.wait("a", 3, start), None);
    }

    #[test]
    fn the_one_that_is_forgotten_first_makes_room() {
        let (mut buckets, now) = (Buckets::new(SECOND, 2), Instant::now());
        for key in ["a", "a", "b", "c"] {
            buckets.add(key, Duration::MAX, now);
        }
        assert_eq!(buckets.forgotten_at.len(), 2);
        assert_eq!(
            [buckets.debt("a", now), buckets.debt("b", now), buckets.debt("c", now)],
            [2 * SECOND, Duration::ZERO, SECOND]
        );
    }

    #[test]
    fn a_debt_has_an_end() {
        let (mut buckets, now) = (Buckets::new(SECOND, 2), Instant::now());
        (0..9).for_each(|_| buckets.add("a", 3 * SECOND, now));
        assert_eq!(buckets.debt("a", now), 3 * SECOND);
    }
}
