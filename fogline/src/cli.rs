//! The command line.

use crate::{
    agent_config, analyst, audit, bench, city, dashboards, demo, doctor, limit, package_files, parking, tls, top,
};
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use fogline_agent::command::AgentCommand;
use fogline_broker::{BrokerArgs, BrokerCommand};
use fogline_door::http::TokenCommand;
use fogline_ingest::command::IngestCommand;
use fogline_ingest::settings::IngestArgs;
use fogline_runtime::logging::LogArgs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

/// Exit status for settings that cannot be used, as clap's own for bad flags.
pub(crate) const EXIT_USAGE: u8 = 2;
/// Exit status of a command that Ctrl-C ended before it was done.
pub(crate) const EXIT_INTERRUPTED: u8 = 130;
/// The ingester answers HTTP while it works.
const INGEST_THREADS: usize = 2;

/// A benchmark asks many agents at once, and must not take the machine from them.
const BENCH_THREADS: usize = 8;

/// The lab carries the network between its processes while it looks into files.
const LAB_THREADS: usize = 2;

const EXAMPLES: &str = "\
Examples:
  fogline demo                          everything in one process, and what happens in it; Ctrl-C ends it
  fogline demo --secure                 the same over TLS, with certificates
  fogline demo --for 60 --json          the same for a minute, a JSON line each second
  fogline demo --sites 2                two sites: kill one, and watch the other take over
  fogline bench                         how fast it is on this machine
  fogline bench --backlog 1000000       how fast a queue drains after an outage
  fogline bench --failover              how soon another site takes over
  fogline audit                         whether anything was lost or stored twice
  fogline analyst latest 10             what a city measures
  fogline lab                           two minutes of faults, and where every reading is afterwards
  fogline limit set 80 --region a7 --for 30m      a limit over what is computed
  fogline tls init tls                  certificates for a site of your own
  fogline completions bash > ~/.local/share/bash-completion/completions/fogline

Each part by itself, each in its own terminal:
  fogline broker
  fogline ingest
  fogline agent run --name lane-1 --source simulate --kind road --rate 5
  fogline agent status --name lane-1
  mosquitto_sub -q 1 -v -t 'fogline/v1/#'

Exit status: 0 when done or stopped, 1 when it failed, 2 for bad settings, 130 when a benchmark was interrupted.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  fogline completions bash > ~/.local/share/bash-completion/completions/fogline
  fogline completions zsh > ~/.zfunc/_fogline
  fogline completions fish > ~/.config/fish/completions/fogline.fish";

/// Sensor readings from the edge to a database over MQTT, and decisions back, with nothing lost on the way.
///
/// `demo` shows it, `bench` measures it, `lab` breaks it, `audit` proves it, `tls` makes certificates; `broker`, `ingest` and
/// `agent` are the programs of a site.
#[derive(Debug, Parser)]
#[command(name = "fogline", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    log: LogArgs,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one of them exists, for a moment")]
enum Command {
    /// Run broker, ingester and agents of all five use cases in this process, and show what happens
    #[command(after_help = demo::EXAMPLES)]
    Demo(demo::DemoArgs),
    /// Measure speed, memory and what is written, and check that nothing was lost
    #[command(after_help = bench::EXAMPLES)]
    Bench(bench::BenchArgs),
    /// Compare what was accepted with what is stored: what is lost, what is there twice
    #[command(after_help = audit::EXAMPLES)]
    Audit(audit::AuditArgs),
    /// Set the speed limit of an agent or a region over what is computed, and take it back
    #[command(after_help = limit::EXAMPLES)]
    Limit(limit::LimitArgs),
    /// The ledger of parking garages: forget a person
    #[command(after_help = parking::EXAMPLES)]
    Parking(parking::ParkingArgs),
    /// Ask an ingester for the nodes of a city, their averages and statistics
    #[command(after_help = analyst::EXAMPLES)]
    Analyst(analyst::AnalystArgs),
    /// Look at the machine of a program: clock, disk, brokers, rights, certificates; and say what to do
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::DoctorArgs),
    /// Start a site, strike it with faults, and count where every reading is
    #[command(after_help = fogline_lab::command::EXAMPLES)]
    Lab(fogline_lab::command::LabArgs),
    /// Run a broker: carries messages, keeps nothing
    #[command(after_help = renamed(fogline_broker::EXAMPLES), args_conflicts_with_subcommands = true)]
    Broker(BrokerCli),
    /// Run an ingester: stores readings, acknowledges them, averages, sends limits
    #[command(after_help = renamed(fogline_ingest::command::EXAMPLES), args_conflicts_with_subcommands = true)]
    Ingest(IngestCli),
    /// Run an agent, or look at its queue
    #[command(after_help = renamed(fogline_agent::command::EXAMPLES))]
    Agent(AgentCli),
    /// Run nodes and sensors of a city that measures its air, and watch them
    #[command(after_help = city::EXAMPLES)]
    City(city::CityArgs),
    /// Write the boards and alert rules of Grafana as files
    #[command(after_help = dashboards::EXAMPLES)]
    Dashboards(dashboards::DashboardsArgs),
    /// Make, remove and list the tokens that let people and programs in over HTTP
    #[command(after_help = fogline_door::http::EXAMPLES)]
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Make, renew and revoke the certificates of a site
    #[command(after_help = tls::EXAMPLES)]
    Tls(tls::TlsArgs),
    /// Watch the fleet in the terminal: rates, lag, queues, limits
    #[command(after_help = top::EXAMPLES)]
    Top(top::TopArgs),
    /// Write man pages and completions of all programs into a folder, for packages
    #[command(hide = true, after_help = "Examples:\n  fogline package-files packaging/out")]
    PackageFiles {
        /// The folder, made when there is none
        folder: PathBuf,
    },
    /// Print the completions of a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Debug, Args)]
