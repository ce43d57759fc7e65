//! What an ingester says to agents.

use super::agents::DueAck;
use super::{CloudEffect, CloudNode};
use crate::delivery::STREAMS_MAX;
use crate::ids::AgentId;
use crate::node::Publish;
use crate::time::Monotonic;
use crate::topic::{Down, Topic};
use crate::wire::{Ack, Message, State};

impl CloudNode {
    /// At once while no write is in flight; otherwise the acknowledgement of that write says it all.
    pub(super) fn send_acks(&mut self, now: Monotonic) {
        let idle = self.committing.is_none();
        for DueAck { id, hello, mut reply, busy, mut streams } in self.agents.take_due_acks(idle, now) {
            self.withheld.hold_back(&id, &mut streams);
            let state = match (&self.store_down, busy) {
                (Some(_), _) => State::StoreDown,
                (None, true) => State::Busy,
                (None, false) => State::Ok,
            };
            let credit = self.agents.credit();
            let messages =
                if streams.is_empty() { vec![streams.as_slice()] } else { streams.chunks(STREAMS_MAX).collect() };
            for streams in messages {
                self.counters.acks += 1;
                let ack = Ack { hello, credit, state, streams: streams.to_vec(), reply: reply.take() };
                self.publish(&id, Down::Ack, ack.encode());
            }
        }
    }

    pub(super) fn send_decisions(&mut self, now: Monotonic) {
        if self.connected.is_empty() {
            return;
        }
        for (id, decision) in self.issued.due(now) {
            if let Some(channel) = Down::of_key(&decision.key) {
                self.counters.decisions_sent += 1;
                self.publish(&id, channel, decision.encode());
            }
        }
    }

    /// Through the broker at which the agent was heard last; one that was not heard yet may be at any.
    pub(super) fn publish(&mut self, id: &AgentId, channel: Down, payload: Vec<u8>) {
        let heard_at = self.agents.broker_of(id).filter(|broker| self.connected.contains(broker));
        let publish = Publish { topic: Topic::Down(id.clone(), channel).to_string(), payload, retain: false };
        for broker in self.connected.iter().copied().filter(|broker| heard_at.is_none_or(|at| at == *broker)) {
            self.effects.push_back(CloudEffect::Publish { broker, publish: publish.clone() });
        }
    }
}
