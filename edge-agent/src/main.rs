//! `fogline-agent`: the edge agent as a program of its own.

use clap::Parser;
use fogline_agent::command::{Cli, execute};
use std::process::ExitCode;

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
