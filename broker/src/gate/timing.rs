//! What a connection waits for: keep-alive, a peer that takes nothing, its rate, and room.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Limits;
use crate::{router::inbox::Inbox, subscriptions::Route};

/// How often a connection looks after itself at least: frees memory it does not need.
const TICK: Duration = Duration::from_secs(30);
/// Longest that a publisher waits for clients that are behind, after each turn.
const PACE: Duration = Duration::from_millis(100);
/// Room is looked for again after this at the latest. Readers empty their inboxes within milliseconds.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until an inbox may have room again.
pub(super) async fn emptied(inbox: &Inbox) {
    // Time is up, or something was read: the caller looks again in both cases.
    drop(timeout(LOOK_AGAIN, inbox.emptied()).await);
}

/// Waits until all receivers have caught up, for a moment at most: slow clients slow their publishers down by no more.
pub(super) async fn caught_up(route: &Route) {
    let all = async {
        for receiver in &route.receivers {
            let caught_up = receiver.inbox.caught_up();
            if receiver.inbox.is_behind() {
                caught_up.await;
            }
        }
    };
    drop(timeout(PACE, all).await);
}

/// When a connection has been silent, or stuck, for too long.
#[derive(Debug)]
pub(super) struct Watch {
    /// One and a half times the keep-alive [MQTT-3.1.2-24].
    silence: Option<Duration>,
    write_timeout: Duration,
    heard: Instant,
    stuck_since: Option<Instant>,
}

/// Why a connection is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Late {
    Silent,
    Stuck,
}

impl Watch {
    /// `keep_alive` in seconds; 0 allows any silence.
    pub(super) fn new(keep_alive: u16, limits: &Limits, now: Instant) -> Self {
        let silence = (keep_alive > 0).then(|| Duration::from_millis(u64::from(keep_alive) * 1500));
        Self { silence, write_timeout: limits.write_timeout, heard: now, stuck_since: None }
    }

    /// Something was read.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// Something was written, and something may be left.
    pub(super) fn wrote(&mut self, left: bool, now: Instant) {
        self.stuck_since = left.then_some(now);
    }

    /// Something waits to be written.
    pub(super) fn waits(&mut self, now: Instant) {
        self.stuck_since.get_or_insert(now);
    }

    pub(super) fn check(&self, now: Instant) -> Result<(), Late> {
        if self.silence.is_some_and(|silence| now >= self.heard + silence) {
            return Err(Late::Silent);
        }
        if self.stuck_since.is_some_and(|since| now >= since + self.write_timeout) {
            return Err(Late::Stuck);
        }
        Ok(())
    }

    /// When to check next.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let silent = self.silence.map(|silence| self.heard + silence);
        let stuck = self.stuck_since.map(|since| since + self.write_timeout);
        [silent, stuck].into_iter().flatten().min().unwrap_or(now + TICK).clamp(now, now + TICK)
    }
}

/// Lets a client publish so much in a second, and a second's worth at once.
#[derive(Debug)]
pub(super) struct Rate {
    messages: Bucket,
    bytes: Bucket,
    looked: Instant,
}

#[derive(Debug)]
struct Bucket {
    per_second: f64,
    left: f64,
}

impl Bucket {
    fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), left: f64::from(per_second) }
    }

    /// Takes `count` out, after putting in what `elapsed` brings; gives the time until the bucket is not empty any more.
    fn take(&mut self, count: f64, elapsed: Duration) -> Duration {
        if self.per_second == 0.0 {
            return Duration::ZERO;
        }
        self.left = (self.left + elapsed.as_secs_f64() * self.per_second).min(self.per_second) - count;
        Duration::from_secs_f64((-self.left / self.per_second).max(0.0))
    }
}

impl Rate {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        Self {
            messages: Bucket::new(limits.messages_per_second),
            bytes: Bucket::new(limits.bytes_per_second),
            looked: now,
        }
    }

    /// Counts what was published. Gives how long the client is not to be read from.
    pub(super) fn charge(&mut self, messages: u32, bytes: usize, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.looked);
        self.looked = now;
        #[expect(clippy::cast_precision_loss, reason = "a turn has some 64 KiB")]
        let bytes = bytes as f64;
        self.messages.take(f64::from(messages), elapsed).max(self.bytes.take(bytes, elapsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BrokerConfig;

    fn limits() -> Limits {
        let config = BrokerConfig {
            write_timeout: Duration::from_secs(20),
            max_messages_per_second: 10,
            max_bytes_per_second: 1000,
            ..BrokerConfig::default()
        };
        Limits::new(&config)
    }

    #[test]
    fn silence_ends_at_one_and_a_half_keep_alives() {
        let start = Instant::now();
        let mut watch = Watch::new(2, &limits(), start);
        assert_eq!(watch.next(start), start + Duration::from_secs(3));
        assert_eq!(watch.check(start + Duration::from_millis(2999)), Ok(()));
        assert_eq!(watch.check(start + Duration::from_secs(3)), Err(Late::Silent));
        watch.heard(start + Duration::from_secs(2));
        assert_eq!(watch.check(start + Duration::from_secs(3)), Ok(()));
    }

    #[test]
    fn without_keep_alive_silence_is_allowed() {
        let start = Instant::now();
        let watch = Watch::new(0, &limits(), start);
        assert_eq!(watch.check(start + Duration::from_secs(1_000_000)), Ok(()));
    }

    #[test]
    fn a_peer_that_takes_nothing_is_stuck() {
        let start = Instant::now();
        let mut watch = Watch::new(0, &limits(), start);
        watch.waits(start);
        watch.waits(start + Duration::from_secs(19));
        assert_eq!(watch.check(start + Duration::from_secs(20)), Err(Late::Stuck));
        watch.wrote(true, start + Duration::from_secs(19));
        assert_eq!(watch.check(start + Duration::from_secs(20)), Ok(()));
        watch.wrote(false, start + Duration::from_secs(19));
        assert_eq!(watch.check(start + Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_rate_holds_over_time() {
        let start = Instant::now();
        let mut rate = Rate::new(&limits(), start);
        assert_eq!(rate.charge(10, 10, start), Duration::ZERO);
        assert_eq!(rate.charge(5, 10, start), Duration::from_millis(500));
        assert_eq!(rate.charge(0, 0, start + Duration::from_millis(500)), Duration::ZERO);
        assert!(rate.charge(0, 3000, start + Duration::from_millis(500)) >= Duration::from_secs(2));
    }

    #[test]
    fn no_rate_is_no_limit() {
        let limits = Limits::new(&BrokerConfig::default());
        let start = Instant::now();
        assert_eq!(Rate::new(&limits, start).charge(1_000_000, 1_000_000_000, start), Duration::ZERO);
    }
}
