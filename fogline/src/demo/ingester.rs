//! The ingester of the demo.

use super::entrance::Entrance;
use super::part::{Part, ready};
use crate::store_file::ByAgent;
use anyhow::Context;
use fogline_ingest::program::{self, Running};
use fogline_ingest::settings::{DEFAULT_NAME, HttpSettings, IngestArgs, IngestConfig, Settings};
use fogline_protocol::wire::Role;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use tokio::sync::oneshot;

/// An ingester that can be stopped and started.
#[derive(Debug)]
pub(crate) struct Ingester {
    config: IngestConfig,
    running: Option<(Part, Running)>,
    stored: Option<ByAgent>,
}

impl Ingester {
    /// Not started yet.
    ///
    /// # Errors
    /// None in practice: the settings are constants but for the folder.
    pub(crate) fn new(data_dir: &Path, entrance: &Entrance, http: SocketAddr) -> anyhow::Result<Self> {
        let settings = Settings {
            brokers: vec![entrance.url()],
            data_dir: Some(data_dir.join("ingest")),
            http: HttpSettings { http: Some(http), ..HttpSettings::default() },
            ..Settings::default()
        };
        let config = IngestArgs { settings, config: None }.resolve()?;
        let config = IngestConfig { security: entrance.security(DEFAULT_NAME), ..config };
        Ok(Self { config, running: None, stored: None })
    }

    /// Starts it.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (say, said) = oneshot::channel();
        let config = self.config.clone();
        let part = Part::spawn("ingester", |stop| program::run(config, stop, say));
        let (part, running) = ready(part, said).await?;
        self.stored.get_or_insert_with(|| ByAgent::new(running.database.clone()));
        self.running = Some((part, running));
        Ok(())
    }

    /// Stops it, if it runs.
    ///
    /// # Errors
    /// What ended it.
    pub(crate) async fn stop(&mut self) -> anyhow::Result<()> {
        match self.running.take() {
            Some((part, _)) => part.stop().await,
            None => Ok(()),
        }
    }

    /// Stops it if it runs, and starts it otherwise.
    ///
    /// # Errors
    /// What kept it from starting, or ended it.
    pub(crate) async fn toggle(&mut self) -> anyhow::Result<()> {
        if self.running.is_some() { self.stop().await } else { self.start().await }
    }

    /// What it does.
    ///
    /// # Errors
    /// What ended it, if it ended by itself.
    pub(crate) async fn state(&mut self) -> anyhow::Result<&'static str> {
        if self.running.as_ref().is_some_and(|(part, _)| part.has_ended()) {
            self.stop().await?;
            anyhow::bail!("the ingester ended by itself");
        }
        let Some((_, running)) = &self.running else { return Ok("stopped") };
        let site = running.snapshots.borrow();
        Ok(match (&site.cloud.store_down, site.connected.is_empty(), site.role) {
            (Some(_), ..) => "store down",
            (None, true, _) => "no broker",
            (None, false, Role::Leading) if site.peers.is_empty() => "ok",
            (None, false, Role::Leading) => "leads",
            (None, false, _) if site.leader.is_none() => "no leader",
            (None, false, _) => "stands by",
        })
    }

    /// Readings in the store, by `region/agent`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) async fn stored(&mut self) -> anyhow::Result<BTreeMap<String, u64>> {
        let Some(mut counting) = self.stored.take() else { return Ok(BTreeMap::new()) };
        let count = move || (counting.count().cloned(), counting);
        let (counts, counting) = tokio::task::spawn_blocking(count).await.context("counting crashed")?;
        self.stored = Some(counting);
        counts
    }
}
