//! What operators decided: it goes out in place of what is computed, which is kept meanwhile and goes out when that ends.

use super::{CloudEffect, CloudNode};
use crate::directive::{
    self, DIRECTIVES_MAX, Directive, DirectiveChange, DirectiveRefusal, End, Ended, Target, directive_of,
};
use crate::ids::{AgentId, Name};
use crate::time::{Monotonic, Now, Wall};
use crate::usecase::{LimitRule, Verdict};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// For how long at least an agent is told that a directive has ended and nothing takes its place: what it was told before may
/// have reached it late, and lasts as long from there.
const NOTHING_FOR: Duration = Duration::from_secs(60);

/// A question that waits until its directive is kept.
type Waiting = (u64, Directive);

/// The directives in force.
#[derive(Debug, Default)]
pub(super) struct Directives {
    in_force: BTreeMap<Target, Directive>,
    last: u64,
    /// What would have been decided, of whom and in which register, and until when that would be in force.
    outranked: BTreeMap<(AgentId, String), (Verdict, Monotonic)>,
    /// To be committed.
    changes: Vec<Directive>,
    staged: Vec<Waiting>,
    /// With the commit that keeps it.
    asked: VecDeque<(u64, Waiting)>,
    /// Committed, and not yet kept by the one that stands by.
    unkept: VecDeque<(u64, Waiting)>,
}

impl Directives {
    /// Those that are in force, or whose end nobody was told of yet.
    pub(super) fn new(recovered: Vec<Directive>) -> Self {
        let last = recovered.iter().map(|directive| directive.id).max().unwrap_or(0);
        let in_force = recovered.into_iter().map(|directive| (directive.target.clone(), directive)).collect();
        Self { in_force, last, ..Self::default() }
    }

    /// The one that counts for a register of an agent: its own before its region's.
    fn of(&self, id: &AgentId, key: &str) -> Option<&Directive> {
        let target =
            |agent: Option<&Name>| Target { region: id.region.clone(), agent: agent.cloned(), key: key.to_owned() };
        self.in_force.get(&target(Some(&id.agent))).or_else(|| self.in_force.get(&target(None)))
    }

    /// Gives a verdict back to be issued, unless a directive stands before it.
    pub(super) fn outranks(&mut self, id: &AgentId, key: &str, verdict: Verdict, now: Monotonic) -> Option<Verdict> {
        if self.of(id, key).is_none() {
            self.outranked.remove(&(id.clone(), key.to_owned()));
            return Some(verdict);
        }
        let until = now + Duration::from_millis(verdict.ttl_ms);
        self.outranked.insert((id.clone(), key.to_owned()), (verdict, until));
        None
    }

    /// The body of the newest verdict that a directive stands before.
    pub(super) fn computed(&self, id: &AgentId, key: &str) -> Option<&Value> {
        self.outranked.get(&(id.clone(), key.to_owned())).map(|(verdict, _)| &verdict.body)
    }

    /// The verdict that a directive stood before, for the time that is left of it.
    fn take_outranked(&mut self, id: &AgentId, key: &str, now: Monotonic) -> Option<Verdict> {
        let (verdict, until) = self.outranked.remove(&(id.clone(), key.to_owned()))?;
        let ttl_ms = u64::try_from(until.since(now).as_millis()).unwrap_or(0);
        (ttl_ms > 0).then_some(Verdict { ttl_ms, ..verdict })
    }

    /// Makes a change. Gives the directive that is new, or that ended.
    fn change(&mut self, change: DirectiveChange, rule: &LimitRule, now: Wall) -> Result<Directive, DirectiveRefusal> {
        let DirectiveChange { target, set, by } = change;
        let Some((body, until_us)) = set else {
            let what = target.key.clone();
            return self.end(&target, End::Cleared, by, now).ok_or(DirectiveRefusal::NotSet(what));
        };
        let body = directive::check(&target.key, &body, until_us, rule, now)?;
        if !self.in_force.contains_key(&target) && self.in_force.len() >= DIRECTIVES_MAX {
            return Err(DirectiveRefusal::Full);
        }
        self.end(&target, End::Replaced, by.clone(), now);
        let id = u64::try_from(now.us()).unwrap_or(0).max(self.last + 1);
        self.last = id;
        let new = Directive { id, target, body, by, set_us: now.us().max(0), until_us, ended: None };
        self.in_force.insert(new.target.clone(), new.clone());
        self.changes.push(new.clone());
        Ok(new)
    }

    fn end(&mut self, target: &Target, how: End, by: Option<String>, now: Wall) -> Option<Directive> {
        let directive = self.in_force.remove(target)?;
        let ended = Directive { ended: Some(Ended { at_us: now.us().max(0), how, by }), ..directive };
        self.changes.push(ended.clone());
        Some(ended)
    }

    /// Ends those whose time is over, and gives them.
    fn expire(&mut self, now: Wall) -> Vec<Directive> {
        let over: Vec<Target> =
            self.in_force.values().filter(|directive| directive.is_over(now)).map(|over| over.target.clone()).collect();
        over.iter().filter_map(|target| self.end(target, End::Expired, None, now)).collect()
    }

