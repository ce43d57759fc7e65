//! What waits for a client, in order and bounded.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use crate::{
    gate::Gate,
    packet::QoS,
    router::{LinkFailure, copy::Copy},
};

/// The part of what may wait, from which on publishers take their time.
const LONG: usize = 8;
/// Retained messages that may wait for a client before it can subscribe more: as many as there can be. They are references to the store,
/// of some 70 bytes.
const MAX_REPLAY: usize = 100_000;

/// Why a session cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Overflow {
    /// More waits for the client than may.
    #[error("{bytes} bytes wait for it, and {all} for all")]
    Behind { bytes: usize, all: usize },
    /// The router is dead, or has lost something.
    #[error(transparent)]
    Router(#[from] LinkFailure),
}

/// Messages that wait to be sent, and the bytes of those and of what is in flight.
#[derive(Debug)]
pub(crate) struct Backlog {
    gate: Arc<Gate>,
    /// Retained messages for new subscriptions. They are shared with the store, so they are not counted.
    replay: VecDeque<Copy>,
    waiting: VecDeque<Copy>,
    /// Where the router's copies arrive.
    incoming: Vec<Copy>,
    bytes: usize,
    /// Nobody is there to take messages of QoS 0.
    away: bool,
}

impl Backlog {
    pub(super) fn new(gate: &Arc<Gate>) -> Self {
        Self {
            gate: Arc::clone(gate),
            replay: VecDeque::new(),
            waiting: VecDeque::new(),
            incoming: Vec::new(),
            bytes: 0,
            away: false,
        }
    }

    /// Whether retained messages for another subscription may be added.
    pub(super) fn may_replay(&self) -> bool {
        self.replay.len() < MAX_REPLAY
    }

    pub(super) fn replay(&mut self, copy: Copy) {
        self.replay.push_back(copy);
    }

    pub(super) fn incoming(&mut self) -> &mut Vec<Copy> {
        &mut self.incoming
    }

    /// Moves what has arrived behind what waits.
    pub(super) fn take_in(&mut self) -> Result<(), Overflow> {
        if self.away {
            self.incoming.retain(|copy| copy.qos != QoS::AtMostOnce);
        }
        let added: usize = self.incoming.iter().map(Copy::cost).sum();
        self.waiting.extend(self.incoming.drain(..));
        self.bytes += added;
        let all = self.gate.waiting_bytes.fetch_add(added, Ordering::Relaxed) + added;
        let limits = self.gate.limits();
        if self.bytes > limits.queue_bytes || (all > limits.all_queue_bytes && self.bytes > self.fair_share()) {
            return Err(Overflow::Behind { bytes: self.bytes, all });
        }
        Ok(())
    }

    /// What each client may have when all have the same. Who has no more is not to blame when too much waits for all, and those
    /// together have no more than may wait: so what waits stays below twice that.
    fn fair_share(&self) -> usize {
        let metrics = &self.gate.metrics;
        let clients = metrics.connected.get() + metrics.asleep.get();
        self.gate.limits().all_queue_bytes / usize::try_from(clients.max(1)).unwrap_or(usize::MAX)
    }

    /// More waits than a quick client lets happen.
    pub(crate) fn is_long(&self) -> bool {
        self.bytes > self.gate.limits().queue_bytes / LONG
    }

    /// The next message to send.
    pub(crate) fn peek(&self) -> Option<&Copy> {
        self.replay.front().or_else(|| self.waiting.front())
    }

    /// Takes the next message. Its bytes count until [`Backlog::release`] is called for it.
    pub(crate) fn pop(&mut self) -> Option<Copy> {
        match self.replay.pop_front() {
            Some(copy) => {
                // Released like the others later, so counted from now on.
                self.count(copy.cost());
                Some(copy)
            }
            None => self.waiting.pop_front(),
        }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.gate.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// A message of so many bytes is done with.
    pub(crate) fn release(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.gate.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The client has gone: messages of QoS 0 are not kept for it, neither those that wait nor those that come.
    pub(super) fn sleep(&mut self) {
        self.away = true;
        let mut dropped = 0;
        self.waiting.retain(|copy| {
            let kept = copy.qos != QoS::AtMostOnce;
            dropped += if kept { 0 } else { copy.cost() };
            kept
        });
        self.replay.retain(|copy| copy.qos != QoS::AtMostOnce);
        self.release(dropped);
    }

    /// The client is back.
    pub(crate) fn wake(&mut self) {
        self.away = false;
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        self.gate.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
