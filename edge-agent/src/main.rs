//! `fogline-agent`: the edge agent as a program of its own.

use clap::Parser;
use fogline_agent::command::{AgentCommand, EXAMPLES, execute};
use fogline_runtime::logging::LogArgs;
use std::process::ExitCode;

/// The edge agent of Fogline.
///
/// Takes readings from sensors, keeps them in a queue on disk until they are in the store, and applies the speed limits that
/// come back. A reading that the agent has taken is lost neither by a crash nor by an outage, however long.
#[derive(Debug, Parser)]
#[command(name = "fogline-agent", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: AgentCommand,
    #[command(flatten)]
    log: LogArgs,
}

// One thread drives everything; sources and the queue, which block, have threads of their own.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = cli.log.init() {
        eprintln!("error: {error}");
        return ExitCode::from(2);
    }
    execute(cli.command).await
}
