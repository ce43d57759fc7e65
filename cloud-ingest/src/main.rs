//! `fogline-ingest`: the ingester as a program of its own.

use clap::Parser;
use fogline_ingest::command::{EXAMPLES, IngestCommand, execute, healthcheck};
use fogline_ingest::settings::IngestArgs;
use fogline_runtime::logging::LogArgs;
use std::process::ExitCode;

/// The cloud ingester of a Fogline site.
///
/// Takes readings from a broker, stores each of them once, acknowledges what is stored to the agents, averages, and sends
/// speed limits back. Stops on SIGTERM and SIGINT (Ctrl-C).
#[derive(Debug, Parser)]
#[command(name = "fogline-ingest", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<IngestCommand>,
    #[command(flatten)]
    ingest: IngestArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = cli.log.init() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    match cli.command {
        None => execute(cli.ingest).await,
        Some(IngestCommand::Healthcheck(args)) => healthcheck(args),
    }
}
