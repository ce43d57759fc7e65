//! From averages to decisions. Only readings that were on time steer.

use super::directing::Directives;
use crate::directive::directive_of;
use crate::ids::{AgentId, Name};
use crate::register::Issued;
use crate::store::Fold;
use crate::time::{Monotonic, Now, Wall};
use crate::usecase::{self, Averages, LimitRule, UseCase};
use crate::window::{Aggregate, DECISION_WIDTH_S, Scope, Timing, Windows};
use std::collections::BTreeMap;
use std::time::Duration;

/// An agent that had readings on time within this long gets its region's decisions.
const LISTENS_FOR: Duration = Duration::from_secs(300);

/// The open windows, and who listens.
#[derive(Debug)]
pub(super) struct Steering {
    rule: LimitRule,
    windows: Windows<(&'static str, Scope)>,
    listeners: BTreeMap<(&'static str, AgentId), Monotonic>,
    /// When the clocks were last read, to translate the end of a window into a timer.
    read: Now,
}

/// The averages of a closed window by who they are of.
type Closed = BTreeMap<(Wall, &'static str), BTreeMap<Scope, Aggregate>>;

impl Steering {
    pub(super) fn new(grace: Duration, rule: LimitRule) -> Self {
        let windows = Windows::new(DECISION_WIDTH_S, grace);
        Self { rule, windows, listeners: BTreeMap::new(), read: Now::default() }
    }

    /// Decides by this rule from the next window on.
    pub(super) const fn rule(&mut self, rule: LimitRule) {
        self.rule = rule;
    }

    /// Takes values that are in the store now.
    pub(super) fn merge(&mut self, folds: &[Fold], now: Now) {
        self.read = now;
        for fold in folds.iter().filter(|fold| fold.width_s == DECISION_WIDTH_S) {
            let steers = usecase::find(fold.kind).and_then(UseCase::steering);
            if steers.is_none_or(|steering| steering.field != fold.field) {
                continue;
            }
            let timing = self.windows.merge(fold.start, (fold.kind, fold.scope.clone()), &fold.aggregate, now.wall);
            if let (Timing::OnTime, Scope::Agent(agent)) = (timing, &fold.scope) {
                self.listeners.insert((fold.kind, agent.clone()), now.mono);
            }
        }
    }

    /// Decides upon the windows whose time is over. Gives how many decisions that were.
    pub(super) fn decide(&mut self, issued: &mut Issued, directives: &mut Directives, now: Now) -> u64 {
        self.read = now;
        let mut closed = Closed::new();
        for (start, (kind, scope), values) in self.windows.close(now.wall) {
            closed.entry((start, kind)).or_default().insert(scope, values);
        }
        if !closed.is_empty() {
            self.listeners.retain(|_, heard| now.mono.since(*heard) < LISTENS_FOR);
        }
        let mut decisions = 0;
        for ((window, kind), averages) in closed {
            let Some(usecase) = usecase::find(kind) else { continue };
            for (scope, region) in &averages {
                if let Scope::Region(name) = scope {
                    decisions += self.decide_for(usecase, window, (name, region), &averages, (issued, directives), now);
                }
            }
        }
        decisions
    }

    fn decide_for(
        &self,
        usecase: &dyn UseCase,
        window: Wall,
        (name, region): (&Name, &Aggregate),
        all: &BTreeMap<Scope, Aggregate>,
        (issued, directives): (&mut Issued, &mut Directives),
        now: Now,
    ) -> u64 {
        let Some(steering) = usecase.steering() else { return 0 };
        let listens = |(kind, agent): &&(&'static str, AgentId)| *kind == usecase.kind() && agent.region == *name;
        let mut decisions = 0;
        for (_, agent) in self.listeners.keys().filter(listens) {
            let averages = Averages { window, region: *region, agent: all.get(&Scope::Agent(agent.clone())).copied() };
            // What an operator set is no step from which the next one follows.
            let told = issued.newest_body(agent, steering.key).filter(|body| directive_of(body).is_none());
            let previous = directives.computed(agent, steering.key).or(told);
            let Some(verdict) = usecase.decide(&averages, previous, &self.rule) else { continue };
            if let Some(verdict) = directives.outranks(agent, steering.key, verdict, now.mono) {
                issued.issue(agent, steering.key, verdict, now);
                decisions += 1;
            }
        }
        decisions
    }

    /// When the next window closes, if the clock is not set meanwhile.
    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        self.windows.next_close().map(|close| self.read.mono + close.since(self.read.wall))
    }
}
