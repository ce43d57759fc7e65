//! The agents that are measured.

use super::latency::Counts;
use super::plan::Plan;
use super::process::Process;
use super::usage::Usage;
use anyhow::{Context, bail};
use fogline_agent::status::{self, LiveReport, StatusReport};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// How long all agents may take until a reading of each is acknowledged: the slowest gives one in ten seconds.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
/// How often agents are asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Running agents.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    agents: Vec<Process>,
    folders: Vec<PathBuf>,
}

/// What the queues of stopped agents hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) acknowledged: u64,
    pub(crate) queued: u64,
    pub(crate) dropped: u64,
}

/// The folder of an agent.
pub(crate) fn folder_of(parent: &Path, number: u32) -> PathBuf {
    parent.join(format!("agent-{number}"))
}

/// The flags of an agent with this number, whose simulator gives `rate` readings a second. Its brokers are
/// given as its flag takes them.
pub(crate) fn flags(plan: &Plan, number: u32, folder: &Path, brokers: &str, rate: f64) -> Vec<String> {
    let mut words = vec!["agent".to_owned(), "run".to_owned()];
    let flags = [
        ("name", format!("agent-{number}")),
        ("region", "bench".to_owned()),
        ("data-dir", folder.display().to_string()),
        ("broker", brokers.to_owned()),
        ("source", "simulate".to_owned()),
        ("kind", "road".to_owned()),
        ("rate", rate.to_string()),
        ("reading-bytes", plan.reading_bytes.to_string()),
        ("commit-every", format!("{}ms", plan.commit_every_ms)),
    ];
    words.extend(flags.into_iter().map(|(flag, value)| format!("--{flag}={value}")));
    words
}

impl Fleet {
    /// Starts the agents of a plan.
    ///
    /// # Errors
    /// When the system does not start one.
    pub(crate) fn start(plan: &Plan, parent: &Path, brokers: &str) -> anyhow::Result<Self> {
        let mut fleet = Self::default();
        fleet.join(plan, parent, brokers, 1..=plan.agents)?;
        Ok(fleet)
    }

    /// Starts the agents with these numbers too.
    ///
    /// # Errors
    /// When the system does not start one.
    pub(crate) fn join(
        &mut self,
        plan: &Plan,
        parent: &Path,
        brokers: &str,
        numbers: RangeInclusive<u32>,
    ) -> anyhow::Result<()> {
        for number in numbers {
            let folder = folder_of(parent, number);
            let words = flags(plan, number, &folder, brokers, plan.rate_each());
            self.agents.push(Process::start(format!("agent-{number}"), parent, &words)?);
            self.folders.push(folder);
        }
        Ok(())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.agents.len()
    }

    /// Waits until a reading of each is acknowledged; `seen` is told of how many one is.
    ///
    /// # Errors
    /// When one ends, or when it takes too long.
    pub(crate) async fn settle(&mut self, seen: impl Fn(u64)) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            self.check()?;
            let reports = self.ask().await;
            let acknowledged = |report: &StatusReport| report.live.as_ref().is_some_and(|live| live.acknowledged > 0);
            let settled = reports.iter().flatten().filter(|report| acknowledged(report)).count();
            seen(u64::try_from(settled).unwrap_or(u64::MAX));
            if settled == self.agents.len() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                bail!(
                    "after {SETTLED_WITHIN:?} only {settled} of {} agents have had a reading acknowledged",
                    self.agents.len()
                );
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
    }

    /// Asks each agent, in order, several at a time.
    pub(crate) async fn ask(&self) -> Vec<anyhow::Result<StatusReport>> {
        let questions: Vec<_> = self
            .folders
            .iter()
            .cloned()
            .map(|folder| tokio::task::spawn_blocking(move || status::ask(&folder)))
            .collect();
        let mut reports = Vec::with_capacity(questions.len());
        for question in questions {
            reports.push(question.await.map_err(anyhow::Error::from).and_then(|report| report));
        }
        reports
    }

    /// What each agent knows while it runs, in order.
    ///
    /// # Errors
    /// When one does not answer.
    pub(crate) async fn live(&self) -> anyhow::Result<Vec<LiveReport>> {
        let live =
            |report: anyhow::Result<StatusReport>| report?.live.context("an agent does not answer on its socket");
        self.ask().await.into_iter().map(live).collect()
    }

    /// The data directory of each, in order.
    pub(crate) fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// What each has used so far, in order.
    pub(crate) fn usage(&self) -> Vec<Usage> {
        self.agents.iter().map(Process::usage).collect()
    }

    /// Fails if one has ended.
    ///
    /// # Errors
    /// With its last words.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        self.agents.iter_mut().try_for_each(Process::check)
    }

    /// Stops all, and looks into their queues.
    ///
    /// # Errors
    /// When one failed, or when its queue cannot be read.
    pub(crate) async fn stop(mut self) -> anyhow::Result<Left> {
        // All at once: each takes some milliseconds to write its log back.
        self.agents.iter().try_for_each(Process::terminate)?;
        for agent in std::mem::take(&mut self.agents) {
            agent.stop().await?;
        }
        let mut left = Left::default();
        for report in self.ask().await {
            let report = report?;
            left.acknowledged += report.acknowledged;
            left.queued += report.queue.readings;
            left.dropped += report.queue.dropped;
        }
        Ok(left)
    }
}

/// The distributions of running agents.
pub(crate) fn latencies(live: &[LiveReport]) -> Vec<Counts> {
    live.iter().map(|live| live.latency.counts.clone()).collect()
}
