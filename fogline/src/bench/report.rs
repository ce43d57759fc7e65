//! What was measured, as a table and as JSON.

use super::check::Check;
use super::failover::Failover;
use super::outbox::OutboxFigures;
use super::overload::Overload;
use super::plan::Plan;
use super::storm::Storm;
use super::usage::KindUsage;
use crate::figures::{bytes, count, micros};
use crate::store_file::Limits;
use crate::table::Table;
use fogline_agent::latency::LatencySummary;
use serde::Serialize;
use std::fmt;

/// What was measured, and how it was set up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Report {
    pub(crate) setup: Setup,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) steady: Option<Steady>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fill: Option<Fill>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain: Option<Drain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overload: Option<Overload>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) storm: Option<Storm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outbox: Option<OutboxFigures>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failover: Option<Failover>,
    pub(crate) processes: Vec<KindUsage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) check: Option<Check>,
}

/// How it was set up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Setup {
    pub(crate) version: &'static str,
    /// Built without optimisation: the figures say little.
    pub(crate) debug_build: bool,
    pub(crate) cores: usize,
    pub(crate) store: &'static str,
    pub(crate) agents: u32,
    pub(crate) rate: f64,
    pub(crate) reading_bytes: u64,
    pub(crate) commit_every_ms: u64,
}

/// Readings at a steady rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Steady {
    pub(crate) elapsed_ms: u64,
    /// Readings that the sensors gave.
    pub(crate) sampled: u64,
    /// Readings that the store took.
    pub(crate) stored: u64,
    /// Readings that the agents know to be stored.
    pub(crate) acknowledged: u64,
    pub(crate) stored_per_s: u64,
    pub(crate) acknowledged_per_s: u64,
    /// Readings that were sent more than once.
    pub(crate) resent: u64,
    /// Readings that wait at the end, in flight or not, in all queues together.
    pub(crate) waiting: u64,
    /// The same, in the queue where most wait.
    pub(crate) waiting_most: u64,
    /// From the sample to its acknowledgement.
    pub(crate) latency: LatencySummary,
}

/// Filling a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Fill {
    pub(crate) readings: u64,
    /// From the start of the agent's process to its end.
    pub(crate) elapsed_ms: u64,
    pub(crate) per_s: u64,
}

/// Draining a queue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Drain {
    pub(crate) readings: u64,
    /// From the connection to the acknowledgement of the last of them.
    pub(crate) elapsed_ms: u64,
    pub(crate) per_s: u64,
    /// From the start of the agent's process to its first answer, with its queue open.
    pub(crate) opened_within_ms: u64,
    /// From the start of the agent's process to its connection.
    pub(crate) connected_after_ms: u64,
    /// From the connection to the first acknowledgement of a new reading.
    pub(crate) first_new_after_connect_ms: u64,
    /// Readings that were sent more than once.
    pub(crate) resent: u64,
    /// From the sample to its acknowledgement, of readings that were new while it drained.
    pub(crate) latency_new: LatencySummary,
    /// The same of the other agents, meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency_others: Option<LatencySummary>,
    /// The limits that were decided until then.
    pub(crate) limits: Limits,
}

impl Report {
    /// Nothing is measured yet.
    pub(crate) fn new(plan: &Plan) -> Self {
        let setup = Setup {
            version: env!("CARGO_PKG_VERSION"),
            debug_build: cfg!(debug_assertions),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            store: plan.store_name(),
            agents: plan.agents,
            rate: plan.rate,
            reading_bytes: plan.reading_bytes,
            commit_every_ms: plan.commit_every_ms,
        };
        Self {
            setup,
            steady: None,
            fill: None,
            drain: None,
            overload: None,
            storm: None,
            outbox: None,
            failover: None,
            processes: Vec::new(),
            check: None,
        }
    }

