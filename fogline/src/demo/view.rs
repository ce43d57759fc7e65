//! What the demo shows: the site at one moment.

use crate::figures::count;
use crate::table::Table;
use fogline_agent::program::AgentSnapshot;
use fogline_protocol::wire::State;
use serde::Serialize;

/// The sites and their agents.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct View {
    /// Seconds since the demo started.
    pub(crate) elapsed_s: u64,
    /// Whether the broker of the first site runs.
    pub(crate) broker: &'static str,
    /// What its ingester does.
    pub(crate) ingester: &'static str,
    /// Each site.
    pub(crate) sites: Vec<SiteView>,
    /// The ingester that leads; of two for a moment the one of the newer term.
    pub(crate) leader: Option<String>,
    /// In which term.
    pub(crate) term: Option<u64>,
    /// Readings that the queues of all agents have ever taken.
    pub(crate) readings: u64,
    /// Readings in the store, counted there.
    pub(crate) stored: u64,
    /// Readings that were acknowledged to their agents.
    pub(crate) acknowledged: u64,
    /// Readings that wait in the queues, in flight or not.
    pub(crate) queued: u64,
    /// Each agent.
    pub(crate) agents: Vec<AgentView>,
    /// The city, once it is there.
    pub(crate) city: Option<CityView>,
}

/// The city.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct CityView {
    /// How many nodes run.
    pub(crate) nodes: usize,
    /// The one that coordinates.
    pub(crate) coordinator: Option<String>,
    /// Sensors that have a node.
    pub(crate) sensors: usize,
}

impl CityView {
    /// For a person.
    fn words(&self) -> String {
        let coordinator =
            self.coordinator.as_ref().map_or("nobody coordinates".to_owned(), |name| format!("{name} coordinates"));
        format!("city: {} nodes, {coordinator}, {} sensors", self.nodes, self.sensors)
    }
}

/// A site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SiteView {
    /// Its number, from 1.
    pub(crate) site: u16,
    /// Whether its broker runs.
    pub(crate) broker: &'static str,
    /// The name of its ingester.
    pub(crate) name: String,
    /// What that does.
    pub(crate) ingester: &'static str,
    /// Its term, while it leads.
    pub(crate) leads: Option<u64>,
}

/// An agent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct AgentView {
    /// `region/name`.
    pub(crate) agent: String,
    /// What it measures.
    pub(crate) kind: &'static str,
    /// What it does.
    pub(crate) state: &'static str,
    /// The site whose broker it uses, from 1; none while it is connected to none.
    pub(crate) broker: Option<usize>,
    /// Readings that its queue has ever taken.
    pub(crate) readings: u64,
    /// Of these, in the store, counted there.
    pub(crate) stored: u64,
    /// Of these, acknowledged.
    pub(crate) acknowledged: u64,
    /// Of these, waiting in the queue, in flight or not.
    pub(crate) queued: u64,
    /// Of those, in flight.
    pub(crate) in_flight: u64,
    /// Of these, dropped because the queue was full.
    pub(crate) dropped: u64,
    /// The speed limit in force.
    pub(crate) limit_kmh: Option<f64>,
}

impl AgentView {
    /// Takes over what a running agent says.
    pub(crate) fn update(&mut self, agent: &AgentSnapshot) {
        let node = &agent.edge;
        self.state = match (node.connected, node.state, &node.fault) {
            (_, _, Some(_)) => "disk fault",
            (false, ..) => "no broker",
            (true, None, _) => "no ingester",
            (true, Some(State::StoreDown), _) => "store down",
            (true, Some(State::Busy), _) => "slowed down",
            (true, Some(State::Ok), _) => "ok",
        };
        self.broker = node.broker.filter(|_| node.connected).map(|place| place + 1);
        self.acknowledged = agent.acknowledged_before + node.acknowledged;
        self.queued = node.unsent + node.in_flight;
        self.in_flight = node.in_flight;
        self.dropped = node.usage.dropped;
        self.readings = self.acknowledged + self.queued + self.dropped;
        let limit = node.in_force.iter().find(|decision| decision.key == "limit");
        self.limit_kmh = limit.and_then(|decision| decision.body.get("limit_kmh")?.as_f64());
    }
}

impl View {
    /// What there is after so many seconds. There is at least one site.
    pub(crate) fn of(elapsed_s: u64, sites: Vec<SiteView>, agents: Vec<AgentView>, city: Option<CityView>) -> Self {
        let (broker, ingester) = sites.first().map_or(("stopped", "stopped"), |site| (site.broker, site.ingester));
        let leader = sites.iter().filter(|site| site.leads.is_some()).max_by_key(|site| site.leads);
        let (leader, term) = (leader.map(|site| site.name.clone()), leader.and_then(|site| site.leads));
        Self { elapsed_s, broker, ingester, leader, term, sites, agents, city, ..Self::default() }.with_sums()
    }

    /// Adds up what the agents have.
    fn with_sums(mut self) -> Self {
        let sum = |of: fn(&AgentView) -> u64| self.agents.iter().map(of).sum();
        (self.readings, self.stored) = (sum(|agent| agent.readings), sum(|agent| agent.stored));
        (self.acknowledged, self.queued) = (sum(|agent| agent.acknowledged), sum(|agent| agent.queued));
        self
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        let limits: Vec<String> =
            self.agents.iter().filter_map(|agent| agent.limit_kmh).map(|limit| limit.to_string()).collect();
        let limits = if limits.is_empty() { "none yet".to_owned() } else { limits.join(", ") + " km/h" };
        format!(
            "{:>4} s  readings {}  stored {}  acknowledged {}  queued {}  limits {limits}  {}",
            self.elapsed_s,
            count(self.readings),
            count(self.stored),
            count(self.acknowledged),
            count(self.queued),
            self.standing().join("  "),
        )
    }

