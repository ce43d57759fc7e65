//! `fogline-ingest`: the ingester as a program of its own.

use clap::Parser;
use fogline_ingest::command::{Cli, IngestCommand, execute, healthcheck};
use std::process::ExitCode;

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
