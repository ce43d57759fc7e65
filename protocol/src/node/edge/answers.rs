//! What the queue on disk answers.

use super::{EdgeEffect, EdgeNode, FAULT_PAUSE};
use crate::clock::Stamps;
use crate::queue::{Appended, QueueAnswer, QueueFault};
use crate::time::{Monotonic, Now};

impl EdgeNode {
    pub(super) fn queue_answered(&mut self, answer: QueueAnswer, now: Now) {
        match answer {
            QueueAnswer::Appended(result) => match result {
                Ok(appended) => self.appended(&appended, now),
                Err(fault) => {
                    self.batching.failed(now.mono + FAULT_PAUSE);
                    self.fault = Some(fault);
                }
            },
            QueueAnswer::Loaded(Ok(run)) => self.loaded(run, now.mono),
            QueueAnswer::Loaded(Err(fault)) => {
                self.sender.load_failed();
                self.failed(fault, now.mono);
            }
            QueueAnswer::Freed(Ok((free, usage))) => {
                self.usage = usage;
                self.sender.freed(&free);
                self.hello.streams_changed(&self.sender.open_streams(), now.mono);
            }
            QueueAnswer::Freed(Err(fault)) => {
                self.sender.free_failed();
                self.failed(fault, now.mono);
            }
            QueueAnswer::Settled(Ok(settled)) => {
                self.settling = false;
                self.sender.settled(&settled);
            }
            QueueAnswer::Settled(Err(fault)) => {
                self.settling = false;
                self.failed(fault, now.mono);
            }
            QueueAnswer::Dropped(Ok(dropped)) => {
                self.sender.settle_append(&dropped, now.mono);
                self.tuples.dropped(&dropped.dropped);
                self.usage = dropped.usage;
                self.hello.streams_changed(&self.sender.open_streams(), now.mono);
            }
            // Whoever asked for it hears of it.
            QueueAnswer::Dropped(Err(_)) => {}
            QueueAnswer::DecisionSaved(Ok(key)) if self.configuration_saved(&key, now) => {}
            QueueAnswer::DecisionSaved(Ok(key)) => self.decision_saved(&key, now),
            QueueAnswer::DecisionSaved(Err(fault)) => {
                self.saving_failed(now.mono);
                self.failed(fault, now.mono);
            }
        }
    }

    fn failed(&mut self, fault: QueueFault, now: Monotonic) {
        self.fault = Some(fault);
        self.retry_at = Some(now + FAULT_PAUSE);
    }

    fn appended(&mut self, appended: &Appended, now: Now) {
        let done = self.batching.appended(now.mono);
        for (segment, count) in done.parts {
            self.sender.extend(segment, count);
        }
        self.sender.settle_append(appended, now.mono);
        self.usage = appended.usage;
        self.fault = None;
        self.effects.extend(done.tickets.into_iter().map(|ticket| EdgeEffect::Accepted { ticket }));
        if let Some(append) = done.append {
            let stamps = self.sender.newest_segment().map_or(Stamps::Given, |segment| segment.stamps);
            self.tuples.appended(&append, appended);
            self.recent.appended(append, appended, stamps);
        }
        self.tuples.dropped(&appended.dropped);
        self.hello.streams_changed(&self.sender.open_streams(), now.mono);
    }

    fn decision_saved(&mut self, key: &str, now: Now) {
        if let Some((decision, ack)) = self.in_force.saved(key, now) {
            self.effects.push_back(EdgeEffect::InForce { key: key.to_owned(), decision: Some(decision) });
            self.answer_decision(&ack);
        }
    }
}
