//! What happened between two looks at the node.

use fogline_protocol::ids::AgentId;
use fogline_protocol::node::SiteSnapshot;
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Role;
use std::collections::{BTreeMap, BTreeSet};

/// The most events that wait to be written: what one can still look at on a board.
pub(super) const EVENTS_MAX: usize = 256;

/// What an event is to whoever looks at a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// Somebody else does the work.
    Failover,
    /// Something does not work.
    Fault,
    /// It works again.
    Recovery,
}

impl Sort {
    /// The value of the tag `event`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Fault => "fault",
            Self::Recovery => "recovery",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Wall,
    pub(super) sort: Sort,
    /// None when it is the ingester's own.
    pub(super) agent: Option<AgentId>,
    pub(super) text: String,
}

/// What the last look found.
#[derive(Debug, Default)]
pub(super) struct Changes {
    ingester: String,
    /// Their addresses.
    brokers: Vec<String>,
    leading: bool,
    store_down: bool,
    connected: BTreeSet<usize>,
    at_brokers: BTreeMap<usize, usize>,
    dead: u64,
}

impl Changes {
    /// Nothing was seen yet.
    pub(super) fn new(ingester: String, brokers: Vec<String>) -> Self {
        Self { ingester, brokers, ..Self::default() }
    }

    /// What is new.
    pub(super) fn look(&mut self, site: &SiteSnapshot, at: Wall) -> Vec<Event> {
        let found = [self.lead(site), self.store(site), self.dead_letters(site), self.moves(site)];
        let found = found.into_iter().flatten().chain(self.connections(site));
        found.map(|(sort, text)| Event { at, sort, agent: None, text }).collect()
    }

    fn lead(&mut self, site: &SiteSnapshot) -> Option<(Sort, String)> {
        let leading = site.role == Role::Leading;
        let was = std::mem::replace(&mut self.leading, leading);
        let term = site.term.as_ref().map_or(0, |term| term.counter);
        let Self { ingester, .. } = self;
        match (was, leading) {
            (false, true) => Some((Sort::Failover, format!("{ingester} leads, in term {term}"))),
            (true, false) => Some((Sort::Failover, format!("{ingester} leads no more"))),
            _ => None,
        }
    }

    fn store(&mut self, site: &SiteSnapshot) -> Option<(Sort, String)> {
        let fault = site.cloud.store_down.as_ref();
        let was = std::mem::replace(&mut self.store_down, fault.is_some());
        match fault {
            Some(fault) if !was => Some((Sort::Fault, format!("{}: {fault}", self.ingester))),
            None if was => Some((Sort::Recovery, format!("{}: the store works again", self.ingester))),
            _ => None,
        }
    }

    fn dead_letters(&mut self, site: &SiteSnapshot) -> Option<(Sort, String)> {
        let dead = site.cloud.counters.dead;
        let new = dead.saturating_sub(std::mem::replace(&mut self.dead, dead));
        (new > 0).then(|| (Sort::Fault, format!("the database refuses {new} readings: see the dead letters")))
    }

    /// Agents that are at another broker than before.
    fn moves(&mut self, site: &SiteSnapshot) -> Option<(Sort, String)> {
        let now = &site.cloud.at_brokers;
        let before = std::mem::replace(&mut self.at_brokers, now.clone());
        let count = |counts: &BTreeMap<usize, usize>, at: &usize| counts.get(at).copied().unwrap_or(0);
        let left: usize = before.iter().map(|(at, agents)| agents.saturating_sub(count(now, at))).sum();
        let (to, came) = now
            .iter()
            .map(|(at, agents)| (at, agents.saturating_sub(count(&before, at))))
            .max_by_key(|(_, came)| *came)?;
        let moved = left.min(came);
        let broker = self.brokers.get(*to).map_or("another broker", String::as_str);
        (moved > 0).then(|| (Sort::Failover, format!("{moved} agents moved to {broker}")))
    }

