//! A configuration on trial: an agent keeps a new one only when it has heard its ingester while it worked with it.
//!
//! The order is: the new one is saved as one that is tried, then it is applied, then an answer to a question that was asked after
//! that is waited for. Comes it in time, it is saved as good, and answered as applied; comes it not, or starts the process too
//! often meanwhile, the last good one is applied, that is saved, and answered as rolled back. So a configuration that makes an agent
//! deaf, or kills it, is gone after a bounded time, with nobody at the device.
//!
//! The machine does no I/O: [`Trial::poll_step`] says what is to be done.

use crate::directive::directive_of;
use crate::queue::SavedDecision;
use crate::sensing::{KEY, Sensing};
use crate::time::{Monotonic, Now, Wall};
use crate::wire::{Decision, Outcome, REASON_MAX_BYTES};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a trial lasts when nothing else is said: a broker that restarts, and an agent that finds its way to another one, take less.
pub const TRIAL_FOR: Duration = Duration::from_secs(120);
/// The starts of the process that a trial outlives: power may fail once or twice, and it is not the configuration's fault.
pub const STARTS_MAX: u32 = 2;
/// How long to wait before the disk is asked again after it failed.
const FAULT_PAUSE: Duration = Duration::from_secs(1);

/// How far a configuration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It is being tried.
    Trying,
    /// It is in force, and stays.
    Good,
    /// It was tried, and the one before is in force.
    RolledBack,
}

/// What is kept of the newest configuration, in the body of its decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    phase: Phase,
    /// What was set.
    set: Sensing,
    /// Which directive set it: that one is tried once.
    #[serde(default)]
    directive: Option<u64>,
    /// The last good one.
    good: Sensing,
    /// Starts of the process since it is tried.
    #[serde(default)]
    starts: u32,
    /// Why it was rolled back.
    #[serde(default)]
    reason: Option<String>,
}

/// A record, and the decision that it is of.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    decision: Decision,
    received: Wall,
    record: Record,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Keep this on disk, in the place of what is kept of its key; then [`Trial::saved`] or [`Trial::save_failed`].
    Save(SavedDecision),
    /// Work with this configuration from now on.
    Apply(Sensing),
    /// Ask the ingester something; when the answer comes, [`Trial::heard`]. An answer to what was asked before is none.
    Ask,
    /// Say what became of a decision.
    Answer(Decision, Outcome, Option<String>),
}

/// The configuration, for those who look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialReport {
    /// What was set last; none: nothing ever was.
    pub set: Option<(Sensing, Phase)>,
    /// What the agent works with.
    pub in_force: Sensing,
    /// Why the newest one was rolled back.
    pub reason: Option<String>,
    /// How often one was rolled back since the start.
    pub rolled_back: u64,
}

/// The machine.
#[derive(Debug)]
pub struct Trial {
    lasts: Duration,
    kept: Option<Kept>,
    /// To be kept instead.
    next: Option<Kept>,
    saving: bool,
    retry_at: Option<Monotonic>,
    /// What the agent works with.
    in_force: Sensing,
    /// While one is tried: when it has failed.
    deadline: Option<Monotonic>,
    /// The one that is tried was answered to: that is to be saved.
    passed: bool,
    rolled_back: u64,
    steps: VecDeque<Step>,
}

impl Trial {
    /// The process has started, with what the queue file keeps. The last good configuration is applied; one that was being tried
    /// follows when it is kept that it was started once more.
    #[must_use]
    pub fn new(saved: &[SavedDecision], lasts: Duration) -> Self {
        let kept = saved.iter().find(|saved| saved.decision.key == KEY).and_then(Kept::read);
        let in_force = kept.as_ref().map_or_else(Sensing::default, |kept| kept.record.good);
        let mut trial = Self {
            lasts,
            kept,
            next: None,
            saving: false,
            retry_at: None,
            in_force,
            deadline: None,
            passed: false,
            rolled_back: 0,
            steps: VecDeque::new(),
        };
        trial.steps.push_back(Step::Apply(in_force));
        if let Some(kept) = trial.kept.clone().filter(|kept| kept.record.phase == Phase::Trying) {
            let starts = kept.record.starts.saturating_add(1);
            if starts > STARTS_MAX {
                trial.roll_back(format!("the agent was started {starts} times while it tried it"));
            } else {
                trial.next = Some(kept.with(|record| record.starts = starts));
            }
        }
        trial
    }

    /// A decision came in. Nothing is answered while one is being saved or tried: it will be sent again.
    pub fn receive(&mut self, decision: Decision, wall: Wall) {
        if self.next.is_some() {
            return;
        }
        if let Some(kept) = &self.kept {
            match decision.order().cmp(&kept.decision.order()) {
                Ordering::Greater => {}
                Ordering::Equal if decision.decided_us == kept.decision.decided_us => return self.answer(),
                Ordering::Equal | Ordering::Less => {
                    return self.steps.push_back(Step::Answer(decision, Outcome::Superseded, None));
                }
            }
        }
        match Sensing::parse(&decision.body) {
            Ok(set) => self.next = Some(self.begin(decision, set, wall)),
            Err(error) => {
                let mut reason = error.to_string();
                shorten(&mut reason);
                self.steps.push_back(Step::Answer(decision, Outcome::Refused, Some(reason)));
            }
        }
    }

