//! The broker and the ingester that are measured.

use super::check::Stored;
use super::plan::Plan;
use super::process::Process;
use super::{scrape, usage::Usage};
use crate::store_file;
use anyhow::Context;
use fogline_ingest::settings::StoreKind;
use fogline_ingest::store::query::StoreReader;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A running broker and a running ingester.
#[derive(Debug)]
pub(crate) struct Site {
    broker: Process,
    ingester: Process,
    http: SocketAddr,
    store: StoreKind,
    folder: PathBuf,
}

/// What broker and ingester have used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SiteUsage {
    pub(crate) broker: Usage,
    pub(crate) ingester: Usage,
}

impl Site {
    /// Starts both, the broker on `listen`.
    ///
    /// # Errors
    /// What kept one of them from starting.
    pub(crate) async fn start(plan: &Plan, folder: &Path, listen: SocketAddr) -> anyhow::Result<Self> {
        // Agents that come back hold two connections for a moment.
        let connections = (plan.agents * 2 + 100).to_string();
        let words = ["broker", "--listen", &listen.to_string(), "--max-connections", &connections].map(str::to_owned);
        let mut broker = Process::start("broker", folder, &words)?;
        broker.ready("fogline-broker ready on ").await?;
        let data_dir = folder.join("ingest").display().to_string();
        let broker_address = listen.to_string();
        let words = [
            "ingest",
            "--broker",
            &broker_address,
            "--data-dir",
            &data_dir,
            "--http",
            "127.0.0.1:0",
            "--store",
            plan.store_name(),
        ];
        let words: Vec<String> = words.into_iter().map(str::to_owned).chain(plan.store_flags.iter().cloned()).collect();
        let mut ingester = Process::start("ingester", folder, &words)?;
        let http = ingester.ready("fogline-ingest ready, http://").await?;
        let http = http.trim().parse().with_context(|| format!("the ingester says it is on {http:?}"))?;
        Ok(Self { broker, ingester, http, store: plan.store, folder: folder.to_owned() })
    }

    /// Readings stored since the start, as the ingester counts them.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn stored(&self) -> anyhow::Result<u64> {
        scrape::stored(self.http).await
    }

    /// What both have used so far.
    pub(crate) fn usage(&self) -> SiteUsage {
        SiteUsage { broker: self.broker.usage(), ingester: self.ingester.usage() }
    }

    /// Fails if one of them has ended.
    ///
    /// # Errors
    /// With its last words.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.broker.check()?;
        self.ingester.check()
    }

    /// Stops both, and counts what is in the store.
    ///
    /// # Errors
    /// When one of them failed, or when the store cannot be read.
    pub(crate) async fn stop(self) -> anyhow::Result<Stored> {
        self.ingester.stop().await?;
        self.broker.stop().await?;
        let (store, folder) = (self.store, self.folder.join("ingest"));
        tokio::task::spawn_blocking(move || count(store, &folder)).await?
    }
}

/// SQLite's rows are counted. Of what is elsewhere the ingester's own account must do.
fn count(store: StoreKind, folder: &Path) -> anyhow::Result<Stored> {
    Ok(match store {
        StoreKind::Sqlite => {
            let contents = store_file::contents(&folder.join("fogline.db"))?;
            Stored {
                readings: contents.readings,
                duplicates: Some(contents.duplicates),
                counted: "rows in the SQLite file",
            }
        }
        StoreKind::Influxdb | StoreKind::Null => {
            let counts = StoreReader::open(&folder.join("state.db"))?.counts()?;
            Stored { readings: counts.stored, duplicates: None, counted: "the ingester's account" }
        }
    })
}