    /// What is not as it should be, a sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.check.as_ref().map(Check::problems).unwrap_or_default();
        problems.extend(self.drain.iter().flat_map(Drain::problems));
        problems.extend(self.overload.iter().flat_map(Overload::problems));
        problems.extend(self.storm.iter().flat_map(Storm::problems));
        problems.extend(self.failover.iter().flat_map(Failover::problems));
        problems
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.setup.debug_build {
            writeln!(f, "This is a debug build: the figures of a release build are several times better.\n")?;
        }
        if let Some(outbox) = &self.outbox {
            write!(f, "{outbox}")?;
        } else {
            self.write_setup(f)?;
        }
        let mut figures = Table::new(&["", ""]);
        self.steady.iter().for_each(|steady| steady.rows(&mut figures));
        self.fill.iter().for_each(|fill| fill.rows(&mut figures));
        self.drain.iter().for_each(|drain| drain.rows(&mut figures));
        self.overload.iter().for_each(|overload| overload.rows(&mut figures));
        self.storm.iter().for_each(|storm| storm.rows(&mut figures));
        for line in figures.lines().iter().filter(|line| !line.is_empty()) {
            writeln!(f, "{line}")?;
        }
        self.write_processes(f)?;
        self.failover.as_ref().map_or(Ok(()), |failover| write!(f, "{failover}"))?;
        self.check.as_ref().map_or(Ok(()), |check| write_check(f, check))
    }
}

impl Report {
    fn write_setup(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setup { store, agents, rate, reading_bytes, commit_every_ms, cores, .. } = &self.setup;
        writeln!(
            f,
            "{agents} agents, {rate} readings/s of {reading_bytes} bytes in all, commits every {commit_every_ms} ms, \
             store {store}, {cores} cores\n"
        )
    }

    fn write_processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.processes.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(&["process", "number", "CPU s", "of a core", "peak memory", "written to disk"]);
        for usage in &self.processes {
            table.row([
                usage.kind.to_owned(),
                usage.processes.to_string(),
                format!("{}.{:02}", usage.cpu_ms / 1000, usage.cpu_ms % 1000 / 10),
                format!("{}.{} %", usage.cpu_per_mille / 10, usage.cpu_per_mille % 10),
                bytes(usage.peak_bytes),
                bytes(usage.written_bytes),
            ]);
        }
        writeln!(f, "\n{table}")
    }
}

impl Steady {
    fn rows(&self, table: &mut Table) {
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("measured for", micros(self.elapsed_ms * 1000));
        row("sampled", count(self.sampled));
        row("stored", format!("{} readings/s", count(self.stored_per_s)));
        row("acknowledged", format!("{} readings/s", count(self.acknowledged_per_s)));
        row("sent more than once", count(self.resent));
        row("waiting at the end", count(self.waiting));
        row("  most in one queue", count(self.waiting_most));
        latency_rows(table, "sample to acknowledged", &self.latency);
    }
}

impl Fill {
    fn rows(&self, table: &mut Table) {
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("filling: readings", count(self.readings));
        row("  time, start and end included", micros(self.elapsed_ms * 1000));
        row("  queued", format!("{} readings/s", count(self.per_s)));
    }
}

impl Drain {
    fn rows(&self, table: &mut Table) {
        let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
        row("draining: started and queue opened within", micros(self.opened_within_ms * 1000));
        row("  connected after", micros(self.connected_after_ms * 1000));
        row("  first new reading acknowledged, then", micros(self.first_new_after_connect_ms * 1000));
        row("  all acknowledged, after the connection", micros(self.elapsed_ms * 1000));
        row("  acknowledged", format!("{} readings/s", count(self.per_s)));
        row("  sent more than once", count(self.resent));
        row("  limits decided", count(self.limits.decided));
        row("  limits decided from late readings", count(self.limits.from_late_readings));
        latency_rows(table, "  new readings meanwhile: sample to acknowledged", &self.latency_new);
        if let Some(others) = &self.latency_others {
            latency_rows(table, "  of the other agents: sample to acknowledged", others);
        }
    }

    fn problems(&self) -> Option<String> {
        let late = self.limits.from_late_readings;
        (late > 0).then(|| format!("{late} limits rest on late readings"))
    }
}

fn latency_rows(table: &mut Table, name: &str, latency: &LatencySummary) {
    let rows =
        [("p50", latency.p50_us), ("p99", latency.p99_us), ("p99.9", latency.p999_us), ("longest", latency.max_us)];
    for (quantile, us) in rows {
        table.row([format!("{name}, {quantile}"), micros(us)]);
    }
}

fn write_check(f: &mut fmt::Formatter<'_>, check: &Check) -> fmt::Result {
    let verdict = if check.passed { "nothing was lost" } else { "FAILED" };
    let duplicates = check.duplicates.map_or_else(|| "not counted".to_owned(), count);
    writeln!(
        f,
        "check: {verdict}: {} acknowledged, {} stored ({}), {duplicates} more than once, {} still queued",
        count(check.acknowledged),
        count(check.stored),
        check.counted,
        count(check.queued),
    )
}
