//! A broker and an ingester.

use super::agent::{Agent, AgentRecipe};
use super::audit::Audit;
use super::broker::{Broker, Kind};
use super::ingester::Ingester;
use std::path::PathBuf;
use tempfile::TempDir;

/// A broker, an ingester that stores in SQLite, and a folder for them and their agents.
#[derive(Debug)]
pub struct Site {
    /// The ingester.
    pub ingester: Ingester,
    /// The broker.
    pub broker: Broker,
    // Last, so that the processes are gone when it is removed.
    folder: TempDir,
}

impl Site {
    /// Starts both. None where the broker is not installed and need not be.
    #[must_use]
    pub fn start(kind: Kind) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let broker = Broker::start(kind, folder.path())?;
        let ingester = Ingester::start(&broker, &folder.path().join("ingest"));
        Some(Self { ingester, broker, folder })
    }

    /// An agent of this site.
    #[must_use]
    pub fn agent(&self, name: &str) -> AgentRecipe {
        AgentRecipe::new(&self.broker, name, &self.path(name))
    }

    /// The audit of it and of these agents.
    #[must_use]
    pub fn audit(&self, agents: &[&Agent]) -> Audit {
        agents.iter().fold(Audit::of(&self.ingester), |audit, agent| audit.and(agent))
    }

    /// A file or folder of this site.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