    /// How the sites are: of one in few words, of several each and who leads.
    pub(crate) fn standing(&self) -> Vec<String> {
        let city = self.city.as_ref().map(CityView::words);
        if self.sites.len() < 2 {
            return [Some(format!("broker {}  ingester {}", self.broker, self.ingester)), city]
                .into_iter()
                .flatten()
                .collect();
        }
        let site = |site: &SiteView| {
            format!(
                "site {}: broker {}, {} {}{}",
                site.site,
                site.broker,
                site.name,
                site.ingester,
                self.users(site.site)
            )
        };
        let mut words: Vec<String> = self.sites.iter().map(site).collect();
        words.push(match (&self.leader, self.term) {
            (Some(leader), Some(term)) => format!("{leader} leads in term {term}"),
            _ => "nobody leads".to_owned(),
        });
        words.extend(city);
        words
    }

    /// How many agents use the broker of a site.
    fn users(&self, site: u16) -> String {
        let users = self.agents.iter().filter(|agent| agent.broker == Some(usize::from(site))).count();
        if users == 1 { ", 1 agent".to_owned() } else { format!(", {users} agents") }
    }

    /// The agents, and the sums below them.
    pub(crate) fn table(&self) -> Table {
        let columns = ["agent", "kind", "readings", "stored", "acknowledged", "queued", "in flight", "limit", "state"];
        // With one site there is one broker.
        let of_site = (self.sites.len() > 1).then_some("broker");
        let header: Vec<&str> = columns.into_iter().chain(of_site).collect();
        let mut table = Table::new(&header);
        for (number, agent) in self.agents.iter().enumerate() {
            let limit = agent.limit_kmh.map_or_else(|| "-".to_owned(), |limit| format!("{limit} km/h"));
            let name = format!("{} {}", number + 1, agent.agent);
            let numbers = [agent.readings, agent.stored, agent.acknowledged, agent.queued, agent.in_flight].map(count);
            let before = [name, agent.kind.to_owned()].into_iter();
            let broker = agent.broker.map_or_else(|| "-".to_owned(), |site| format!("of site {site}"));
            table.row(before.chain(numbers).chain([limit, agent.state.to_owned(), broker]));
        }
        let in_flight = self.agents.iter().map(|agent| agent.in_flight).sum();
        let sums = [self.readings, self.stored, self.acknowledged, self.queued, in_flight].map(count);
        table.row(["all".to_owned(), String::new()].into_iter().chain(sums));
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let lane = AgentView {
            agent: "north/lane-1".to_owned(),
            kind: "road",
            state: "ok",
            broker: Some(2),
            readings: 1_210,
            stored: 1_207,
            acknowledged: 1_205,
            queued: 5,
            in_flight: 5,
            dropped: 0,
            limit_kmh: Some(100.0),
        };
        let house = AgentView {
            agent: "village/house-1".to_owned(),
            kind: "power",
            state: "no broker",
            readings: 12,
            stored: 10,
            acknowledged: 10,
            queued: 2,
            ..AgentView::default()
        };
        View::of(7, vec![site(1, "up", "ok", Some(3))], vec![lane, house], None)
    }

    fn site(number: u16, broker: &'static str, ingester: &'static str, leads: Option<u64>) -> SiteView {
        SiteView { site: number, broker, name: format!("ingest-{number}"), ingester, leads }
    }

    #[test]
    fn of_two_sites_it_says_who_leads_and_where_agents_are() {
        let sites = vec![site(1, "stopped", "stopped", None), site(2, "up", "leads", Some(4))];
        let view = View::of(9, sites, view().agents, None);
        let expected = "site 1: broker stopped, ingest-1 stopped, 0 agents  site 2: broker up, ingest-2 leads, 1 agent  ingest-2 leads in term 4";
        assert!(view.line().ends_with(expected), "{}", view.line());
        let table = view.table().to_string();
        assert!(table.lines().any(|line| line.ends_with("ok  of site 2")), "{table}");
    }

    #[test]
    fn while_two_lead_the_newer_term_counts() {
        let sites = vec![site(1, "up", "leads", Some(3)), site(2, "up", "leads", Some(4))];
        assert_eq!(View::of(1, sites, Vec::new(), None).leader.as_deref(), Some("ingest-2"));
        let nobody =
            View::of(1, vec![site(1, "up", "no leader", None), site(2, "up", "no leader", None)], Vec::new(), None);
        assert_eq!(nobody.standing().last().map(String::as_str), Some("nobody leads"));
    }

    #[test]
    fn a_line_says_it_all() {
        let expected = "   7 s  readings 1,222  stored 1,217  acknowledged 1,215  queued 7  limits 100 km/h  broker up  ingester ok";
        assert_eq!(view().line(), expected);
    }

    #[test]
    fn a_table_ends_with_the_sums() {
        let expected = "\
agent               kind  readings  stored  acknowledged  queued  in flight     limit      state
1 north/lane-1      road     1,210   1,207         1,205       5          5  100 km/h         ok
2 village/house-1  power        12      10            10       2          0         -  no broker
all                          1,222   1,217         1,215       7          5
";
        assert_eq!(view().table().to_string(), expected);
    }
}
