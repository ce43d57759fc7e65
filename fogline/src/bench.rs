//! `fogline bench`: how fast the whole path is, what it costs, and whether anything got lost.
//!
//! Broker, ingester and agents are processes of this same program on loopback, as they would be on a site, so that what
//! each needs can be told apart.

mod backlog;
mod check;
mod crowd;
mod disk;
mod failover;
mod fleet;
mod latency;
mod outbox;
mod overload;
mod plan;
mod process;
pub(crate) mod progress;
mod report;
mod scrape;
mod site;
mod steady;
mod storm;
mod usage;

use crate::cli::{EXIT_INTERRUPTED, EXIT_USAGE};
use anyhow::Context;
use clap::Args;
use fogline_ingest::settings::StoreKind;
use plan::{Kind, Plan};
use report::Report;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline bench                                           10 agents, 1,000 readings a second in all
  fogline bench --agents 100 --rate 20000 --seconds 60    more of both
  fogline bench --agents 10 --rate 10                     one reading at a time: how long does one take?
  fogline bench --backlog 1000000                         fill a queue, then measure how fast it drains
  fogline bench --backlog 1000000 --agents 10 --rate 1000 fresh readings of ten agents, while one of them drains
  fogline bench --overload                                1,000 agents send five times what the store can take
  fogline bench --storm                                   1,000 agents lose their broker at once
  fogline bench --store null                              the path without a database
  fogline bench --store influxdb --influxdb-url http://localhost:8086 --influxdb-token-file token
  fogline bench --failover                                two sites: kill leader, broker and site, and time the takeovers
  fogline bench --failover --rounds 10 --store influxdb --influxdb-url http://localhost:8086
  fogline bench --outbox                                  the queue on disk by itself
  fogline bench --json | jq .steady.latency               as JSON

Everything is measured on this machine's loopback, with every commit synced to the disk that holds the current directory, or
that of --data-dir. At the end it is checked that what was acknowledged is in the store.

With --failover two brokers, two ingesters and the agents are killed and stopped in turn, and started again; each of the times must
be within its goal, no limit may go back, and an audit at the end must find nothing lost and nothing stored twice.

Exit status: 0 when the check passed and the goals were met, 1 when not or a process failed, 2 for bad settings, 130 when interrupted.";

/// What is measured.
#[derive(Debug, Clone, Args)]
pub struct BenchArgs {
    /// Where readings go
    #[arg(long, value_enum, default_value = "sqlite")]
    pub store: StoreKind,
    /// How many agents, each a process, or all in one for --overload and --storm [default: 10; 1 with --backlog; 3 with
    /// --failover; 1000 with --overload and --storm]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub agents: Option<u32>,
    /// Readings a second of all agents together [default: 1000; 10 with --backlog; 150 with --failover; for each agent 10 with --overload, and 1
    /// with --storm]
    #[arg(long, value_name = "NUMBER")]
    pub rate: Option<f64>,
    /// How long to measure [default: 15]; to send too much with --overload [default: 60]; that the broker is away with --storm
    /// [default: 5]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400), conflicts_with = "backlog")]
    pub seconds: Option<u64>,
    /// Length of a reading as JSON
    #[arg(long, value_name = "BYTES", default_value_t = 105, value_parser = clap::value_parser!(u64).range(64..=4096))]
    pub reading_bytes: u64,
    /// Fill the queue of one agent with so many readings while it has no broker, then measure how it drains
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub backlog: Option<u64>,
    /// Send five times what the store can take, which is slowed down for that; then wait until all of it is stored
    #[arg(long, conflicts_with_all = ["backlog", "storm"])]
    pub overload: bool,
    /// Kill the broker, start it again, and measure how all agents come back
    #[arg(long, conflicts_with = "backlog")]
    pub storm: bool,
    /// Measure takeovers: two sites, whose leader, brokers and both together are killed
    #[arg(long, conflicts_with_all = ["backlog", "seconds", "overload", "storm", "outbox"])]
    pub failover: bool,
    /// How often each of them is struck
    #[arg(long, value_name = "COUNT", default_value_t = 3, requires = "failover", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// How long readings gather in an agent before they are committed together, in milliseconds [default: 50; 1000 with
    /// --overload]
    #[arg(long, value_name = "MS", value_parser = milliseconds)]
    pub commit_every: Option<u64>,
    /// Measure the queue on disk by itself: appending, and what is written
    #[arg(long, conflicts_with_all = ["store", "agents", "rate", "seconds", "backlog", "overload", "storm", "commit_every"])]
    pub outbox: bool,
    /// The disk to measure: a temporary folder in here [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
    /// InfluxDB's address, for example http://localhost:8086
    #[arg(long, value_name = "URL", help_heading = "InfluxDB", required_if_eq("store", "influxdb"))]
    pub influxdb_url: Option<String>,
    /// InfluxDB's organisation [default: fogline]
    #[arg(long, value_name = "ORG", help_heading = "InfluxDB")]
    pub influxdb_org: Option<String>,
    /// InfluxDB's bucket [default: fogline]
    #[arg(long, value_name = "BUCKET", help_heading = "InfluxDB")]
    pub influxdb_bucket: Option<String>,
    /// File that holds InfluxDB's token [default: no token]
    #[arg(long, value_name = "FILE", help_heading = "InfluxDB")]
    pub influxdb_token_file: Option<PathBuf>,
}

