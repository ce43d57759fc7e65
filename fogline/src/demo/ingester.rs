//! The ingester of a site.

use super::entrance::{Entrance, ingester_name};
use super::part::{Part, ready};
use crate::store_file::ByAgent;
use anyhow::Context;
use fogline_ingest::program::{self, Running};
use fogline_ingest::settings::{HttpSettings, IngestArgs, IngestConfig, Settings};
use fogline_protocol::wire::Role;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
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
    pub(crate) fn new(data_dir: &Path, entrance: &Entrance, site: u16, http: SocketAddr) -> anyhow::Result<Self> {
        let (brokers, name) = (entrance.urls(), ingester_name(site));
        let security = entrance.security(&name);
        let settings = Settings {
            // Those of all sites have one file.
            shared: Some(brokers.len() > 1),
            name: Some(name),
            brokers,
            data_dir: Some(data_dir.join("ingest")),
            http: HttpSettings { http: Some(http), ..HttpSettings::default() },
            ..Settings::default()
        };
        let config = IngestArgs { settings, ..IngestArgs::default() }.resolve()?;
        let config = IngestConfig { security, ..config };
        Ok(Self { config, running: None, stored: None })
    }

    /// Starts it.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        let (say, said) = oneshot::channel();
        let config = self.config.clone();
        let part = Part::spawn(self.name(), |stop| program::run(config, stop, say));
        let (part, running) = ready(part, said).await?;
        self.stored.get_or_insert_with(|| ByAgent::new(running.database.clone()));
        self.running = Some((part, running));
        Ok(())
    }

    /// Waits until it leads or follows one that does, but no longer than this.
    pub(crate) async fn settles(&mut self, within: Duration) {
        if let Some((_, running)) = &mut self.running {
            // Late, or ended: the view will tell.
            tokio::time::timeout(within, running.snapshots.wait_for(|site| site.leader.is_some())).await.ok();
        }
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

    /// Ends it without its goodbye, if it runs.
    pub(crate) async fn kill(&mut self) {
        if let Some((part, _)) = self.running.take() {
            part.kill().await;
        }
    }

    /// True until it is stopped.
    pub(crate) const fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        self.config.name.as_str()
    }

    /// Its term, while it leads.
    pub(crate) fn leads(&self) -> Option<u64> {
        let site = self.running.as_ref()?.1.snapshots.borrow();
        site.term.as_ref().filter(|_| site.role == Role::Leading).map(|term| term.counter)
    }

    /// What it does.
    ///
    /// # Errors
    /// What ended it, if it ended by itself.
    pub(crate) async fn state(&mut self) -> anyhow::Result<&'static str> {
        if self.running.as_ref().is_some_and(|(part, _)| part.has_ended()) {
            self.stop().await?;
            anyhow::bail!("{} ended by itself", self.name());
        }
        let Some((_, running)) = &self.running else { return Ok("stopped") };
        let site = running.snapshots.borrow();
        Ok(match (&site.cloud.store_down, site.connected.is_empty(), site.role) {
            (Some(_), ..) => "store down",
            (None, true, _) => "no broker",
            (None, false, Role::Leading) if self.config.brokers.len() == 1 => "ok",
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
