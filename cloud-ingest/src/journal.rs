//! What the log says of messages that were not taken: the first at once, then how many in so long.

use fogline_protocol::node::Counters;
use std::time::Duration;
use tokio::time::Instant;

/// How long to gather before the log says it again: a million refused messages are a few lines.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Follows the counters.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    refused: u64,
    quiet_until: Option<Instant>,
}

impl Journal {
    /// Looks whether messages were refused since the last word.
    pub(crate) fn look(&mut self, counters: &Counters, now: Instant) {
        let refused = counters.refused.values().sum();
        if refused == self.refused || self.quiet_until.is_some_and(|until| now < until) {
            return;
        }
        let messages = refused - self.refused;
        let last = counters.last_refusal.as_deref().unwrap_or("no room for it now; it will be sent again");
        tracing::warn!(messages, last, "messages of agents were not taken: /metrics counts them by reason");
        self.refused = refused;
        self.quiet_until = Some(now + SAY_EVERY);
    }
}
