//! How the agent samples, by its operator: tried, kept, or rolled back.

use super::{EdgeEffect, EdgeNode};
use crate::queue::QueueCommand;
use crate::sensing;
use crate::time::{Monotonic, Now};
use crate::trial::Step;
use crate::wire::{Decision, Outcome};

impl EdgeNode {
    /// A configuration came in.
    pub(super) fn configured(&mut self, decision: Decision, now: Now) {
        if decision.key == sensing::KEY {
            return self.trial.receive(decision, now.wall);
        }
        let reason = format!("this agent knows no {}: update it", decision.key);
        let ack = self.in_force.answer_for(&decision, Outcome::Refused, Some(reason));
        self.answer_decision(&ack);
    }

    /// Does what is to be done of it now.
    pub(super) fn try_configuration(&mut self, now: Now) {
        self.trial.handle_timeout(now.mono);
        while let Some(step) = self.trial.poll_step() {
            match step {
                Step::Save(saved) => self.effects.push_back(EdgeEffect::Queue(QueueCommand::SaveDecision(saved))),
                Step::Apply(sensing) => self.effects.push_back(EdgeEffect::Tune(sensing)),
                Step::Ask => {
                    self.hello.renew(now.mono);
                    self.asked_from = self.hello.number();
                }
                Step::Answer(decision, outcome, reason) => {
                    let ack = self.in_force.answer_for(&decision, outcome, reason);
                    self.answer_decision(&ack);
                }
            }
        }
    }

    /// What was kept last is on disk. True when it was the configuration.
    pub(super) fn configuration_saved(&mut self, key: &str, now: Now) -> bool {
        let is_it = key == sensing::KEY;
        if is_it {
            self.trial.saved(now);
        }
        is_it
    }

    /// What was kept last is not: whichever of them it was tries again.
    pub(super) fn saving_failed(&mut self, now: Monotonic) {
        self.in_force.save_failed();
        self.trial.save_failed(now);
    }
}
