//! What a link counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// A snapshot of a link's counters, all since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkMetrics {
    /// Whether the link is connected and subscribed now.
    pub connected: bool,
    /// Connections that got as far as `Connected`.
    pub connects: u64,
    /// Connections and attempts to connect that failed.
    pub failures: u64,
    /// Publishes taken from the queue to be written to a broker.
    pub published: u64,
    /// Publishes that a broker acknowledged. It may lose them all the same.
    pub acknowledged: u64,
    /// Publishes accepted from the owner and thrown away, or left without PUBACK, because the connection ended.
    pub dropped: u64,
    /// Publishes refused: queue full, too large, not a topic, offline.
    pub refused: u64,
    /// Messages received.
    pub received: u64,
    /// Messages received and thrown away, because the owner did not read fast enough.
    pub shed: u64,
    /// Payload bytes of the publishes counted in `published`.
    pub published_bytes: u64,
    /// Payload bytes of the messages counted in `received`.
    pub received_bytes: u64,
    /// Bytes of publishes that wait for their PUBACK now, as counted against `outgoing_bytes`.
    pub outgoing_bytes: usize,
    /// Bytes of messages that wait for the owner now, as counted against `incoming_bytes`.
    pub incoming_bytes: usize,
}

impl LinkMetrics {
    /// Those of two links together; connected when one of them is.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            connected: self.connected || other.connected,
            connects: self.connects + other.connects,
            failures: self.failures + other.failures,
            published: self.published + other.published,
            acknowledged: self.acknowledged + other.acknowledged,
            dropped: self.dropped + other.dropped,
            refused: self.refused + other.refused,
            received: self.received + other.received,
            shed: self.shed + other.shed,
            published_bytes: self.published_bytes + other.published_bytes,
            received_bytes: self.received_bytes + other.received_bytes,
            outgoing_bytes: self.outgoing_bytes + other.outgoing_bytes,
            incoming_bytes: self.incoming_bytes + other.incoming_bytes,
        }
    }
}

/// A counter that only grows. Relaxed: nothing is decided by it.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn increment(&self) {
        self.add(1);
    }

    pub(super) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The live counters behind [`LinkMetrics`], under the same names.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connects: Counter,
    pub(super) failures: Counter,
    pub(super) published: Counter,
    pub(super) acknowledged: Counter,
    pub(super) dropped: Counter,
    pub(super) refused: Counter,
    pub(super) received: Counter,
    pub(super) shed: Counter,
    pub(super) published_bytes: Counter,
    pub(super) received_bytes: Counter,
}

impl Counters {
    /// The counters now; what is a state and not a counter is left at its default.
    pub(super) fn snapshot(&self) -> LinkMetrics {
        LinkMetrics {
            connects: self.connects.get(),
            failures: self.failures.get(),
            published: self.published.get(),
            acknowledged: self.acknowledged.get(),
            dropped: self.dropped.get(),
            refused: self.refused.get(),
            received: self.received.get(),
            shed: self.shed.get(),
            published_bytes: self.published_bytes.get(),
            received_bytes: self.received_bytes.get(),
            ..LinkMetrics::default()
        }
    }
}
