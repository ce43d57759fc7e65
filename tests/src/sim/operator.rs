//! What became of what operators ordered: said to be kept once it is, in force as long as it was to be, and not longer.

use super::agenda::Party;
use super::checks::{Check, Violation, require};
use super::orders::{LIMIT, Order, Setting};
use super::store::State;
use super::world::World;
use fogline_protocol::directive::{Directive, DirectiveChange, DirectiveRefusal, End, Ended, Target, directive_of};
use fogline_protocol::ids::AgentId;
use fogline_protocol::node::SiteInput;
use fogline_protocol::sensing;
use fogline_protocol::store::{DecisionRecord, Fate};
use fogline_protocol::time::Wall;
use fogline_protocol::trial::Phase;
use fogline_protocol::wire::{Decision, Outcome};
use serde_json::Value;
use std::collections::BTreeMap;

/// What was asked, and has no answer yet.
#[derive(Debug, Clone)]
struct Asked {
    target: Target,
    set: Option<(Setting, Option<i64>)>,
}

/// The books of the operators.
#[derive(Debug, Default)]
pub struct Operator {
    tickets: u64,
    waiting: BTreeMap<u64, Asked>,
    /// What was said last to be kept of a target; none there: it is not known, because a question has no answer.
    known: BTreeMap<Target, Option<Directive>>,
    /// Whether an ingester's clock was ever set: then times are not what they seem.
    pub(super) clock_set: bool,
}

impl State {
    /// The directive that is in force for a target.
    fn directive(&self, target: &Target) -> Option<&Directive> {
        self.directives.values().find(|known| known.ended.is_none() && known.target == *target)
    }

    /// The directive that counts for an agent by this clock: its own before its region's.
    fn directive_for(&self, id: &AgentId, key: &str, now: Wall) -> Option<&Directive> {
        let of = |agent| Target { region: id.region.clone(), agent, key: key.to_owned() };
        let own = self.directive(&of(Some(id.agent.clone()))).or_else(|| self.directive(&of(None)));
        own.filter(|directive| !directive.is_over(now))
    }

    /// Keeps a directive: a new one ends the one before of the same target.
    pub(super) fn keep(&mut self, directive: &Directive) {
        if directive.ended.is_none() {
            let before = self.directives.range_mut(..directive.id).map(|(_, known)| known);
            let replaced = Ended { at_us: directive.set_us, how: End::Replaced, by: None };
            before
                .filter(|known| known.ended.is_none() && known.target == directive.target)
                .for_each(|known| known.ended = Some(replaced.clone()));
        }
        let known = self.directives.entry(directive.id).or_insert_with(|| directive.clone());
        if known.ended.is_none() {
            known.ended.clone_from(&directive.ended);
        }
    }

    /// What a decision is to tell of is in this state, for this agent, and its time is not over when it is decided.
    pub(super) fn decides(&self, record: &DecisionRecord) -> Check {
        let DecisionRecord { agent, decision, .. } = record;
        let Some(id) = directive_of(&decision.body) else { return Ok(()) };
        let directive = self.directives.get(&id).filter(|known| known.target.concerns(agent));
        let Some(directive) = directive.filter(|known| known.target.key == decision.key) else {
            return Err(Violation::new(format!("INVENTED: {agent} is told of directive {id}: {decision:?}")));
        };
        let ends = decision.decided_us.saturating_add_unsigned(decision.ttl_ms.saturating_mul(1000));
        let in_time = directive.until_us.is_none_or(|until_us| ends <= until_us.saturating_add(1000));
        require(in_time, || format!("OVERSTAYS: {agent} is told of {directive:?} by {decision:?}"))
    }
}

