//! `fogline audit`, as a library.

use super::agent::Agent;
use super::ingester::Ingester;
use fogline::audit::{Account, AuditError, Database, InfluxServer, Sources, audit};
use std::path::{Path, PathBuf};

/// What is audited at the end of a test that strikes something.
#[derive(Debug, Clone)]
pub struct Audit {
    sources: Sources,
}

impl Audit {
    /// Of an ingester, whose file holds the readings too.
    #[must_use]
    pub fn of(ingester: &Ingester) -> Self {
        Self::of_all([ingester])
    }

    /// Of several ingesters that work for the same agents: some share a file.
    #[must_use]
    pub fn of_all<'a>(ingesters: impl IntoIterator<Item = &'a Ingester>) -> Self {
        let mut folders: Vec<PathBuf> = ingesters.into_iter().map(|ingester| ingester.folder().to_owned()).collect();
        folders.dedup();
        Self { sources: Sources { ingesters: folders, queues: Vec::new(), database: Database::Sqlite } }
    }

    /// With the readings in the database at `url`.
    #[must_use]
    pub fn in_influxdb(mut self, url: String) -> Self {
        let server = InfluxServer { url, bucket: "fogline".to_owned(), token: String::new(), dialect: None };
        self.sources.database = Database::Influx(server);
        self
    }

    /// In another bucket than `fogline`.
    #[must_use]
    pub fn of_bucket(mut self, name: &str) -> Self {
        if let Database::Influx(server) = &mut self.sources.database {
            name.clone_into(&mut server.bucket);
        }
        self
    }

    /// With the queue of an agent.
    #[must_use]
    pub fn and(self, agent: &Agent) -> Self {
        self.and_queue(agent.folder())
    }

    /// With the queue in a folder, or in a file.
    #[must_use]
    pub fn and_queue(mut self, queue: &Path) -> Self {
        self.sources.queues.push(PathBuf::from(queue));
        self
    }

    /// The account, or why there is none.
    ///
    /// # Errors
    /// What could not be read.
    pub fn try_account(&self) -> Result<Account, AuditError> {
        audit(&self.sources, &mut |_| ())
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> Account {
        self.try_account().unwrap_or_else(|error| panic!("{error}"))
    }

    /// The account, in which nothing is lost and nothing is there twice.
    #[must_use]
    pub fn passes(&self) -> Account {
        let account = self.account();
        assert!(account.passed && account.total.unknown == 0, "{account}");
        account
    }
}
