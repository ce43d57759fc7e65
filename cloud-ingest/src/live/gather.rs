//! What is new within half a second, each thing once.

use super::events::{AgentSaid, AverageSaid, Event, InvoiceSaid, LimitSaid, ReadingSaid, Said};
use crate::store::query::{DecisionRow, DirectiveRow, StoreReader};
use fogline_protocol::clock::TimeFlag;
use fogline_protocol::directive::Directive;
use fogline_protocol::ids::AgentId;
use fogline_protocol::reading::{ReadingRef, Readings};
use fogline_protocol::store::{AgentStatus, Commit, DecisionRecord, Points, Stay};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase;
use fogline_protocol::window::{DECISION_WIDTH_S, Scope};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

/// The most of a sort that are said at a time: some 300 KB, and more than a page can show. What is beyond it is counted as missed.
const OF_A_SORT_MAX: usize = 1000;
/// A reading whose time is further ahead than this is from the future, as the node counts it.
const FUTURE_AFTER: Duration = Duration::from_secs(120);

/// A sensor's readings of one kind. Agent, kind and sensor.
type Series = (AgentId, Box<str>, Box<str>);
/// A window that changed: whose, of what, and when it begins.
type Window = (Scope, &'static str, &'static str, Wall);

/// The newest of each thing.
#[derive(Default)]
pub(super) struct Gather {
    agents: BTreeMap<AgentId, AgentStatus>,
    /// By series: the batch, and the place in it.
    readings: BTreeMap<Series, (Arc<Readings>, usize, Option<TimeFlag>)>,
    windows: BTreeMap<Window, ()>,
    /// By agent, register, term and number.
    limits: BTreeMap<(AgentId, String, u64, u64), DecisionRecord>,
    /// By number.
    directives: BTreeMap<u64, Directive>,
    /// Stays that ended.
    invoices: Vec<Stay>,
    missed: u64,
}

impl Gather {
    /// The store has taken this.
    pub(super) fn take(&mut self, commit: &Commit) {
        for status in &commit.statuses {
            let old = self.agents.insert(status.agent.clone(), status.clone());
            if old.is_none() && self.agents.len() > OF_A_SORT_MAX {
                self.agents.remove(&status.agent);
                self.missed += 1;
            }
        }
        for record in &commit.decisions {
            let decision = &record.decision;
            let key = (record.agent.clone(), decision.key.clone(), decision.term.counter, decision.seq);
            if self.limits.len() < OF_A_SORT_MAX || self.limits.contains_key(&key) {
                self.limits.insert(key, record.clone());
            } else {
                self.missed += 1;
            }
        }
        for directive in &commit.directives {
            if self.directives.len() < OF_A_SORT_MAX || self.directives.contains_key(&directive.id) {
                self.directives.insert(directive.id, directive.clone());
            } else {
                self.missed += 1;
            }
        }
        for fold in commit.folds.iter().filter(|fold| fold.width_s == DECISION_WIDTH_S) {
            let key = (fold.scope.clone(), fold.kind, fold.field, fold.start);
            if self.windows.len() < OF_A_SORT_MAX || self.windows.contains_key(&key) {
                self.windows.insert(key, ());
            } else {
                self.missed += 1;
            }
        }
        for stay in commit.bills.stays.iter().filter(|stay| stay.left.is_some()) {
            if self.invoices.len() < OF_A_SORT_MAX {
                self.invoices.push(stay.clone());
            } else {
                self.missed += 1;
            }
        }
        commit.points.iter().for_each(|points| self.take_points(points));
    }

    /// A batch has many readings of few sensors: each is looked up once.
    fn take_points(&mut self, points: &Points) {
        let mut newest: BTreeMap<(&str, &str), (Wall, usize)> = BTreeMap::new();
        for point in points.iter() {
            let at = point.seq.checked_sub(points.first).and_then(|at| usize::try_from(at).ok());
            let Some(at) = at else { continue };
            let (key, this) = ((point.reading.kind(), point.reading.sensor()), (point.reading.ts(), at));
            newest.entry(key).and_modify(|known| *known = this.max(*known)).or_insert(this);
        }
        for ((kind, sensor), (ts, at)) in newest {
            let key = (points.agent.clone(), kind.into(), sensor.into());
            let this = (Arc::clone(&points.readings), at, points.time);
            let full = self.readings.len() >= OF_A_SORT_MAX;
            match self.readings.entry(key) {
                Entry::Occupied(mut known) if is_newer(known.get(), ts) => drop(known.insert(this)),
                Entry::Vacant(_) if full => self.missed += 1,
                Entry::Vacant(place) => {
                    place.insert(this);
                }
                Entry::Occupied(_) => {}
            }
        }
    }

