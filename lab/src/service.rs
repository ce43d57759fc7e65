//! How long nothing went on: nothing new was stored, by the counters of the ingesters, from outside and for every store alike; or
//! no reading of an agent was acknowledged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Between two looks: the grain of what is measured.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Shorter times without a new reading are no gaps: agents commit and ingesters store in bursts.
const GAP_MIN: Duration = Duration::from_millis(500);
/// The most gaps that are kept: one every half second for seven hours.
const GAPS_MAX: usize = 50_000;
/// What is counted.
const METRIC: &str = "fogline_ingest_stored_total ";

/// A time in which nothing went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// When something did last.
    pub(crate) from: Instant,
    /// When something did again.
    pub(crate) to: Instant,
}

/// The times in which nothing went on.
#[derive(Debug, Clone)]
pub(crate) struct Gaps {
    last: Instant,
    gaps: Vec<Gap>,
}

impl Gaps {
    /// None until now.
    pub(crate) fn new() -> Self {
        Self { last: Instant::now(), gaps: Vec::new() }
    }

    /// Something goes on.
    pub(crate) fn note(&mut self, now: Instant) {
        let gap = Gap { from: self.last, to: now };
        if gap.to - gap.from >= GAP_MIN && self.gaps.len() < GAPS_MAX {
            self.gaps.push(gap);
        }
        self.last = now;
    }

    /// All of them; the last one is still open and ends now.
    pub(crate) fn all(&self) -> Vec<Gap> {
        let open = Gap { from: self.last, to: Instant::now() };
        self.gaps.iter().copied().chain([open]).collect()
    }
}

/// Watches from its start until it is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    seen: Arc<Mutex<Seen>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Seen {
    gaps: Gaps,
    stored: u64,
}

impl Service {
    /// Watches the ingesters whose HTTP ports these are. Must be called on a Tokio runtime.
    pub(crate) fn watch(ports: Vec<u16>) -> Self {
        let seen = Arc::new(Mutex::new(Seen { gaps: Gaps::new(), stored: 0 }));
        // Each by itself: one that is held must not keep the others from being seen.
        let tasks = ports.into_iter().map(|port| tokio::spawn(look(port, Arc::clone(&seen)))).collect();
        Self { seen, tasks }
    }

    /// Readings that were seen to be stored. What an ingester stored just before it died is not among them.
    pub(crate) fn stored(&self) -> u64 {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).stored
    }

    /// The gaps until now; the last one is still open and ends now.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).gaps.all()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The longest of these gaps that has a part between two instants.
pub(crate) fn longest(gaps: &[Gap], from: Instant, to: Instant) -> Duration {
    let within = gaps.iter().filter(|gap| gap.to > from && gap.from < to);
    within.map(|gap| gap.to - gap.from).max().unwrap_or_default()
}

async fn look(port: u16, seen: Arc<Mutex<Seen>>) {
    let mut count = 0;
    loop {
        if let Some(now) = stored(port).await {
            if now != count && now > 0 {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.gaps.note(Instant::now());
                // An ingester that was started again counts from 0.
                seen.stored += now.checked_sub(count).unwrap_or(now);
            }
            count = now;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn stored(port: u16) -> Option<u64> {
    let (_, page) = crate::ask::http(port, "GET", "/metrics", "").await.ok()?;
    page.lines().find_map(|line| line.strip_prefix(METRIC)?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_charged_with_the_longest_gap_that_touches_it() {
        let zero = Instant::now();
        let at = |s| zero + Duration::from_secs(s);
        let gaps = [Gap { from: at(1), to: at(3) }, Gap { from: at(5), to: at(9) }, Gap { from: at(20), to: at(21) }];
        assert_eq!(longest(&gaps, at(2), at(4)), Duration::from_secs(2));
        assert_eq!(longest(&gaps, at(2), at(6)), Duration::from_secs(4));
        assert_eq!(longest(&gaps, at(10), at(12)), Duration::ZERO);
    }
}
