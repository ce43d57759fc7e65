//! `fogline-broker`: the broker as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use fogline_broker::{BrokerArgs, BrokerCommand, EXAMPLES, LogArgs, execute};

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

/// The MQTT broker of a Fogline site.
///
/// Carries messages between agents and ingesters, and keeps them in memory only: Fogline acknowledges
/// readings end to end, so a restart of the broker loses none. Prints one line on standard output when it is ready.
/// Stops on SIGTERM and SIGINT (Ctrl-C).
#[derive(Debug, Parser)]
#[command(name = "fogline-broker", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<BrokerCommand>,
    #[command(flatten)]
    broker: BrokerArgs,
    #[command(flatten)]
    log: LogArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = cli.log.init() {
        eprintln!("error: {error}");
        return ExitCode::from(EXIT_USAGE);
    }
    match cli.command {
        Some(command) => command.execute(),
        None => execute(cli.broker).await,
    }
}
