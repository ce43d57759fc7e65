//! A process that is killed and started again.

use crate::bench::process::Process;
use anyhow::Context;
use std::path::{Path, PathBuf};

/// A broker or an ingester.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    words: Vec<String>,
    /// What it says before its address when it is ready.
    ready: &'static str,
    folder: PathBuf,
    running: Option<Process>,
}

impl Server {
    /// Not started yet. `words` are what follows `fogline`; its log is in `folder`.
    pub(super) fn new(name: &str, words: Vec<String>, ready: &'static str, folder: &Path) -> Self {
        Self { name: name.to_owned(), words, ready, folder: folder.to_owned(), running: None }
    }

    /// Starts it, and gives the address that it serves on.
    ///
    /// # Errors
    /// What kept it from starting.
    pub(super) async fn start(&mut self) -> anyhow::Result<String> {
        let mut process = Process::start(&self.name, &self.folder, &self.words)?;
        let address = process.ready(self.ready).await?.trim().to_owned();
        self.running = Some(process);
        Ok(address)
    }

    /// True while it was not struck.
    pub(super) const fn runs(&self) -> bool {
        self.running.is_some()
    }

    /// Fails if it has ended by itself.
    ///
    /// # Errors
    /// With its last words.
    pub(super) fn check(&mut self) -> anyhow::Result<()> {
        self.running.as_mut().map_or(Ok(()), Process::check)
    }

    /// Ends it by SIGKILL.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        let mut process = self.take()?;
        process.kill().await
    }

    /// Tells it to stop, and leaves it to whoever waits for its end.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn terminate(&mut self) -> anyhow::Result<Process> {
        let process = self.take()?;
        process.terminate()?;
        Ok(process)
    }

    /// Stops it in order, if it runs.
    ///
    /// # Errors
    /// When it failed or does not stop, with its last words.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        match self.running.take() {
            Some(process) => process.stop().await,
            None => Ok(()),
        }
    }

    fn take(&mut self) -> anyhow::Result<Process> {
        self.running.take().with_context(|| format!("the {} does not run", self.name))
    }
}