struct BrokerCli {
    #[command(subcommand)]
    command: Option<BrokerCommand>,
    #[command(flatten)]
    broker: BrokerArgs,
}

#[derive(Debug, Args)]
struct IngestCli {
    #[command(subcommand)]
    command: Option<IngestCommand>,
    #[command(flatten)]
    ingest: IngestArgs,
}

#[derive(Debug, Args)]
struct AgentCli {
    #[command(subcommand)]
    command: AgentPart,
}

/// What the agent's own program can do, and what an operator does to one from afar.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one of them exists, for a moment")]
enum AgentPart {
    #[command(flatten)]
    Own(AgentCommand),
    /// Set how often an agent samples, and over which windows it averages, over the ingester's API
    #[command(after_help = agent_config::EXAMPLES)]
    Config(agent_config::ConfigArgs),
}

/// The examples of a single program, for the subcommand of the same name. Both have the same length.
fn renamed(examples: &str) -> String {
    ["broker", "ingest", "agent"]
        .into_iter()
        .fold(examples.to_owned(), |text, part| text.replace(&format!("fogline-{part} "), &format!("fogline {part} ")))
}

/// Whether there is such a command line.
#[cfg(test)]
pub(crate) fn check<'a>(line: impl Iterator<Item = &'a str>) -> Result<(), clap::Error> {
    Cli::try_parse_from(line).map(drop)
}

/// Parses the command line of this process, does what it says, and gives the exit status.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { command, log } = Cli::parse();
    // The demo's screen is no place for logs: it has a file for them. A benchmark says itself what went wrong, and the lab's own
    // clients lose their connections all the time.
    let quiet = match &command {
        Command::Demo(_) | Command::Bench(_) => true,
        Command::Lab(_) => log.verbose == 0,
        _ => false,
    };
    let initialised = if quiet { Ok(()) } else { log.init() };
    if let Err(error) = initialised {
        eprintln!("error: {error}");
        return ExitCode::from(EXIT_USAGE);
    }
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Each command has the threads that its own program has.
fn run(command: Command) -> anyhow::Result<ExitCode> {
    Ok(match command {
        Command::Demo(args) => Builder::new_multi_thread().enable_all().build()?.block_on(demo::execute(args)),
        Command::Bench(args) => {
            let runtime = Builder::new_current_thread().max_blocking_threads(BENCH_THREADS).enable_all().build()?;
            runtime.block_on(bench::execute(args))
        }
        Command::Audit(args) => audit::execute(args),
        Command::Analyst(args) => analyst::execute(args),
        Command::Limit(args) => limit::execute(args),
        Command::Doctor(args) => doctor::execute(args),
        Command::Parking(args) => parking::execute(args),
        Command::Lab(args) => {
            let runtime = Builder::new_multi_thread().worker_threads(LAB_THREADS).enable_all().build()?;
            runtime.block_on(fogline_lab::command::execute(args))
        }
        Command::Broker(BrokerCli { command: Some(command), .. }) => command.execute(),
        Command::Broker(BrokerCli { command: None, broker }) => single()?.block_on(fogline_broker::execute(broker)),
        Command::Ingest(IngestCli { command: Some(IngestCommand::Healthcheck(args)), .. }) => {
            fogline_ingest::command::healthcheck(args)
        }
        Command::Ingest(IngestCli { command: None, ingest }) => {
            let runtime = Builder::new_multi_thread().worker_threads(INGEST_THREADS).enable_all().build()?;
            runtime.block_on(fogline_ingest::command::execute(ingest))
        }
        Command::Agent(AgentCli { command: AgentPart::Config(args) }) => agent_config::execute(args),
        Command::Agent(AgentCli { command: AgentPart::Own(command) }) => {
            single()?.block_on(fogline_agent::command::execute(command))
        }
        Command::City(args) => single()?.block_on(city::execute(args)),
        Command::Dashboards(args) => dashboards::execute(&args),
        Command::Token { command } => fogline_door::http::execute(command),
        Command::Tls(args) => tls::execute(args),
        Command::Top(args) => top::execute(args),
        Command::PackageFiles { folder } => package_files::write(Cli::command(), &folder)?,
        Command::Completions { shell } => completions(shell)?,
    })
}

fn single() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

fn completions(shell: Shell) -> std::io::Result<ExitCode> {
    // Written in one go: the generator panics when its reader goes away.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fogline", &mut script);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&script)?;
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
