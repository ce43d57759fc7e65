//! `fogline-broker`: the broker as a program of its own.

use std::process::ExitCode;

use clap::Parser;
use fogline_broker::{Cli, execute};

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

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
