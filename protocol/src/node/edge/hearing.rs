//! What an ingester says to its agent.

use super::{EdgeEffect, EdgeNode, INTRODUCE_EVERY, LATENCIES_MAX};
use crate::queue::QueueCommand;
use crate::register::Received;
use crate::time::{Monotonic, Now};
use crate::topic::{Down, Topic, Up};
use crate::wire::{Ack, Decision, DecisionAck, Message as _, Reply, State};

impl EdgeNode {
    pub(super) fn message(&mut self, topic: &str, payload: &[u8], now: Now) {
        let to_us = match Topic::parse(topic) {
            Ok(Topic::Down(id, channel)) if id == self.config.id => channel,
            Ok(Topic::Down(..) | Topic::Up(..) | Topic::Peers(..) | Topic::Ingest(..)) | Err(_) => {
                self.refused_messages += 1;
                return;
            }
        };
        let understood = match to_us {
            Down::Ack => Ack::decode(payload).map(|ack| self.acknowledged(&ack, now)),
            Down::Limit | Down::Notice => Decision::decode(payload).map(|decision| self.decided(decision, now)),
            Down::Config => Decision::decode(payload).map(|decision| self.configured(decision, now)),
            Down::Reply => Reply::decode(payload).map(|reply| self.replied(&reply, now)),
        };
        match understood {
            Ok(()) => {
                self.heard = Some(now.mono);
                self.failover.heard(now.mono);
            }
            Err(_) => self.refused_messages += 1,
        }
    }

    /// The ingester knows nothing of this agent: it has just taken another one's place. What that one was sent is gone, and need not
    /// be waited for.
    fn introduce(&mut self, now: Monotonic) {
        if self.next_introduction <= now && (self.hello.waits() || self.sender.waits()) {
            self.next_introduction = now + INTRODUCE_EVERY;
            self.hello.renew(now);
            self.sender.send_again();
        }
    }

    fn acknowledged(&mut self, ack: &Ack, now: Now) {
        if ack.hello.is_none() && ack.streams.is_empty() && ack.state == State::Ok {
            self.introduce(now.mono);
        }
        let answers_hello = ack.hello.is_some_and(|number| self.hello.answered(number, now.mono));
        if answers_hello && ack.hello.is_some_and(|number| number >= self.asked_from) {
            self.trial.heard();
        }
        if let Some(reply) = &ack.reply {
            self.replied(reply, now);
        }
        let outcome = self.sender.acknowledge(ack, answers_hello, now.mono);
        self.acknowledged += outcome.readings;
        let room = LATENCIES_MAX.saturating_sub(self.latencies.len());
        let samples = outcome.times.iter().take(room);
        self.latencies.extend(samples.map(|ts| u64::try_from(now.wall.since(*ts).as_micros()).unwrap_or(u64::MAX)));
    }

    fn decided(&mut self, decision: Decision, now: Now) {
        match self.in_force.receive(decision, now.wall) {
            Received::Save(saved) => self.effects.push_back(EdgeEffect::Queue(QueueCommand::SaveDecision(saved))),
            Received::Answer(ack) => self.answer_decision(&ack),
            Received::Nothing => {}
        }
    }

    pub(super) fn answer_decision(&mut self, ack: &DecisionAck) {
        self.publish(Up::Ack, ack.encode(), false);
    }
}