    pub(super) const fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Takes out what is to be committed, with the commit of this number.
    pub(super) fn take_changes(&mut self, commit: u64) -> Vec<Directive> {
        self.asked.extend(std::mem::take(&mut self.staged).into_iter().map(|waiting| (commit, waiting)));
        std::mem::take(&mut self.changes)
    }

    /// Agents that are gone need no memory.
    pub(super) fn forget_all_but(&mut self, mut keep: impl FnMut(&AgentId) -> bool) {
        self.outranked.retain(|(agent, _), _| keep(agent));
    }

    /// The registers that agents of this one may have to be told of.
    fn keys_for(&self, id: &AgentId) -> BTreeSet<String> {
        let own = self.in_force.keys().filter(|target| target.concerns(id));
        own.map(|target| target.key.clone()).collect()
    }
}

/// The questions of commits up to this one.
fn up_to(waiting: &mut VecDeque<(u64, Waiting)>, commit: u64) -> Vec<(u64, Waiting)> {
    let count = waiting.iter().take_while(|(of, _)| *of <= commit).count();
    waiting.drain(..count).collect()
}

impl CloudNode {
    /// An operator decides something.
    pub(super) fn direct(&mut self, ticket: u64, change: DirectiveChange, now: Now) {
        match self.directives.change(change, &self.config.limit_rule, now.wall) {
            Ok(changed) => {
                self.tell(&changed, now);
                self.directives.staged.push((ticket, changed));
            }
            Err(refusal) => self.effects.push_back(CloudEffect::Directed { ticket, result: Err(refusal) }),
        }
    }

    /// Ends what is over.
    pub(super) fn end_directives(&mut self, now: Now) {
        for ended in self.directives.expire(now.wall) {
            self.tell(&ended, now);
        }
    }

    /// Tells all whom a directive concerns, or concerned: those in memory, the one that it names, and who was told of it before.
    fn tell(&mut self, changed: &Directive, now: Now) {
        let Target { region, agent, key } = &changed.target;
        let named = agent.clone().map(|agent| AgentId { region: region.clone(), agent });
        let known = self.agents.ids().filter(|id| changed.target.concerns(id));
        let told = self.issued.directed().filter(|(id, of, _)| of == key && changed.target.concerns(id));
        let all: BTreeSet<AgentId> =
            named.into_iter().chain(known.cloned()).chain(told.map(|(id, ..)| id.clone())).collect();
        all.iter().for_each(|id| self.direct_register(id, key, now));
    }

    /// An agent is there: it is told what holds for it, if it was not, and of the end of what it may keep to.
    pub(super) fn direct_agent(&mut self, id: &AgentId, now: Now) {
        // Nobody is told of what is over, and would be told the opposite a moment later.
        self.end_directives(now);
        let mut keys = self.directives.keys_for(id);
        keys.extend(self.issued.directed_keys(id).map(str::to_owned));
        for key in keys {
            self.direct_register(id, &key, now);
        }
    }

    /// Sees to it that the newest decision of a register is that of the directive in force, or of none.
    fn direct_register(&mut self, id: &AgentId, key: &str, now: Now) {
        let told = self.issued.newest_body(id, key).and_then(directive_of);
        let verdict = match (self.directives.of(id, key), told) {
            (Some(directive), told) if told != Some(directive.id) => {
                Verdict { ttl_ms: directive.ttl_ms(now.wall), body: directive.told() }
            }
            (None, Some(_)) => self.undirected(id, key, now),
            (Some(_) | None, _) => return,
        };
        self.counters.decisions_issued += 1;
        self.issued.issue(id, key, verdict, now);
    }

    /// What takes the place of a directive that ended: what is computed, or nothing.
    fn undirected(&mut self, id: &AgentId, key: &str, now: Now) -> Verdict {
        // Without an answer it may keep to one that was replaced and lasts longer.
        let answered = self.issued.newest_body(id, key).filter(|_| self.issued.is_answered(id, key));
        let until_us = answered.and_then(|body| body.get("until_us")?.as_i64());
        let computed = self.directives.take_outranked(id, key, now.mono);
        computed.unwrap_or_else(|| {
            let left = until_us.map_or(Duration::MAX, |until_us| Wall::from_us(until_us).since(now.wall));
            let ttl_ms = u64::try_from(left.max(NOTHING_FOR).as_millis()).unwrap_or(u64::MAX);
            Verdict { ttl_ms: ttl_ms.min(directive::LIMIT_SET_MAX_MS), body: directive::nothing(key) }
        })
    }

    /// A commit is in the store.
    pub(super) fn directed(&mut self, commit: u64) {
        let kept = up_to(&mut self.directives.asked, commit);
        self.directives.unkept.extend(kept);
        if !self.withheld.has_standby() {
            self.say_directed(commit);
        }
    }

    /// What commits up to this one hold is kept wherever it has to be: whoever asked hears of it.
    pub(super) fn say_directed(&mut self, commit: u64) {
        for (_, (ticket, directive)) in up_to(&mut self.directives.unkept, commit) {
            self.effects.push_back(CloudEffect::Directed { ticket, result: Ok(directive) });
        }
    }
}
