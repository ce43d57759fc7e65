//! A site that stores in a database that takes InfluxDB's writes.

use fogline_tests::real::{Agent, AgentRecipe, Audit, Broker, Ingester, Kind, until};
use tempfile::TempDir;

/// Readings that are stored of each agent before anything is looked at.
const ENOUGH: u64 = 100;
/// Readings a second: each has a millisecond of its own, as VictoriaMetrics wants it.
const RATE: &str = "100";

/// A broker, an ingester and two agents.
pub(crate) struct Site {
    pub(crate) agents: [Agent; 2],
    pub(crate) ingester: Ingester,
    pub(crate) broker: Broker,
    _folder: TempDir,
}

impl Site {
    /// Starts one whose ingester writes to `url`.
    pub(crate) fn start(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(Kind::Embedded, folder.path()).unwrap();
        let store = ["--store", "influxdb", "--influxdb-url", url];
        let ingester = Ingester::start_with(&broker, &folder.path().join("ingest"), &store);
        let agents = ["lane-1", "lane-2"].map(|name| {
            let agent = AgentRecipe::new(&broker, name, &folder.path().join(name)).watches_a_road(RATE).start();
            until("the agent has a queue", || agent.queued());
            agent
        });
        Self { agents, ingester, broker, _folder: folder }
    }

    /// The audit of all of it, with the readings in the database at `url`.
    pub(crate) fn audit(&self, url: String) -> Audit {
        self.agents.iter().fold(Audit::of(&self.ingester).in_influxdb(url), |audit, agent| audit.and(agent))
    }

    /// Audits while all of it runs, until so many more readings are stored of each agent.
    pub(crate) fn until_more_are_stored(&self, audit: &Audit) {
        let stored = || audit.passes().agents.iter().map(|agent| agent.counts.stored).collect::<Vec<_>>();
        let before = stored();
        until("more readings are stored of each agent", || {
            let now = stored();
            let more = |(now, before): (&u64, &u64)| *now >= before + ENOUGH;
            (now.len() == self.agents.len() && now.iter().zip(&before).all(more)).then_some(())
        });
    }

    /// Ends agents and ingester, when all that was accepted is stored.
    pub(crate) fn end(&mut self, audit: &Audit) {
        // Nobody reads the road any more, but the queues must drain.
        for agent in &mut self.agents {
            assert!(agent.program.terminate().success());
        }
        assert!(self.ingester.program.terminate().success());
        let account = audit.passes();
        assert_eq!(account.agents.len(), 2, "{account}");
    }
}
