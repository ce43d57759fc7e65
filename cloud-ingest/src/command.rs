//! The ingester's command line.

use crate::program;
use crate::settings::{IngestArgs, Settings};
use clap::{Args, Parser, Subcommand};
use fogline_door::http::{Ask, ask};
use fogline_door::logging::{self, LogArgs};
use fogline_service::reload::{Hangup, Reloader};
use fogline_service::settings::Asked;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::sync::oneshot;

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  fogline-ingest                                      take everything from the broker on this machine, store it in SQLite
  fogline-ingest --broker 127.0.0.1:1884 --data-dir /var/lib/fogline
  fogline-ingest --store influxdb --influxdb-url http://localhost:8086 --influxdb-token-file token
  fogline-ingest --print-config > ingest.toml         a file to start from: every key, explained, with its default
  fogline-ingest --config ingest.toml --check-config  what is wrong with it, with lines and remedies
  fogline-ingest healthcheck                          exit with 0 when a running ingester can take and store readings
  sqlite3 -readonly fogline-data/ingest/fogline.db 'SELECT * FROM readings LIMIT 5'";

const HEALTHCHECK_EXAMPLES: &str = "Examples:
  fogline-ingest healthcheck                          exit status 0 when it can, 1 when it cannot
  fogline-ingest healthcheck --http 127.0.0.1:8081    another one
  fogline-ingest healthcheck --http-token-file token --http-ca ca.pem     one with tokens and HTTPS";

/// The cloud ingester of a Fogline site.
///
/// Takes readings from a broker, stores each of them once, acknowledges what is stored to the agents, averages, and sends
/// speed limits back. Stops on SIGTERM and SIGINT (Ctrl-C).
#[derive(Debug, Parser)]
#[command(name = "fogline-ingest", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do instead of running.
    #[command(subcommand)]
    pub command: Option<IngestCommand>,
    /// The settings.
    #[command(flatten)]
    pub ingest: IngestArgs,
    /// How much to log.
    #[command(flatten)]
    pub log: LogArgs,
}

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
    let (reloader, config) = match args.asked() {
        Asked::Run((settings, config)) => {
            logging::apply(settings.log.as_deref());
            (Reloader::new(&settings, format!("ingester {}", config.name)), config)
        }
        Asked::Done(status) => return status,
    };
    let hangup = Hangup::listen();
    let (ready, running) = oneshot::channel::<program::Running>();
    let announce = tokio::spawn(async move {
        if let Ok(running) = running.await {
            println!("fogline-ingest ready, {}", running.url);
            reloader.ready();
            reload(args, running, reloader, hangup).await;
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

/// Reads the settings again at each SIGHUP.
async fn reload(args: IngestArgs, running: program::Running, mut reloader: Reloader<Settings>, mut hangup: Hangup) {
    loop {
        hangup.next().await;
        if let Some(config) = reloader.reload(|| args.read()) {
            // An ingester that has ended takes nothing over.
            running.tunings.send(config.tuning()).await.ok();
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
