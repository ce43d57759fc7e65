//! The broker and the ingester that are measured.

use super::check::Stored;
use super::plan::Plan;
use super::process::Process;
use super::{scrape::Page, usage::Usage};
use crate::store_file::Limits;
use crate::{ports, store_file};
use anyhow::Context;
use fogline_ingest::settings::StoreKind;
use fogline_ingest::store::query::StoreReader;
use fogline_protocol::time::Wall;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A running broker and a running ingester.
#[derive(Debug)]
pub(crate) struct Site {
    broker: Process,
    ingester: Process,
    /// How the broker is started.
    broker_words: Vec<String>,
    broker_http: SocketAddr,
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
        let broker_http = ports::free()?;
        let (listen_on, http_on) = (listen.to_string(), broker_http.to_string());
        let words = ["broker", "--listen", &listen_on, "--http", &http_on, "--max-connections", &connections];
        let broker_words = words.map(str::to_owned).to_vec();
        let broker = start_broker(folder, &broker_words).await?;
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
        let slowed = plan.store_rate.map(|per_s| format!("--store-rate={per_s}"));
        let words = words.into_iter().map(str::to_owned).chain(plan.store_flags.iter().cloned()).chain(slowed);
        let words: Vec<String> = words.collect();
        let mut ingester = Process::start("ingester", folder, &words)?;
        let http = ingester.ready("fogline-ingest ready, http://").await?;
        let http = http.trim().parse().with_context(|| format!("the ingester says it is on {http:?}"))?;
        let (store, folder) = (plan.store, folder.to_owned());
        Ok(Self { broker, ingester, broker_words, broker_http, http, store, folder })
    }

    /// Readings stored since the start, as the ingester counts them.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn stored(&self) -> anyhow::Result<u64> {
        self.ingester_page().await?.value("fogline_ingest_stored_total")
    }

    /// What the ingester counts.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn ingester_page(&self) -> anyhow::Result<Page> {
        Page::get(self.http).await
    }

    /// What the broker counts.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) async fn broker_page(&self) -> anyhow::Result<Page> {
        Page::get(self.broker_http).await
    }

    /// Kills the broker, and starts it again after `away`.
    ///
    /// # Errors
    /// When it does not come back.
    pub(crate) async fn bounce_broker(&mut self, away: Duration) -> anyhow::Result<()> {
        self.broker.kill().await?;
        tokio::time::sleep(away).await;
        self.broker = start_broker(&self.folder, &self.broker_words).await?;
        Ok(())
    }

    /// The limits in the store.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn limits(&self, closed_before: Wall) -> anyhow::Result<Limits> {
        let path = self.database();
        tokio::task::spawn_blocking(move || store_file::limits(&path, closed_before)).await?
    }

    fn database(&self) -> PathBuf {
        let sqlite = self.store == StoreKind::Sqlite;
        self.folder.join("ingest").join(if sqlite { "fogline.db" } else { "state.db" })
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
        let (store, database) = (self.store, self.database());
        self.ingester.stop().await?;
        self.broker.stop().await?;
        tokio::task::spawn_blocking(move || count(store, &database)).await?
    }
}

async fn start_broker(folder: &Path, words: &[String]) -> anyhow::Result<Process> {
    let mut broker = Process::start("broker", folder, words)?;
    broker.ready("fogline-broker ready on ").await?;
    Ok(broker)
}

/// SQLite's rows are counted. Of what is elsewhere the ingester's own account must do.
fn count(store: StoreKind, database: &Path) -> anyhow::Result<Stored> {
    Ok(match store {
        StoreKind::Sqlite => {
            let contents = store_file::contents(database)?;
            Stored {
                readings: contents.readings,
                duplicates: Some(contents.duplicates),
                counted: "rows in the SQLite file",
            }
        }
        StoreKind::Influxdb | StoreKind::Null => {
            let counts = StoreReader::open(database)?.counts()?;
            Stored { readings: counts.stored, duplicates: None, counted: "the ingester's account" }
        }
    })
}
