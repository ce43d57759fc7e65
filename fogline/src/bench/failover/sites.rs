//! Two brokers, and two ingesters of which one leads.

use super::server::Server;
use crate::bench::plan::Plan;
use crate::bench::process::Process;
use crate::bench::scrape::Page;
use crate::ports;
use anyhow::Context;
use fogline_ingest::settings::StoreKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The sites.
#[derive(Debug)]
pub(super) struct Sites {
    brokers: Vec<Server>,
    ingesters: Vec<Server>,
    /// Where the ingesters answer.
    http: Vec<Option<SocketAddr>>,
    /// Where their data are, without repeats.
    pub(super) data: Vec<PathBuf>,
    /// The brokers as the flag of agents and ingesters takes them.
    pub(super) addresses: String,
}

/// An ingester as it says itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    leads: bool,
    in_step: bool,
    brokers: u64,
}

impl Sites {
    /// Starts both.
    ///
    /// # Errors
    /// What kept a part from starting.
    pub(super) async fn start(plan: &Plan, folder: &Path) -> anyhow::Result<Self> {
        let ports = [ports::free()?, ports::free()?].map(|address| address.to_string());
        let connections = (plan.agents * 2 + 100).to_string();
        let broker = |(port, number): (&String, u32)| {
            let words = ["broker", "--listen", port, "--max-connections", &connections].map(str::to_owned).to_vec();
            Server::new(&format!("broker-{number}"), words, "fogline-broker ready on ", folder)
        };
        let brokers = ports.iter().zip(1..).map(broker).collect();
        let addresses = ports.join(",");
        let shares_file = plan.store == StoreKind::Sqlite;
        let data_dir =
            |number: u32| folder.join(if shares_file { "ingest".into() } else { format!("ingest-{number}") });
        let ingester = |number: u32| {
            let words = ingester(plan, number, &addresses, &data_dir(number));
            Server::new(&format!("ingest-{number}"), words, "fogline-ingest ready, http://", folder)
        };
        let ingesters = vec![ingester(1), ingester(2)];
        let mut data = vec![data_dir(1), data_dir(2)];
        data.dedup();
        let mut sites = Self { brokers, ingesters, http: vec![None; 2], data, addresses };
        sites.start_missing().await?;
        Ok(sites)
    }

    /// Starts what was struck.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(super) async fn start_missing(&mut self) -> anyhow::Result<()> {
        for broker in self.brokers.iter_mut().filter(|broker| !broker.runs()) {
            broker.start().await?;
        }
        for (ingester, http) in self.ingesters.iter_mut().zip(&mut self.http) {
            if !ingester.runs() {
                let address = ingester.start().await?;
                let parsed = address.parse().with_context(|| format!("an ingester says it is on {address:?}"))?;
                *http = Some(parsed);
            }
        }
        Ok(())
    }

    /// The one that leads, when the other could take over and both reach all brokers.
    pub(super) async fn leader(&self) -> Option<usize> {
        let (first, second) = (self.said(0).await?, self.said(1).await?);
        let all = u64::try_from(self.brokers.len()).unwrap_or(u64::MAX);
        if first.brokers < all || second.brokers < all {
            return None;
        }
        match (first.leads, second.leads) {
            (true, false) if second.in_step => Some(0),
            (false, true) if first.in_step => Some(1),
            _ => None,
        }
    }

    async fn said(&self, ingester: usize) -> Option<Said> {
        let page = Page::get(self.address(ingester).ok()?).await.ok()?;
        let value = |name: &str| page.value(&format!("fogline_ingest_{name}")).ok();
        Some(Said {
            leads: value("leading")? == 1,
            in_step: value("in_step")? == 1,
            brokers: value("brokers_connected")?,
        })
    }

    /// Readings that an ingester has stored since its start.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn stored(&self, ingester: usize) -> anyhow::Result<u64> {
        Page::get(self.address(ingester)?).await?.value("fogline_ingest_stored_total")
    }

    fn address(&self, ingester: usize) -> anyhow::Result<SocketAddr> {
        self.http.get(ingester).copied().flatten().context("an ingester was never started")
    }

    /// Ends an ingester by SIGKILL.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn kill_ingester(&mut self, number: usize) -> anyhow::Result<()> {
        self.ingesters.get_mut(number).context("no such ingester")?.kill().await
    }

    /// Tells an ingester to stop.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn terminate_ingester(&mut self, number: usize) -> anyhow::Result<Process> {
        self.ingesters.get_mut(number).context("no such ingester")?.terminate()
    }

    /// Ends a broker by SIGKILL.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn kill_broker(&mut self, number: usize) -> anyhow::Result<()> {
        self.brokers.get_mut(number).context("no such broker")?.kill().await
    }

    /// Fails if a part has ended by itself.
    ///
    /// # Errors
    /// With its last words.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.brokers.iter_mut().chain(&mut self.ingesters).try_for_each(Server::check)
    }

    /// Stops everything.
    ///
    /// # Errors
    /// When a part failed.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        for server in self.ingesters.iter_mut().chain(&mut self.brokers) {
            server.stop().await?;
        }
        Ok(())
    }
}

fn ingester(plan: &Plan, number: u32, brokers: &str, data_dir: &Path) -> Vec<String> {
    let flags = [
        format!("--name=ingest-{number}"),
        format!("--broker={brokers}"),
        format!("--data-dir={}", data_dir.display()),
        "--http=127.0.0.1:0".to_owned(),
        format!("--store={}", plan.store_name()),
    ];
    let shared = (plan.store == StoreKind::Sqlite).then(|| "--shared".to_owned());
    let words = std::iter::once("ingest".to_owned()).chain(flags).chain(shared);
    words.chain(plan.store_flags.iter().cloned()).collect()
}
