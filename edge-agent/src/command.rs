//! The agent's command line, for its own program and for the all-in-one one.

use crate::program;
use crate::queue::{self, QueueCommand};
use crate::settings::{AgentArgs, AgentConfig, QueueFiles};
use crate::status::{self, TUPLES_SHOWN};
use clap::{Args, Subcommand};
use fogline_runtime::settings::SettingsError;
use std::io::Write;
use std::process::ExitCode;
use tokio::sync::oneshot;

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline-agent run --name lane-1 --source simulate --kind road --rate 5
  fogline-agent run --name house-1 --source csv --file meter.csv --pace 60
  fogline-agent run --name houses --source households --dir recordings --households 200 --pace 60
  fogline-agent run --name garages --source garage --garages 4 --capacity 250 --tariff-cents 250 --pace 60
  fogline-agent run --name lane-1 --source simulate --local-broker 127.0.0.1:1884 --on-limit ./sign.sh --http 127.0.0.1:9180
  tail -F readings.jsonl | fogline-agent run --name roof --source stdin
  fogline-agent run --source csv --file w.csv --kind weather --time-column when --time-unit s --value-columns t=air_c
  fogline-agent run --config agent.toml              many sources at once: docs/sources.md
  fogline-agent status --name lane-1
  fogline-agent queue ls --name lane-1

Every flag of run may be given in the environment (FOGLINE_AGENT_RATE=5) or in a TOML file (rate = 5) too. Flags go before
the environment, the environment before the file.

Exit status: 0 when stopped by SIGTERM or Ctrl-C, or when done; 1 when it failed; 2 for bad settings.";

const STATUS_EXAMPLES: &str = "\
Examples:
  fogline-agent status --name lane-1                      queue, ingester, limit in force, newest readings
  fogline-agent status --name houses --tuples 100         the last 100 readings: new, sent or acknowledged
  fogline-agent status --data-dir /var/lib/agent --json   the same for machines";

const VALIDATE_EXAMPLES: &str = "\
Examples:
  fogline-agent validate --config agent.toml              says what is wrong, or what will be in effect
  fogline-agent validate --source simulate > agent.toml   a file to start from";

/// What the program can do.
#[derive(Debug, Clone, Subcommand)]
pub enum AgentCommand {
    /// Take readings, queue them, send them, and apply what comes back
    #[command(after_help = EXAMPLES)]
    Run(Box<AgentArgs>),
    /// Show the queue of a running or stopped agent
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Look into the queue of a running or stopped agent, and change it
    #[command(subcommand, after_help = queue::EXAMPLES)]
    Queue(QueueCommand),
    /// Check the settings, and print those in effect as a TOML file
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(Box<AgentArgs>),
}

/// Which agent, and how it is shown.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// Where its queue is
    #[command(flatten)]
    pub files: QueueFiles,
    /// As one line of JSON
    #[arg(long)]
    pub json: bool,
    /// Show so many of the readings that were queued last, 0 to 100, each with its state: new, sent, acknowledged
    #[arg(long, value_name = "N", default_value_t = TUPLES_SHOWN, value_parser = tuples)]
    pub tuples: usize,
}

impl Default for StatusArgs {
    fn default() -> Self {
        Self { files: QueueFiles::default(), json: false, tuples: TUPLES_SHOWN }
    }
}

fn tuples(text: &str) -> Result<usize, String> {
    let most = fogline_protocol::node::TUPLES_MAX;
    text.parse().ok().filter(|count| *count <= most).ok_or_else(|| format!("give a number from 0 to {most}"))
}

/// Does what was asked for, and gives the exit status. `run` goes on until SIGTERM or SIGINT.
pub async fn execute(command: AgentCommand) -> ExitCode {
    let outcome = match command {
        AgentCommand::Run(args) => match args.resolve() {
            Ok(config) => run(config).await,
            Err(error) => return refused(&error),
        },
        AgentCommand::Validate(args) => match args.effective() {
            Ok(text) => print(&text),
            Err(error) => return refused(&error),
        },
        AgentCommand::Status(args) => match args.files.resolve() {
            Ok(data_dir) => show(&data_dir, args.json, args.tuples),
            Err(error) => return refused(&error),
        },
        // It blocks, and nothing else goes on here.
        AgentCommand::Queue(command) => match tokio::task::spawn_blocking(|| queue::execute(command)).await {
            Ok(Ok(status)) => return status,
            Ok(Err(error)) => Err(error),
            Err(error) => Err(error.into()),
        },
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(error) = error.downcast_ref::<SettingsError>() {
                return refused(error);
            }
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn refused(error: &SettingsError) -> ExitCode {
    for problem in error.problems() {
        eprintln!("error: {problem}");
    }
    ExitCode::from(EXIT_USAGE)
}

async fn run(config: AgentConfig) -> anyhow::Result<()> {
    let (ready, _running) = oneshot::channel();
    program::run(config, fogline_runtime::signals::stop(), ready).await
}

fn show(data_dir: &std::path::Path, json: bool, tuples: usize) -> anyhow::Result<()> {
    let report = status::ask_with(data_dir, tuples)?;
    let text = if json { serde_json::to_string(&report)? + "\n" } else { report.to_string() };
    print(&text)
}

/// Prints to standard output.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