    /// What is to be kept of a new decision.
    fn begin(&self, decision: Decision, set: Sensing, received: Wall) -> Kept {
        let directive = directive_of(&decision.body);
        let known = self.kept.as_ref().map(|kept| &kept.record);
        // The same directive in another decision: who leads does not know what became of it.
        if let Some(record) =
            known.filter(|record| directive.is_some() && record.directive == directive && record.set == set)
        {
            return Kept { decision, received, record: record.clone() };
        }
        let good = known.map_or_else(Sensing::default, |record| record.good);
        // What it was started with, and what it works with, need no trial.
        let phase = if set == Sensing::default() || set == good { Phase::Good } else { Phase::Trying };
        let good = if phase == Phase::Good { set } else { good };
        Kept { decision, received, record: Record { phase, set, directive, good, starts: 0, reason: None } }
    }

    /// What was to be saved is on disk.
    pub fn saved(&mut self, now: Now) {
        if !std::mem::take(&mut self.saving) {
            return;
        }
        let Some(kept) = self.next.take() else { return };
        let record = kept.record.clone();
        self.kept = Some(kept);
        match record.phase {
            Phase::Trying if self.passed => self.conclude(),
            Phase::Trying if self.deadline.is_some() && self.in_force == record.set => {}
            Phase::Trying => {
                self.apply(record.set);
                self.deadline = Some(now.mono + self.lasts);
                self.steps.push_back(Step::Ask);
            }
            Phase::Good | Phase::RolledBack => {
                (self.deadline, self.passed) = (None, false);
                self.apply(record.good);
                self.answer();
            }
        }
    }

    /// Saving failed: it is tried again.
    pub fn save_failed(&mut self, now: Monotonic) {
        if std::mem::take(&mut self.saving) {
            self.retry_at = Some(now + FAULT_PAUSE);
        }
    }

    /// The ingester has answered what was asked after the configuration was applied.
    pub fn heard(&mut self) {
        if self.deadline.take().is_some() {
            self.passed = true;
            self.conclude();
        }
    }

    /// What was tried and answered to is to be saved as good, when the disk is free for it.
    fn conclude(&mut self) {
        let trying = |kept: &&Kept| kept.record.phase == Phase::Trying;
        let tried = self.next.as_ref().or(self.kept.as_ref()).filter(trying).filter(|_| !self.saving);
        if let Some(kept) = tried.cloned() {
            self.next = Some(kept.with(|record| (record.phase, record.good) = (Phase::Good, record.set)));
        }
    }

    /// Does what is due. Harmless when nothing is.
    pub fn handle_timeout(&mut self, now: Monotonic) {
        self.retry_at.take_if(|at| *at <= now);
        if self.deadline.is_some_and(|deadline| deadline <= now) && !self.saving {
            self.roll_back(format!("no ingester was heard within {} s while it was tried", self.lasts.as_secs()));
        }
    }

    /// The last good one is in force at once; it is answered when that is kept.
    fn roll_back(&mut self, reason: String) {
        self.deadline = None;
        let Some(kept) = self.next.take().or_else(|| self.kept.clone()) else { return };
        self.apply(kept.record.good);
        self.rolled_back += 1;
        self.next = Some(kept.with(|record| (record.phase, record.reason) = (Phase::RolledBack, Some(reason))));
    }

    fn apply(&mut self, sensing: Sensing) {
        if self.in_force != sensing {
            self.in_force = sensing;
            self.steps.push_back(Step::Apply(sensing));
        }
    }

    /// Says what became of what is kept; nothing while it is tried.
    fn answer(&mut self) {
        let Some(Kept { decision, record, .. }) = &self.kept else { return };
        let answer = match record.phase {
            Phase::Trying => return,
            Phase::Good => Step::Answer(decision.clone(), Outcome::Applied, None),
            Phase::RolledBack => Step::Answer(decision.clone(), Outcome::RolledBack, record.reason.clone()),
        };
        self.steps.push_back(answer);
    }

    /// The next thing to do, until there is none.
    pub fn poll_step(&mut self) -> Option<Step> {
        if let Some(step) = self.steps.pop_front() {
            return Some(step);
        }
        let kept = self.next.as_ref().filter(|_| !self.saving && self.retry_at.is_none())?;
        self.saving = true;
        Some(Step::Save(kept.write()))
    }

    /// When [`Self::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        self.deadline.filter(|_| !self.saving).into_iter().chain(self.retry_at).min()
    }

    /// The configuration now.
    #[must_use]
    pub fn report(&self) -> TrialReport {
        let newest = self.next.as_ref().or(self.kept.as_ref()).map(|kept| &kept.record);
        TrialReport {
            set: newest.map(|record| (record.set, record.phase)),
            in_force: self.in_force,
            reason: newest.and_then(|record| record.reason.clone()),
            rolled_back: self.rolled_back,
        }
    }
}

impl Kept {
    /// What the queue file keeps; none of what no program of ours wrote.
    fn read(saved: &SavedDecision) -> Option<Self> {
        let record = serde_json::from_value(saved.decision.body.clone()).ok()?;
        Some(Self { decision: saved.decision.clone(), received: saved.received, record })
    }

    fn write(&self) -> SavedDecision {
        // Numbers, words and a text: nothing in them that JSON cannot say.
        let body = serde_json::to_value(&self.record).unwrap_or_default();
        SavedDecision { decision: Decision { body, ..self.decision.clone() }, received: self.received }
    }

    fn with(mut self, change: impl FnOnce(&mut Record)) -> Self {
        change(&mut self.record);
        self
    }
}

/// Cuts a reason to what is said of it at most, between characters.
fn shorten(reason: &mut String) {
    while reason.len() > REASON_MAX_BYTES {
        reason.pop();
    }
}

#[cfg(test)]
mod tests;