impl World {
    /// An operator orders something.
    pub(super) fn operate(&mut self, index: usize) -> Check {
        let Some((_, Order { target, set, site })) = self.options.orders.get(index).cloned() else { return Ok(()) };
        let leads = |site: &usize| self.leads(*site, target.region.as_str());
        let Some(site) = site.or_else(|| (0..self.clouds.len()).find(leads)) else {
            self.coverage.count("order: nobody leads");
            return Ok(());
        };
        let party = Party::Cloud(site);
        if self.clouds[site].is_down() || self.paused.contains_key(&party) {
            self.coverage.count("order: nobody answers");
            return Ok(());
        }
        let now = self.clock(party).wall;
        let set = set.map(|setting| (setting, setting.asked(now.us()).1));
        let asked = set.map(|(setting, _)| setting.asked(now.us()));
        self.operator.tickets += 1;
        let ticket = self.operator.tickets;
        self.operator.known.remove(&target);
        self.operator.waiting.insert(ticket, Asked { target: target.clone(), set });
        self.note(party, "is ordered", format!("{ticket} {target:?} {asked:?}").as_bytes());
        self.handle_cloud(site, SiteInput::Direct { ticket, change: DirectiveChange { target, set: asked, by: None } })
    }

    /// An ingester answers its operator.
    pub(super) fn directed(&mut self, site: usize, ticket: u64, result: Result<Directive, DirectiveRefusal>) -> Check {
        let Some(asked) = self.operator.waiting.remove(&ticket) else {
            return Err(Violation::new(format!("INVENTED: an answer to question {ticket}, which nobody asked")));
        };
        let takes = self.realms[site].takes(asked.target.region.as_str());
        match result {
            Ok(directive) => {
                require(takes, || format!("ELSEWHERE: ingester {site} decides for {:?}", asked.target))?;
                self.accepted(site, &asked, directive)
            }
            Err(DirectiveRefusal::NotTaken { .. }) if !takes => {
                self.coverage.count("order: for a region of another one");
                Ok(())
            }
            Err(DirectiveRefusal::StandsBy) if takes => {
                self.coverage.count("order: it stands by");
                Ok(())
            }
            Err(DirectiveRefusal::NotSet(_)) if takes && asked.set.is_none() => {
                self.coverage.count("order: nothing to take back");
                Ok(())
            }
            Err(refusal) => Err(Violation::new(format!("REFUSED: {asked:?} by ingester {site}: {refusal}"))),
        }
    }

    fn accepted(&mut self, site: usize, asked: &Asked, said: Directive) -> Check {
        self.coverage.count(match (&asked.set, said.target.agent.is_some()) {
            (None, _) => "order: taken back",
            (Some(_), true) => "order: set for an agent",
            (Some(_), false) => "order: set for a region",
        });
        let same = said.target == asked.target
            && said.ended.is_none() == asked.set.is_some()
            && asked.set.is_none_or(|(_, until_us)| said.until_us == until_us);
        require(same, || format!("CHANGED: {asked:?} was answered with {said:?}"))?;
        let kept = self.store.states[self.store.state_of(site)].directives.get(&said.id);
        let is_kept = kept.is_some_and(|kept| kept.body == said.body && (kept.ended.is_some() || said.ended.is_none()));
        require(is_kept, || format!("SAID BEFORE KEPT: ingester {site} keeps {kept:?}, and says {said:?}"))?;
        // One that another question may have changed meanwhile is not known.
        if self.operator.waiting.values().all(|other| other.target != said.target) {
            let in_force = said.ended.is_none().then_some(said.clone());
            self.operator.known.insert(said.target, in_force);
        }
        Ok(())
    }

    /// What an ingester sends is not to last longer than its directive.
    pub(super) fn lasts_no_longer(&self, site: usize, decision: &Decision) -> Check {
        let until_us = decision.body.get("until_us").and_then(Value::as_i64).filter(|_| !self.operator.clock_set);
        let now = self.clock(Party::Cloud(site)).wall.us();
        let ends = now.saturating_add_unsigned(decision.ttl_ms.saturating_mul(1000));
        // The least that a decision may last is a millisecond; clocks run apart by a five-hundredth.
        let in_time = until_us.is_none_or(|until_us| ends <= until_us.max(now) + 1_000_000);
        require(in_time, || format!("OVERSTAYS: ingester {site} sends {decision:?} at {now}"))
    }

