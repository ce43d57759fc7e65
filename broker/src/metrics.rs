//! What the broker counts.

mod page;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::packet::Reason;

pub(crate) use page::page;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number of things that come and go.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

/// One of the things; gone when dropped.
#[derive(Debug)]
pub(crate) struct Counted<'a>(&'a Gauge);

impl Gauge {
    pub(crate) fn enter(&self) -> Counted<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Everything that is counted, since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Sockets that were accepted.
    pub(crate) accepted: Counter,
    /// Connections that have not sent a CONNECT that was taken.
    pub(crate) handshaking: Gauge,
    /// Connections of clients.
    pub(crate) connected: Gauge,
    /// Sessions whose clients are away.
    pub(crate) asleep: Gauge,
    pub(crate) messages_in: Counter,
    pub(crate) messages_out: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) bytes_out: Counter,
    /// Wills that were published.
    pub(crate) wills: Counter,
    /// Clients that were disconnected because too much waited for them.
    pub(crate) slow_consumers: Counter,
    /// Sessions that were ended because too much waited for a client that was away.
    pub(crate) sessions_overflowed: Counter,
    /// Messages that a client had said it would not take, for their size.
    pub(crate) too_large_for_client: Counter,
    /// Messages that were not retained, for want of room.
    pub(crate) not_retained: Counter,
    /// Connections that ended by themselves, by reset or by silence.
    pub(crate) lost: Counter,
    /// Microseconds of the watchdog's last round trip.
    pub(crate) round_trip_micros: Gauge,
    refusals: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

impl Metrics {
    /// Counts a packet that was refused, or a connection: `what` is tls, websocket, connect, publish, subscribe or connection.
    pub(crate) fn refuse(&self, what: &'static str, reason: Reason) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry((what, reason.label())).or_default() += 1;
    }

    /// What was refused, why, and how often.
    pub(crate) fn refusals(&self) -> Vec<(&'static str, &'static str, u64)> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.iter().map(|((what, reason), count)| (*what, *reason, *count)).collect()
    }
}