    fn connections(&mut self, site: &SiteSnapshot) -> Vec<(Sort, String)> {
        let now: BTreeSet<usize> = site.connected.iter().copied().collect();
        let before = std::mem::replace(&mut self.connected, now.clone());
        let said = |sort, what: &str, at: &usize| {
            let broker = self.brokers.get(*at).map_or("a broker", String::as_str);
            (sort, format!("{} {what} {broker}", self.ingester))
        };
        let lost = before.difference(&now).map(|at| said(Sort::Fault, "lost its connection to", at));
        lost.chain(now.difference(&before).map(|at| said(Sort::Recovery, "is connected to", at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::Name;
    use fogline_protocol::node::{CloudConfig, SiteConfig, SiteNode};
    use fogline_protocol::store::StoreFault;
    use fogline_runtime::clock::Clock;

    fn snapshot(change: impl FnOnce(&mut SiteSnapshot)) -> SiteSnapshot {
        let now = Clock::new().now();
        let node = SiteNode::new(SiteConfig::new(CloudConfig::new(Name::new("i1").unwrap(), 1)), now);
        let mut site = SiteSnapshot { connected: vec![0], role: Role::StandingBy, ..node.snapshot(now.mono) };
        change(&mut site);
        site
    }

    fn texts(changes: &mut Changes, site: &SiteSnapshot) -> Vec<(Sort, String)> {
        changes.look(site, Wall::MIN).into_iter().map(|event| (event.sort, event.text)).collect()
    }

    fn changes() -> Changes {
        let mut changes = Changes::new("i1".into(), vec!["a:1".into(), "b:2".into()]);
        changes.look(&snapshot(|_| ()), Wall::MIN);
        changes
    }

    #[test]
    fn what_does_not_change_is_no_event() {
        assert_eq!(texts(&mut changes(), &snapshot(|_| ())), []);
    }

    #[test]
    fn who_takes_the_lead_is_a_failover() {
        let mut changes = changes();
        let found = texts(&mut changes, &snapshot(|site| site.role = Role::Leading));
        assert_eq!(found[0], (Sort::Failover, "i1 leads, in term 0".to_owned()));
        assert_eq!(texts(&mut changes, &snapshot(|_| ()))[0].1, "i1 leads no more");
    }

    #[test]
    fn a_store_that_fails_is_a_fault_until_it_works() {
        let mut changes = changes();
        let down = snapshot(|site| site.cloud.store_down = Some(StoreFault::Transient("no".into())));
        assert_eq!(texts(&mut changes, &down)[0].0, Sort::Fault);
        assert_eq!(texts(&mut changes, &down), []);
        assert_eq!(texts(&mut changes, &snapshot(|_| ()))[0].0, Sort::Recovery);
    }

    #[test]
    fn dead_letters_are_a_fault_each_time_there_are_more() {
        let mut changes = changes();
        let dead = |n| snapshot(|site| site.cloud.counters.dead = n);
        assert!(texts(&mut changes, &dead(3))[0].1.contains("3 readings"));
        assert!(texts(&mut changes, &dead(5))[0].1.contains("2 readings"));
        assert_eq!(texts(&mut changes, &dead(5)), []);
    }

    #[test]
    fn agents_that_change_the_broker_are_a_failover_and_new_ones_are_not() {
        let mut changes = changes();
        let at =
            |first, second| snapshot(move |site| site.cloud.at_brokers = BTreeMap::from([(0, first), (1, second)]));
        assert_eq!(texts(&mut changes, &at(5, 0)), []);
        assert_eq!(texts(&mut changes, &at(1, 4)), [(Sort::Failover, "4 agents moved to b:2".to_owned())]);
        assert_eq!(texts(&mut changes, &at(2, 4)), []);
    }

    #[test]
    fn a_connection_that_ends_is_a_fault() {
        let mut changes = changes();
        assert_eq!(
            texts(&mut changes, &snapshot(|site| site.connected = vec![1])),
            [
                (Sort::Fault, "i1 lost its connection to a:1".to_owned()),
                (Sort::Recovery, "i1 is connected to b:2".to_owned())
            ]
        );
    }
}
