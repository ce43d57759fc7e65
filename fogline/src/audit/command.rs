//! The command line of the audit.

use super::{Account, Database, Sources, audit};
use crate::bench::progress::spinner;
use crate::figures::count;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline audit --queue fogline-data/lane-1                  the ingester in fogline-data/ingest, and this agent
  fogline audit --data-dir /var/lib/ingest --queue a/queue.db --queue b/queue.db
  fogline audit --queue fogline-data/lane-1 --json | jq .total

Everything may be running: nothing is written to. Copies of the queues of agents elsewhere do as well, if they were made with
`sqlite3 queue.db '.backup copy.db'`, and before the audit begins.

Exit status: 0 when nothing is lost and nothing is stored twice, 1 when something is or the audit could not be made, 2 for bad
settings.";

/// Where everything is that is compared.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// The ingester's data directory, or its file; several when several ingesters work for the same agents [default: fogline-data/ingest]
    #[arg(long, visible_alias = "store-file", value_name = "DIR_OR_FILE", env = "FOGLINE_INGEST_DATA_DIR")]
    data_dir: Vec<PathBuf>,
    /// An agent's data directory, or its queue file; give those of all agents for a complete account
    #[arg(long = "queue", value_name = "DIR_OR_FILE")]
    queues: Vec<PathBuf>,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

/// Makes the account, prints it, and gives the exit status.
#[must_use]
pub fn execute(args: AuditArgs) -> ExitCode {
    match run(args) {
        Ok(account) if account.passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: AuditArgs) -> anyhow::Result<Account> {
    let json = args.json;
    let bar = spinner("reading the database");
    let account = audit(&args.into(), &mut |points| bar.set_message(format!("{} readings read", count(points))));
    bar.finish_and_clear();
    let account = account?;
    let text = if json { serde_json::to_string(&account)? + "\n" } else { account.to_string() };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(account)
}

impl From<AuditArgs> for Sources {
    fn from(args: AuditArgs) -> Self {
        let default = || vec![PathBuf::from("fogline-data/ingest")];
        Self {
            ingesters: if args.data_dir.is_empty() { default() } else { args.data_dir },
            queues: args.queues,
            database: Database::Sqlite,
        }
    }
}
