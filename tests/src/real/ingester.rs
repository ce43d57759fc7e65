//! The ingester.

use super::account::Database;
use super::broker::Broker;
use super::http::get;
use super::program::{Program, Recipe};
use super::wait::until;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// `fogline-ingest`. Its HTTP port is another one after each start; its data stay.
#[derive(Debug)]
pub struct Ingester {
    /// The process.
    pub program: Program,
    folder: PathBuf,
}

impl Ingester {
    /// Starts one that stores in SQLite in `folder`, and waits until it can take and store readings.
    #[must_use]
    pub fn start(broker: &Broker, folder: &Path) -> Self {
        Self::start_with(broker, folder, &[])
    }

    /// The same with more arguments.
    #[must_use]
    pub fn start_with(broker: &Broker, folder: &Path, args: &[&str]) -> Self {
        let recipe = Recipe::ours("fogline-ingest")
            .args(["--broker", &broker.address(), "--http", "127.0.0.1:0", "--data-dir"])
            .arg(folder)
            .args(args.iter().copied())
            .ready_when("fogline-ingest ready, http://");
        let ingester = Self { program: Program::start(recipe), folder: folder.to_owned() };
        ingester.wait_until_useful();
        ingester
    }

    /// Kills it, starts it again, and waits until it can take and store readings.
    pub fn bounce(&mut self) {
        self.program.kill();
        self.program.restart();
        self.wait_until_useful();
    }

    /// As [`Self::bounce`], but everything that it had stored and known is gone.
    pub fn bounce_without_memory(&mut self) {
        self.program.kill();
        std::fs::remove_dir_all(&self.folder).unwrap();
        self.program.restart();
        self.wait_until_useful();
    }

    /// Where it answers HTTP since its last start.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        let line = self.program.ready_line();
        line.rsplit("http://")
            .next()
            .and_then(|address| address.trim().parse().ok())
            .expect("the address ends the line")
    }

    /// Where its data are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The database with its readings.
    #[must_use]
    pub fn database(&self) -> Database {
        Database::new(&self.folder.join("fogline.db"))
    }

    /// The value of a metric without labels.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        let (_, page) = get(self.http(), "/metrics").expect("the ingester answers");
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in {page}"))
    }

    /// The values of a metric by its one label.
    #[must_use]
    pub fn metrics_by_label(&self, name: &str) -> std::collections::BTreeMap<String, u64> {
        let (_, page) = get(self.http(), "/metrics").expect("the ingester answers");
        let labelled = |line: &str| {
            let (label, value) = line.strip_prefix(name)?.strip_prefix('{')?.split_once("\"} ")?;
            Some((label.split_once("=\"")?.1.to_owned(), value.trim().parse().ok()?))
        };
        page.lines().filter_map(labelled).collect()
    }

    fn wait_until_useful(&self) {
        until("the ingester is ready", || get(self.http(), "/readyz").filter(|(status, _)| *status == 200));
    }
}
