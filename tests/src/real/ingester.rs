//! The ingester.

use super::account::Database;
use super::broker::Broker;
use super::http::get;
use super::program::{Program, Recipe};
use super::wait::until;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

/// How an ingester is started.
#[derive(Debug, Clone)]
pub struct IngesterRecipe {
    recipe: Recipe,
    folder: PathBuf,
}

impl IngesterRecipe {
    /// One of this name that is connected to all of `brokers` and stores in SQLite in `folder`.
    #[must_use]
    pub fn new(name: &str, brokers: &[&Broker], folder: &Path) -> Self {
        Self::at(0, name, brokers, folder)
    }

    /// The same, on this HTTP port of 127.0.0.1, which it keeps over restarts; 0 takes a free one at each start.
    #[must_use]
    pub fn at(port: u16, name: &str, brokers: &[&Broker], folder: &Path) -> Self {
        let login = brokers.first().map_or_else(Vec::new, |broker| broker.login(name));
        let brokers: Vec<String> = brokers.iter().map(|broker| broker.address()).collect();
        let recipe = Recipe::ours("fogline-ingest")
            .args([
                "--name",
                name,
                "--broker",
                &brokers.join(","),
                "--http",
                &format!("127.0.0.1:{port}"),
                "--data-dir",
            ])
            .arg(folder)
            .args(login)
            .ready_when("fogline-ingest ready, http://");
        Self { recipe, folder: folder.to_owned() }
    }

    /// With more arguments.
    #[must_use]
    pub fn args<S: Into<OsString>>(self, args: impl IntoIterator<Item = S>) -> Self {
        Self { recipe: self.recipe.args(args), ..self }
    }

    /// Starts it, and waits until it can take and store readings, or stands by for one that can.
    #[must_use]
    pub fn start(self) -> Ingester {
        let ingester = Ingester { program: Program::start(self.recipe), folder: self.folder };
        ingester.wait_until_useful();
        ingester
    }

    /// Starts one that answers nobody without a token: whether it is useful is not asked.
    #[must_use]
    pub fn start_guarded(self) -> Ingester {
        Ingester { program: Program::start(self.recipe), folder: self.folder }
    }

    /// Runs one that ends of its own accord: status and output.
    #[must_use]
    pub fn run(&self) -> (ExitStatus, String) {
        self.recipe.run()
    }
}

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
        IngesterRecipe::new("ingest-1", &[broker], folder).args(args.iter().copied()).start()
    }

    /// Kills it, starts it again, and waits until it can take and store readings.
    pub fn bounce(&mut self) {
        self.program.kill();
        self.restart();
    }

    /// Starts one that has ended again, and waits until it can take and store readings, or stands by for one that can.
    pub fn restart(&mut self) {
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

    /// Its own state, where its readings are in another database.
    #[must_use]
    pub fn state(&self) -> Database {
        Database::new(&self.folder.join("state.db"))
    }

    /// The value of a metric without labels.
    #[must_use]
    pub fn metric(&self, name: &str) -> u64 {
        self.try_metric(name).unwrap_or_else(|| panic!("the ingester does not tell {name}"))
    }

    /// The value of a metric without labels; none when the ingester does not answer. One that is paused is waited for.
    #[must_use]
    pub fn try_metric(&self, name: &str) -> Option<u64> {
        let (_, page) = get(self.http(), "/metrics")?;
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// True of one that says that it takes readings.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.try_metric("fogline_ingest_leading") == Some(1)
    }

    /// True of one that says that it stands by, and could take over without loss.
    #[must_use]
    pub fn stands_by(&self) -> bool {
        !self.leads() && self.try_metric("fogline_ingest_in_step") == Some(1)
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
