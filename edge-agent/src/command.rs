//! The agent's command line, for its own program and for the all-in-one one.

use crate::program;
use crate::queue::{self, QueueCommand};
use crate::settings::{AgentArgs, AgentConfig, QueueFiles, Settings};
use crate::status::{self, TUPLES_SHOWN};
use clap::{Args, Parser, Subcommand};
use fogline_door::logging::{self, LogArgs};
use fogline_service::reload::{Hangup, Reloader};
use fogline_service::settings::{Asked, SettingsError};
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
  fogline-agent run --source simulate --print-config > agent.toml   a file to start from: every key, explained
  fogline-agent run --config agent.toml --check-config              what is wrong with it, with lines and remedies
  fogline-agent run --config agent.toml                             many sources at once: docs/sources.md
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

/// The edge agent of Fogline.
///
/// Takes readings from sensors, keeps them in a queue on disk until they are in the store, and applies the speed limits that
/// come back. A reading that the agent has taken is lost neither by a crash nor by an outage, however long.
#[derive(Debug, Parser)]
#[command(name = "fogline-agent", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: AgentCommand,
    /// How much to log.
    #[command(flatten)]
    pub log: LogArgs,
}

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
        AgentCommand::Run(args) => match args.asked() {
            Asked::Run((settings, config)) => run(*args, &settings, config).await,
            Asked::Done(status) => return status,
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

async fn run(args: AgentArgs, settings: &Settings, config: AgentConfig) -> anyhow::Result<()> {
    logging::apply(settings.log.as_deref());
    let hangup = Hangup::listen();
    let reloader = Reloader::new(settings, format!("agent {}", config.id));
    let (ready, running) = oneshot::channel::<program::Running>();
    let service = tokio::spawn(async move {
        if let Ok(running) = running.await {
            reloader.ready();
            reload(args, running, reloader, hangup).await;
        }
    });
    let ended = program::run(config, fogline_runtime::signals::stop(), ready).await;
    service.abort();
    ended
}

/// Reads the settings again at each SIGHUP.
async fn reload(args: AgentArgs, running: program::Running, mut reloader: Reloader<Settings>, mut hangup: Hangup) {
    loop {
        hangup.next().await;
        if let Some(config) = reloader.reload(|| args.read()) {
            // An agent that has ended takes nothing over.
            running.reloads.send(Box::new(config)).await.ok();
        }
    }
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
