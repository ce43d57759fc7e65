//! What limits rest on: only on readings that were on time.
//!
//! The world knows when each reading was first handed to the ingester, and by which of the ingester's clocks. From that
//! follows which readings a window's average may hold, and which it must hold.

use super::checks::{Check, require};
use super::coverage::Coverage;
use super::ledger::{Row, Serial};
use super::options::SECOND_US;
use super::orders::LIMIT;
use fogline_protocol::directive::{self, directive_of};
use fogline_protocol::ids::{AgentId, Name, Seq, Term};
use fogline_protocol::sensing;
use fogline_protocol::store::{DecisionRecord, Fate};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{DECISION_WIDTH_S, window_start};
use fogline_protocol::wire::{Decision, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a window stays open after its end.
pub const GRACE: Duration = Duration::from_secs(1);
/// A mean is shown to a tenth.
const MEAN_ROUNDING_KMH: f64 = 0.051;

/// Clocks run apart by one part in so many, at most.
const CLOCK_PARTS: u64 = 400;
/// How much longer a limit may be in force: one that is saved late ends late.
const OVERSTAY_US: u64 = 3 * SECOND_US;

/// A reading as the ingester met it.
#[derive(Debug, Clone, Copy)]
struct Met {
    speed_kmh: f64,
    /// It was on time at least once when it was handed over: an average may hold it.
    may_count: bool,
    /// It was ahead of its time at least once: then perhaps no average holds it.
    came_early: bool,
    /// It was committed while its window was open: the average must hold it.
    must_count: bool,
}

type WindowKey = (Name, Wall);

/// The books of all limits.
#[derive(Debug, Default)]
pub struct Limits {
    windows: BTreeMap<WindowKey, BTreeMap<Serial, Met>>,
    /// In each state.
    newest: BTreeMap<(usize, AgentId, String), (Term, Seq)>,
    applied: BTreeMap<(usize, String), (Term, Seq)>,
    /// What the agents applied: an ingester without memory may use an order again, for something else.
    in_force: BTreeMap<(AgentId, String, Term, Seq), Vec<serde_json::Value>>,
    /// Until when at the latest the newest limit that each agent heard of may be in force, by its order.
    heard: BTreeMap<(usize, Term, Seq), u64>,
    /// And that which is in force, since the agent's start.
    ends_us: BTreeMap<usize, u64>,
    /// Whether the ingester's clock was ever set, or its state lost: then what an average must hold is not known.
    unsteady: bool,
}

impl Limits {
    /// The ingester starts, and its clock shows `now`. It takes the averages of windows that are still open from the store,
    /// and those hold what came too early, too.
    pub fn restarted(&mut self, now: Wall) {
        for ((_, start), window) in &mut self.windows {
            if is_on_time(*start, now) {
                window.values_mut().for_each(|met| met.may_count = true);
            }
        }
    }

    /// The ingester's clock was set.
    pub fn clock_set(&mut self) {
        self.unsteady = true;
    }

    /// An ingester's state was lost, and the newest decisions with it.
    pub fn state_lost(&mut self, state: usize) {
        self.newest.retain(|(of, ..), _| *of != state);
        self.unsteady = true;
    }

    /// Another ingester took over: by its clock other readings are on time, and it may not know them all.
    pub fn handed_over(&mut self) {
        self.unsteady = true;
    }

    /// An ingester was told of a decision by the one that leads.
    pub fn adopted(&mut self, record: &DecisionRecord, state: usize) {
        let decision = &record.decision;
        let order = (decision.term.clone(), decision.seq);
        self.newest.insert((state, record.agent.clone(), decision.key.clone()), order);
    }

    /// A reading was handed to the ingester, whose clock shows `now`.
    pub fn received(&mut self, region: &Name, row: &Row, now: Wall) {
        if let Some(met) = self.meet(region, row, now) {
            met.may_count |= is_on_time(row.ts, now);
        }
    }

    /// The ingester, whose clock shows `now`, learns that a reading is committed together with its share of the average.
    pub fn committed(&mut self, region: &Name, row: &Row, now: Wall) {
        if let Some(met) = self.meet(region, row, now).filter(|_| is_on_time(row.ts, now)) {
            met.may_count = true;
            met.must_count = !met.came_early;
        }
    }

    fn meet(&mut self, region: &Name, row: &Row, now: Wall) -> Option<&mut Met> {
        let speed_kmh = row.speed_kmh?;
        let window = self.windows.entry((region.clone(), window_start(row.ts, DECISION_WIDTH_S))).or_default();
        let unmet = Met { speed_kmh, may_count: false, came_early: false, must_count: false };
        let met = window.entry(row.serial).or_insert(unmet);
        met.came_early |= is_early(row.ts, now);
        Some(met)
    }

    /// A decision was recorded, new or with a new fate.
    ///
    /// # Errors
    /// It is new and not newer than the one before, or rests on other readings than those that were on time; or it is said to
    /// be applied, and never was.
    pub fn recorded(&mut self, record: &DecisionRecord, state: usize, coverage: &mut Coverage) -> Check {
        let decision = &record.decision;
        let order = (decision.term.clone(), decision.seq);
        let newest = self.newest.entry((state, record.agent.clone(), decision.key.clone()));
        let before = newest.or_insert_with(|| (Term { counter: 0, ingester: order.0.ingester.clone() }, 0));
        match record.fate {
            Fate::Outstanding => {}
            Fate::Acknowledged(Outcome::Applied) => coverage.count("limit applied"),
            Fate::Acknowledged(Outcome::Superseded) => coverage.count("limit refused as older"),
            Fate::Acknowledged(Outcome::Refused) => coverage.count("decision refused"),
            Fate::Acknowledged(Outcome::RolledBack) => coverage.count("configuration answered as rolled back"),
            Fate::Replaced => coverage.count("limit replaced"),
            Fate::Expired => coverage.count("limit expired"),
        }
        if record.fate == Fate::Acknowledged(Outcome::Applied) && decision.key != sensing::KEY {
            let at = (record.agent.clone(), decision.key.clone(), order.0.clone(), order.1);
            let was_in_force = self.in_force.get(&at).is_some_and(|bodies| bodies.contains(&decision.body));
            require(was_in_force, || format!("NOT APPLIED: {} never had {decision:?} in force", record.agent))?;
        }
        if order == *before || record.fate != Fate::Outstanding {
            return Ok(());
        }
        require(order > *before, || format!("BACK: {} got {order:?} after {before:?}", record.agent))?;
        *before = order;
        // What an operator decided, or took back, rests on no readings.
        if directive_of(&decision.body).is_some() || decision.body == directive::nothing(&decision.key) {
            coverage.count("directive told");
            return Ok(());
        }
        if decision.key != LIMIT {
            coverage.count("notice decided");
            return Ok(());
        }
        coverage.count("limit decided");
        self.rests_on_what_was_on_time(&record.agent.region, decision)
    }

    /// A decision is sent.
    ///
    /// # Errors
    /// It is not recorded: after a crash nobody would know of it.
    pub fn sent(&self, agent: &AgentId, decision: &Decision, state: usize) -> Check {
        let recorded = self.newest.get(&(state, agent.clone(), decision.key.clone()));
        let known = recorded.is_some_and(|(term, seq)| (&decision.term, decision.seq) <= (term, *seq));
        require(known, || format!("UNRECORDED: {agent} is sent {:?} before it is recorded", decision.order()))
    }

    /// An agent has applied a decision.
    ///
    /// # Errors
    /// It had applied a newer one.
    pub fn applied(&mut self, agent: usize, id: &AgentId, decision: &Decision) -> Check {
        let order = (decision.term.clone(), decision.seq);
        let at = (id.clone(), decision.key.clone(), order.0.clone(), order.1);
        self.in_force.entry(at).or_default().push(decision.body.clone());
        let before = self.applied.insert((agent, decision.key.clone()), order.clone());
        let forward = before.as_ref().is_none_or(|before| *before <= order);
        require(forward, || format!("BACK: agent {agent} applied {order:?} after {before:?}"))
    }

    /// A limit reached an agent at this time.
    pub fn heard(&mut self, agent: usize, decision: &Decision, now_us: u64) {
        let lasts_us = decision.ttl_ms.saturating_mul(1000);
        let end_us = now_us + lasts_us + lasts_us / CLOCK_PARTS + OVERSTAY_US;
        let last = self.heard.entry((agent, decision.term.clone(), decision.seq)).or_default();
        *last = end_us.max(*last);
    }

    /// An agent starts: how long what it knows lasts is a matter of its wall clock now, which may be wrong.
    pub fn started(&mut self, agent: usize) {
        self.heard.retain(|(of, ..), _| *of != agent);
        self.ends_us.remove(&agent);
    }

    /// A limit that an agent heard of since its start is in force, or none is any more.
    pub fn lasts(&mut self, agent: usize, decision: Option<&Decision>) {
        let end_us = decision.and_then(|of| self.heard.get(&(agent, of.term.clone(), of.seq)));
        match end_us {
            Some(end_us) => self.ends_us.insert(agent, *end_us),
            None => self.ends_us.remove(&agent),
        };
    }

    /// An agent is awake.
    ///
    /// # Errors
    /// A limit is in force whose time is over.
    pub fn awake(&self, agent: usize, now_us: u64) -> Check {
        let end_us = self.ends_us.get(&agent).copied().unwrap_or(u64::MAX);
        require(now_us <= end_us, || format!("OVERSTAYS: the limit of agent {agent} was over at {end_us}"))
    }

    /// The agent has another disk: what it had applied may be forgotten.
    pub fn disk_exchanged(&mut self, agent: usize) {
        self.applied.retain(|(of, _), _| *of != agent);
    }

    #[allow(clippy::cast_precision_loss, reason = "a window holds a few hundred readings")]
    fn rests_on_what_was_on_time(&self, region: &Name, decision: &Decision) -> Check {
        let number = |key: &str| decision.body.get(key).and_then(serde_json::Value::as_f64).unwrap_or(f64::NAN);
        let start = decision.body.get("window_us").and_then(serde_json::Value::as_i64).unwrap_or_default();
        let (n, mean) = (number("n"), number("mean_kmh"));
        let none = BTreeMap::new();
        let window = self.windows.get(&(region.clone(), Wall::from_us(start))).unwrap_or(&none);
        let counting: Vec<f64> = window.values().filter(|met| met.may_count).map(|met| met.speed_kmh).collect();
        let may = counting.len() as f64;
        let must = if self.unsteady { 0.0 } else { window.values().filter(|met| met.must_count).count() as f64 };
        require((must..=may).contains(&n), || {
            format!("NOT ON TIME: a limit of {region} for {start} rests on {n} readings, of {must} to {may} on time")
        })?;
        let exact = counting.iter().sum::<f64>() / may;
        let (slowest, fastest) = counting.iter().fold((exact, exact), |(low, high), v| (v.min(low), v.max(high)));
        let all_count = (n - may).abs() < 0.5;
        let (low, high) = if all_count { (exact, exact) } else { (slowest, fastest) };
        require((low - MEAN_ROUNDING_KMH..=high + MEAN_ROUNDING_KMH).contains(&mean), || {
            format!(
                "NOT ON TIME: a limit of {region} for {start} says a mean of {mean}, those on time give {low} to {high}"
            )
        })
    }
}

/// True when the window of a reading of `ts` begins too far ahead of a clock that shows `now`.
fn is_early(ts: Wall, now: Wall) -> bool {
    window_start(ts, DECISION_WIDTH_S) > now + GRACE
}

/// True when the window of a reading of `ts` is open by a clock that shows `now`.
fn is_on_time(ts: Wall, now: Wall) -> bool {
    let end = window_start(ts, DECISION_WIDTH_S) + Duration::from_secs(u64::from(DECISION_WIDTH_S));
    !is_early(ts, now) && end + GRACE > now
}
