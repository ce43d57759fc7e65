//! What the demo shows: the site at one moment.

use crate::figures::count;
use crate::table::Table;
use fogline_agent::program::AgentSnapshot;
use fogline_protocol::wire::State;
use serde::Serialize;

/// The site.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct View {
    /// Seconds since the demo started.
    pub(crate) elapsed_s: u64,
    /// Whether the broker runs.
    pub(crate) broker: &'static str,
    /// What the ingester does.
    pub(crate) ingester: &'static str,
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
    /// Adds up what the agents have.
    pub(crate) fn with_sums(mut self) -> Self {
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
            "{:>4} s  readings {}  stored {}  acknowledged {}  queued {}  limits {limits}  broker {}  ingester {}",
            self.elapsed_s,
            count(self.readings),
            count(self.stored),
            count(self.acknowledged),
            count(self.queued),
            self.broker,
            self.ingester,
        )
    }

    /// The agents, and the sums below them.
    pub(crate) fn table(&self) -> Table {
        let header = ["agent", "kind", "readings", "stored", "acknowledged", "queued", "in flight", "limit", "state"];
        let mut table = Table::new(&header);
        for (number, agent) in self.agents.iter().enumerate() {
            let limit = agent.limit_kmh.map_or_else(|| "-".to_owned(), |limit| format!("{limit} km/h"));
            let name = format!("{} {}", number + 1, agent.agent);
            let numbers = [agent.readings, agent.stored, agent.acknowledged, agent.queued, agent.in_flight].map(count);
            let before = [name, agent.kind.to_owned()].into_iter();
            table.row(before.chain(numbers).chain([limit, agent.state.to_owned()]));
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
        View { elapsed_s: 7, broker: "up", ingester: "ok", agents: vec![lane, house], ..View::default() }.with_sums()
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