    /// What is not as operators decided, once all is quiet.
    pub(super) fn disobeys(&self, index: usize) -> Option<String> {
        // An agent with another disk may lack what it has answered, and one that leads without all that another one knew cannot see
        // what agents have heard of.
        if !self.is_exact() || self.edges[index].has_other_disk() {
            return None;
        }
        let id = &self.options.agents[index].id;
        let leader = self.leader_of(id.region.as_str())?;
        let state = &self.store.states[self.store.state_of(leader)];
        let now = self.clock(Party::Cloud(leader)).wall;
        let limit = state.directive_for(id, LIMIT, now);
        let config = state.directive_for(id, sensing::KEY, now);
        self.disobeys_limit(index, limit).or_else(|| self.disobeys_config(index, state, config))
    }

    fn disobeys_limit(&self, index: usize, directive: Option<&Directive>) -> Option<String> {
        let snapshot = self.edges[index].snapshot()?;
        let expected = directive.map(|directive| directive.id);
        let limit = snapshot.in_force.iter().find(|decision| decision.key == LIMIT);
        let found = limit.and_then(|limit| directive_of(&limit.body));
        // It ended by the clock of the ingester that told of it, and of those that followed one may be behind.
        let latest = (0..self.clouds.len()).map(|site| self.clock(Party::Cloud(site)).wall).max().unwrap_or_default();
        let may_be_over = found.is_none() && directive.is_some_and(|directive| directive.is_over(latest));
        let obeys = found == expected || may_be_over;
        (!obeys)
            .then(|| format!("agent {index} works with the limit of directive {found:?}, not {expected:?}: {limit:?}"))
    }

    fn disobeys_config(&self, index: usize, state: &State, expected: Option<&Directive>) -> Option<String> {
        let report = self.edges[index].snapshot()?.configuration;
        if report.set.is_some_and(|(_, phase)| phase == Phase::Trying) {
            return Some(format!("agent {index} still tries a configuration: {report:?}"));
        }
        let Some(directive) = expected else {
            let obeys = report.in_force == sensing::Sensing::default();
            return (!obeys).then(|| format!("agent {index} works with {report:?}, and nothing is set"));
        };
        let told = state.decisions.get(&(self.options.agents[index].id.clone(), sensing::KEY.to_owned()));
        let told = told.filter(|told| directive_of(&told.decision.body) == Some(directive.id));
        let Some(told) = told else { return Some(format!("agent {index} was never told of {directive:?}")) };
        let obeys = match told.fate {
            Fate::Acknowledged(Outcome::Applied) => sensing::Sensing::parse(&directive.body) == Ok(report.in_force),
            Fate::Acknowledged(Outcome::RolledBack) => true,
            _ => false,
        };
        (!obeys).then(|| format!("agent {index} works with {report:?} of {directive:?}, {:?}", told.fate))
    }

    /// What was said to be kept is kept, by whoever leads now.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn orders_are_kept(&self) -> Check {
        if !self.is_exact() {
            return Ok(());
        }
        for (target, known) in &self.operator.known {
            let Some(leader) = self.leader_of(target.region.as_str()) else { continue };
            let kept = self.store.states[self.store.state_of(leader)].directive(target);
            let over = |directive: &Directive| directive.until_us.is_some();
            let same = kept.map(|kept| kept.id) == known.as_ref().map(|known| known.id);
            let ended = kept.is_none() && known.as_ref().is_some_and(over);
            require(same || ended, || format!("FORGOTTEN: {known:?} was kept for {target:?}, and now {kept:?} is"))?;
            let now = self.clock(Party::Cloud(leader)).wall;
            let ended = kept.is_none_or(|kept| !kept.is_over(now));
            require(ended, || format!("OVERSTAYS: {kept:?} is in force still"))?;
        }
        Ok(())
    }

    /// Nothing was lost with a state of an ingester.
    fn is_exact(&self) -> bool {
        !self.store.directives_lost && !self.store.state_was_lost
    }
}
