//! Two sites: two brokers, and two ingesters of which one leads.

use super::agent::{Agent, AgentRecipe};
use super::audit::Audit;
use super::broker::{Broker, Kind};
use super::ingester::{Ingester, IngesterRecipe};
use super::wait::until;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What two sites share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shared {
    /// A SQLite file.
    File,
    /// A database that takes InfluxDB's writes at the first address, and is audited at the second.
    Influx(String, String),
}

/// Two sites on one machine, each ingester connected to both brokers. The first leads at the start.
#[derive(Debug)]
pub struct Sites {
    /// The ingesters `ingest-1` and `ingest-2`.
    pub ingesters: [Ingester; 2],
    /// The brokers, in the agents' order.
    pub brokers: [Broker; 2],
    shared: Shared,
    // Last, so that the processes are gone when it is removed.
    folder: TempDir,
}

impl Sites {
    /// Starts all of it, and waits until the first ingester leads and the second could take over. None where the brokers are
    /// not installed and need not be.
    #[must_use]
    pub fn start(kind: Kind, shared: Shared) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let folders = ["broker-1", "broker-2"].map(|name| folder.path().join(name));
        folders.iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let first = Broker::start(kind, &folders[0])?;
        let second = Broker::start_beside(&first, kind, &folders[1])?;
        let brokers = [first, second];
        let ingesters = ["ingest-1", "ingest-2"].map(|name| recipe(name, &brokers, &shared, folder.path()).start());
        let sites = Self { ingesters, brokers, shared, folder };
        sites.until_leads(0);
        sites.until_stands_by(1);
        Some(sites)
    }

    /// An agent that prefers the first broker.
    #[must_use]
    pub fn agent(&self, name: &str) -> AgentRecipe {
        let [first, second] = &self.brokers;
        AgentRecipe::new(first, name, &self.path(name)).args(["--broker", &second.address()])
    }

    /// How one more ingester, with these words, would be started.
    #[must_use]
    pub fn another(&self, name: &str, folder: &str) -> IngesterRecipe {
        IngesterRecipe::new(name, &self.brokers.each_ref(), &self.path(folder))
    }

    /// Waits until an ingester says that it leads.
    pub fn until_leads(&self, ingester: usize) {
        until(&format!("ingest-{} leads", ingester + 1), || self.ingesters[ingester].leads().then_some(()));
    }

    /// Waits until an ingester says that it stands by and could take over without loss.
    pub fn until_stands_by(&self, ingester: usize) {
        until(&format!("ingest-{} stands by", ingester + 1), || self.ingesters[ingester].stands_by().then_some(()));
    }

    /// The audit of both ingesters and of these agents.
    #[must_use]
    pub fn audit(&self, agents: &[&Agent]) -> Audit {
        let audit = agents.iter().fold(Audit::of_all(&self.ingesters), |audit, agent| audit.and(agent));
        match &self.shared {
            Shared::File => audit,
            Shared::Influx(_, read) => audit.in_influxdb(read.clone()),
        }
    }

    /// A file or folder of them.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn recipe(name: &str, brokers: &[Broker; 2], shared: &Shared, folder: &Path) -> IngesterRecipe {
    let brokers = brokers.each_ref();
    match shared {
        Shared::File => IngesterRecipe::new(name, &brokers, &folder.join("ingest")).args(["--shared"]),
        Shared::Influx(write, _) => {
            let recipe = IngesterRecipe::new(name, &brokers, &folder.join(name));
            recipe.args(["--store", "influxdb", "--influxdb-url", write])
        }
    }
}
