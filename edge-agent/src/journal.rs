//! The log of an agent: what changed, once; not what was tried.

use fogline_protocol::failover::MoveReason;
use fogline_protocol::node::EdgeSnapshot;
use fogline_protocol::sensing::Sensing;
use fogline_protocol::wire::{Decision, State};
use serde_json::Value;
use std::collections::BTreeMap;

/// Remembers what was said, and says what is new.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    connected: bool,
    /// Of the broker, from 1: the last one that was connected.
    place: Option<usize>,
    state: Option<State>,
    faulty: bool,
    /// The clock was not set when it was last looked at.
    unset: bool,
    dropped: Option<u64>,
    next_dropped: u64,
    decisions: BTreeMap<String, Value>,
    sensing: Option<Sensing>,
    rolled_back: u64,
}

impl Journal {
    /// `place` counts from 1.
    pub(crate) fn connected(&mut self, broker: &str, place: usize, brokers: usize) {
        self.connected = true;
        let former = self.place.replace(place);
        if brokers == 1 {
            tracing::info!(broker, "connected and subscribed");
        } else if former.is_none_or(|former| former == place) {
            tracing::info!(broker, place, brokers, "connected and subscribed");
        } else {
            tracing::warn!(broker, place, brokers, "connected and subscribed to another broker than before");
        }
    }

    /// A broker is left that is connected.
    pub(crate) fn moves(&mut self, to: &str, reason: MoveReason) {
        // Its end is no news then.
        self.connected = false;
        tracing::warn!(to, %reason, "moving to another broker");
    }

    pub(crate) fn disconnected(&mut self, reason: &str) {
        if std::mem::take(&mut self.connected) {
            tracing::warn!(reason, "the connection to the broker ended; readings are kept, connecting again");
        }
    }

    /// It works with another configuration; the first time it is said what it starts with.
    pub(crate) fn tuned(&mut self, sensing: Sensing) {
        let before = self.sensing.replace(sensing);
        if before.unwrap_or_default() != sensing {
            let Sensing { sampling_ms, window_ms } = sensing;
            tracing::info!(
                sampling_ms,
                window_ms,
                "a configuration is in force; what is not named is as the agent was started"
            );
        }
    }

    /// A decision came into force, was renewed, or expired.
    pub(crate) fn decision(&mut self, key: &str, decision: Option<&Decision>) {
        let Some(decision) = decision else {
            self.decisions.remove(key);
            tracing::warn!(key, "expired: no decision is in force");
            return;
        };
        let before = self.decisions.insert(key.to_owned(), decision.body.clone());
        if before.as_ref() == Some(&decision.body) {
            tracing::debug!(key, "renewed");
        } else {
            tracing::info!(key, body = %decision.body, ttl_ms = decision.ttl_ms, "a new decision is in force");
        }
    }

    /// Looks at the node now and then.
    pub(crate) fn look(&mut self, node: &EdgeSnapshot) {
        self.look_at_disk(node);
        self.look_at_clock(node);
        self.look_at_configuration(node);
        self.look_at_drops(node.usage.dropped);
        if node.state != self.state {
            self.state = node.state;
            match node.state {
                Some(State::Ok) => tracing::info!("the ingester stores readings"),
                Some(State::StoreDown) => tracing::warn!("the ingester's store is down: readings wait"),
                // Comes and goes under load: the ingester slows this agent down, and loses nothing.
                Some(State::Busy) => tracing::debug!("the ingester is busy: it takes readings more slowly"),
                None => {}
            }
        }
    }

    fn look_at_disk(&mut self, node: &EdgeSnapshot) {
        let faulty = node.fault.is_some();
        if faulty != self.faulty {
            self.faulty = faulty;
            match &node.fault {
                Some(fault) => tracing::error!(%fault, "the queue takes no readings until its disk works again"),
                None => tracing::info!("the disk of the queue works again"),
            }
        }
    }

    fn look_at_configuration(&mut self, node: &EdgeSnapshot) {
        let configuration = &node.configuration;
        if configuration.rolled_back > self.rolled_back {
            self.rolled_back = configuration.rolled_back;
            let reason = configuration.reason.as_deref().unwrap_or_default();
            tracing::warn!(reason, "a configuration was rolled back: the one before is in force");
        }
    }

    fn look_at_clock(&mut self, node: &EdgeSnapshot) {
        if node.clock_set == self.unset {
            self.unset = !node.clock_set;
            if node.clock_set {
                tracing::info!("the clock is set: readings that waited for it get their times");
            } else {
                tracing::warn!(
                    "the clock is not set: readings wait for a while until it is, then they are sent with its times"
                );
            }
        }
    }

    /// Said at the first drop after the start, and then whenever ten times as many were dropped.
    fn look_at_drops(&mut self, dropped: u64) {
        let at_start = *self.dropped.get_or_insert(dropped);
        let new = dropped.saturating_sub(at_start);
        if new > 0 && new >= self.next_dropped {
            self.next_dropped = new.saturating_mul(10);
            tracing::warn!(
                dropped = new,
                "the queue is full, or readings are too old: they were dropped and are reported as gaps"
            );
        }
    }
}
