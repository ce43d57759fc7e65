//! What the service manager hears (sd_notify): ready, reloading, stopping, how it goes, and that the program still works.
//!
//! Without `NOTIFY_SOCKET` in the environment nobody is told anything, and nothing here does anything.

use sd_notify::NotifyState;
use std::time::{Duration, Instant};

/// How often the state is told, where no watchdog asks for it more often.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// The manager gives up after its time; it hears of a program so many times within it.
const TIMES: u32 = 4;

/// The program serves.
pub fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The program has begun to stop.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The program reads its settings again, until [`ready`].
pub fn reloading() {
    // Its moment, by which the manager knows which reload it is.
    match NotifyState::monotonic_usec_now() {
        Ok(moment) => tell(&[NotifyState::Reloading, moment]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

/// A manager that does not listen is no reason to stop working.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// Tells the manager from within a loop that it still turns. It has no timer of its own: a loop that hangs says nothing, and the
/// manager starts the program again.
#[derive(Debug)]
pub struct Heart {
    /// How often it is told, and whether a watchdog asks for it. None: nobody listens.
    every: Option<(Duration, bool)>,
    next: Instant,
}

impl Heart {
    /// As the environment asks for it: `NOTIFY_SOCKET`, and `WATCHDOG_USEC` of this process.
    #[must_use]
    pub fn new() -> Self {
        let listens = std::env::var_os("NOTIFY_SOCKET").is_some();
        let watchdog = sd_notify::watchdog_enabled().map(|limit| ((limit / TIMES).min(STATUS_EVERY), true));
        Self { every: watchdog.or(Some((STATUS_EVERY, false))).filter(|_| listens), next: Instant::now() }
    }

    /// Tells the manager if it is time, with what `status` says of the program. Gives when to call it again at the latest;
    /// none when there is no need to.
    pub fn beat(&mut self, status: impl FnOnce() -> String) -> Option<Instant> {
        let (every, watchdog) = self.every?;
        let now = Instant::now();
        if self.next <= now {
            self.next = now + every;
            let status = status();
            let states = [NotifyState::Status(&status), NotifyState::Watchdog];
            tell(if watchdog { &states } else { &states[..1] });
        }
        Some(self.next)
    }
}

impl Default for Heart {
    fn default() -> Self {
        Self::new()
    }
}