/// `50` or `50ms`, as the agent's own flag is written.
fn milliseconds(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix("ms").unwrap_or(text);
    match number.parse() {
        Ok(ms @ 0..=60_000) => Ok(ms),
        Ok(_) | Err(_) => Err("give 0 to 60000 milliseconds".to_owned()),
    }
}

/// Measures, prints the report, and gives the exit status. What was started is ended on every way out.
pub async fn execute(args: BenchArgs) -> ExitCode {
    let plan = match Plan::new(&args) {
        Ok(plan) => plan,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let outcome = tokio::select! {
        biased;
        // Dropping the measurement kills its processes and removes its files.
        () = fogline_runtime::signals::stop() => {
            eprintln!("interrupted: nothing to report");
            return ExitCode::from(EXIT_INTERRUPTED);
        }
        outcome = measure(&args, &plan) => outcome,
    };
    match outcome.and_then(|report| print(&report, args.json).map(|()| report)) {
        Ok(report) => verdict(&report),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &BenchArgs, plan: &Plan) -> anyhow::Result<Report> {
    let parent = args.data_dir.clone().unwrap_or_else(|| PathBuf::from("."));
    std::fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
    if let Some(kind) = disk::in_memory(&parent) {
        eprintln!(
            "warning: {} is a {kind}: nothing is written to a disk, and the figures say little",
            parent.display()
        );
    }
    let folder = tempfile::Builder::new().prefix("fogline-bench-").tempdir_in(&parent);
    let folder = folder.with_context(|| format!("cannot make a folder in {}", parent.display()))?;
    if args.outbox {
        let (path, reading_bytes) = (folder.path().to_owned(), plan.reading_bytes);
        let outbox = tokio::task::spawn_blocking(move || outbox::measure(&path, reading_bytes)).await??;
        return Ok(Report { outbox: Some(outbox), ..Report::new(plan) });
    }
    match plan.kind {
        Kind::Steady => steady::measure(plan, folder.path()).await,
        Kind::Backlog(readings) => backlog::measure(plan, readings, folder.path()).await,
        Kind::Overload => overload::measure(plan, folder.path()).await,
        Kind::Storm => storm::measure(plan, folder.path()).await,
        Kind::Failover(rounds) => failover::measure(plan, rounds, folder.path()).await,
    }
}

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let text = if json { serde_json::to_string(report)? + "\n" } else { report.to_string() };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

fn verdict(report: &Report) -> ExitCode {
    let problems = report.problems();
    for problem in &problems {
        eprintln!("error: {problem}");
    }
    if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_interval_may_name_its_unit() {
        assert_eq!((milliseconds("50"), milliseconds("200ms")), (Ok(50), Ok(200)));
        for bad in ["", "-1", "50s", "60001"] {
            assert!(milliseconds(bad).is_err(), "{bad:?}");
        }
    }
}