    /// What there is to say of it, and nothing remains. Reads the averages, and so may block.
    pub(super) fn say(self, averages: Option<&StoreReader>, now: Wall) -> Vec<Said> {
        let mut said = Vec::new();
        said.extend(self.agents.values().map(|status| agent(status).said()));
        for ((id, ..), (readings, at, time)) in &self.readings {
            said.extend(readings.get(*at).map(|reading| reading_event(id, reading, *time, now).said()));
        }
        for (scope, kind, field, start) in self.windows.into_keys() {
            said.extend(averages.and_then(|reader| average(reader, &scope, kind, field, start)));
        }
        for ((id, ..), record) in self.limits {
            let (region, agent) = (id.region.as_str(), id.agent.as_str());
            said.push(Event::Limit(LimitSaid { region, agent, decision: DecisionRow::from(record) }).said());
        }
        said.extend(
            self.directives.into_values().map(|directive| Event::Directive(DirectiveRow::from(directive)).said()),
        );
        said.extend(self.invoices.iter().filter_map(invoice).map(|event| event.said()));
        if self.missed > 0 {
            said.push(Said::lagged(self.missed));
        }
        said
    }
}

fn is_newer((readings, at, _): &(Arc<Readings>, usize, Option<TimeFlag>), ts: Wall) -> bool {
    readings.get(*at).is_none_or(|known| known.ts() <= ts)
}

fn agent(heard: &AgentStatus) -> Event<'_> {
    let status = &heard.status;
    Event::Agent(AgentSaid {
        region: heard.agent.region.as_str(),
        agent: heard.agent.agent.as_str(),
        online: status.online,
        queued: status.queued,
        oldest_us: status.oldest_us,
        dropped: status.dropped,
        heard_us: heard.heard.us(),
    })
}

/// Without the plate: it is the ledger's alone.
fn invoice(stay: &Stay) -> Option<Event<'_>> {
    let left = stay.left.as_ref()?;
    Some(Event::Invoice(InvoiceSaid {
        id: format!("{}-{}", stay.stream, stay.seq),
        region: stay.owner.region.as_str(),
        garage: &stay.garage,
        entered_us: stay.entered_us,
        left_us: left.left_us,
        hours: left.hours,
        cents: left.cents,
    }))
}

fn reading_event<'a>(id: &'a AgentId, reading: ReadingRef<'a>, time: Option<TimeFlag>, now: Wall) -> Event<'a> {
    let mut fields = Vec::new();
    reading.write_fields_json(&mut fields);
    Event::Reading(ReadingSaid {
        region: id.region.as_str(),
        agent: id.agent.as_str(),
        sensor: reading.sensor(),
        kind: reading.kind(),
        ts_us: reading.ts().us(),
        fields: serde_json::from_slice(&fields).unwrap_or_default(),
        flags: flags(reading, time, now),
    })
}

/// What is to be known of a reading.
fn flags(reading: ReadingRef<'_>, time: Option<TimeFlag>, now: Wall) -> Vec<&'static str> {
    let outlier = usecase::is_outlier(reading);
    let future = reading.ts() > now + FUTURE_AFTER;
    let named = [(outlier, "outlier"), (future, "future")].into_iter().filter_map(|(is, name)| is.then_some(name));
    named.chain(time.map(TimeFlag::word)).collect()
}

fn average(reader: &StoreReader, scope: &Scope, kind: &str, field: &str, start: Wall) -> Option<Said> {
    let (region, agent) = match scope {
        Scope::Region(region) => (region.as_str(), None),
        Scope::Agent(id) => (id.region.as_str(), Some(id.agent.as_str())),
        // Federal states and their like are asked for when they are looked at.
        Scope::Group(_) => return None,
    };
    // What cannot be read now is said with the next change; a window that is too old is not kept.
    let key = (region, agent.unwrap_or_default(), kind, field);
    let window = reader.window(key, DECISION_WIDTH_S, start.us()).ok().flatten()?;
    Some(Event::Average(AverageSaid { region, agent, kind, field, width_s: DECISION_WIDTH_S, window }).said())
}

#[cfg(test)]
mod tests;
