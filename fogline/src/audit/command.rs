//! The command line of the audit.

use super::{Account, Database, Dialect, InfluxServer, Sources, audit};
use crate::bench::progress::spinner;
use crate::cli::EXIT_USAGE;
use crate::figures::count;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Holds the token where a container platform hands it over in the environment.
pub(crate) const TOKEN_VARIABLE: &str = "FOGLINE_INGEST_INFLUXDB_TOKEN";

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline audit --queue fogline-data/lane-1                  the ingester in fogline-data/ingest, and this agent
  fogline audit --data-dir /var/lib/ingest --queue a/queue.db --queue b/queue.db
  fogline audit --queue fogline-data/lane-1 --json | jq .total
  fogline audit --influxdb-url http://localhost:8086 --influxdb-token-file token --queue fogline-data/lane-1

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
    /// Where the readings are, when the ingester stores in InfluxDB or VictoriaMetrics [default: in the ingester's file]
    #[arg(long, alias = "influx-url", value_name = "URL")]
    influxdb_url: Option<String>,
    /// InfluxDB's bucket
    #[arg(long, value_name = "BUCKET", default_value = "fogline", requires = "influxdb_url")]
    influxdb_bucket: String,
    /// File that holds a token that may read the bucket [default: what FOGLINE_INGEST_INFLUXDB_TOKEN holds, or no token]
    #[arg(long, value_name = "FILE", requires = "influxdb_url")]
    influxdb_token_file: Option<PathBuf>,
    /// What the database speaks [default: it is asked]
    #[arg(long, value_enum, requires = "influxdb_url")]
    influxdb_dialect: Option<Dialect>,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

/// Makes the account, prints it, and gives the exit status.
#[must_use]
pub fn execute(args: AuditArgs) -> ExitCode {
    let json = args.json;
    let sources = match args.sources() {
        Ok(sources) => sources,
        Err(problem) => {
            eprintln!("error: {problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(&sources, json) {
        Ok(account) if account.passed => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(sources: &Sources, json: bool) -> anyhow::Result<Account> {
    let bar = spinner("reading the database");
    let account = audit(sources, &mut |points| bar.set_message(format!("{} readings read", count(points))));
    bar.finish_and_clear();
    let account = account?;
    let text = if json { serde_json::to_string(&account)? + "\n" } else { account.to_string() };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(account)
}

impl AuditArgs {
    /// What is audited, or what is wrong with the settings. An address is checked here and not by the parser, which would
    /// show it: there may be a password in it.
    fn sources(self) -> Result<Sources, String> {
        let database = match self.influxdb_url {
            None => Database::Sqlite,
            Some(url) => {
                InfluxServer::check_url(&url).map_err(|problem| format!("--influxdb-url: {problem}"))?;
                let (bucket, dialect) = (self.influxdb_bucket, self.influxdb_dialect);
                let token =
                    token(self.influxdb_token_file).map_err(|problem| format!("--influxdb-token-file: {problem}"))?;
                Database::Influx(InfluxServer { url, bucket, token, dialect })
            }
        };
        let default = || vec![PathBuf::from("fogline-data/ingest")];
        let ingesters = if self.data_dir.is_empty() { default() } else { self.data_dir };
        Ok(Sources { ingesters, queues: self.queues, database })
    }
}

/// From the file, or from the environment, as the ingester takes it: a flag would show in ps.
fn token(file: Option<PathBuf>) -> Result<String, String> {
    let token = match file {
        Some(path) => std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?,
        None => std::env::var(TOKEN_VARIABLE).unwrap_or_default(),
    };
    Ok(token.trim().to_owned())
}
