//! The ingester's command line.

use crate::program;
use crate::settings::IngestArgs;
use clap::{Args, Subcommand};
use fogline_door::http::{Ask, ask};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::sync::oneshot;

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  fogline-ingest                                      take everything from the broker on this machine, store it in SQLite
  fogline-ingest --broker 127.0.0.1:1884 --data-dir /var/lib/fogline
  fogline-ingest --store influxdb --influxdb-url http://localhost:8086 --influxdb-token-file token
  fogline-ingest healthcheck                          exit with 0 when a running ingester can take and store readings
  sqlite3 -readonly fogline-data/ingest/fogline.db 'SELECT * FROM readings LIMIT 5'";

const HEALTHCHECK_EXAMPLES: &str = "Examples:
  fogline-ingest healthcheck                          exit status 0 when it can, 1 when it cannot
  fogline-ingest healthcheck --http 127.0.0.1:8081    another one
  fogline-ingest healthcheck --http-token-file token --http-ca ca.pem     one with tokens and HTTPS";

/// What else the program can do.
#[derive(Debug, Clone, Subcommand)]
pub enum IngestCommand {
    /// Ask a running ingester whether it can take and store readings
    #[command(after_help = HEALTHCHECK_EXAMPLES)]
    Healthcheck(HealthcheckArgs),
}

/// Which ingester is asked, and how.
#[derive(Debug, Clone, Args)]
pub struct HealthcheckArgs {
    /// Its HTTP address
    #[arg(long, default_value = "127.0.0.1:8080", env = "FOGLINE_INGEST_HTTP")]
    pub http: SocketAddr,
    /// File that holds a token of the role viewer, for one with tokens
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_HTTP_TOKEN_FILE")]
    pub http_token_file: Option<PathBuf>,
    /// Ask over HTTPS, and trust the CA in this PEM file
    #[arg(long, value_name = "FILE", env = "FOGLINE_INGEST_HTTP_CA")]
    pub http_ca: Option<PathBuf>,
    /// Name in its certificate [default: its address]
    #[arg(long, value_name = "NAME", env = "FOGLINE_INGEST_HTTP_NAME", requires = "http_ca")]
    pub http_name: Option<String>,
}

/// Runs an ingester until SIGTERM or SIGINT, and gives its exit status.
pub async fn execute(args: IngestArgs) -> ExitCode {
    let config = match args.resolve() {
        Ok(config) => config,
        Err(error) => {
            for problem in error.problems() {
                eprintln!("error: {problem}");
            }
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let (ready, running) = oneshot::channel::<program::Running>();
    let announce = tokio::spawn(async move {
        if let Ok(running) = running.await {
            println!("fogline-ingest ready, {}", running.url);
        }
    });
    let ended = program::run(config, fogline_runtime::signals::stop(), ready).await;
    announce.abort();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Asks `/readyz`; prints what is wrong.
#[must_use]
pub fn healthcheck(args: HealthcheckArgs) -> ExitCode {
    let HealthcheckArgs { http, http_token_file, http_ca, http_name } = args;
    match ask(&Ask { token: http_token_file, ca: http_ca, name: http_name, ..Ask::new(http, "/readyz") }) {
        Ok((200, _)) => ExitCode::SUCCESS,
        Ok((_, answer)) => {
            eprintln!("error: {}", answer.trim());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}; is the ingester running, and does it speak HTTPS?");
            ExitCode::FAILURE
        }
    }
}
