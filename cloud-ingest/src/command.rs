//! The ingester's command line.

use crate::program;
use crate::settings::IngestArgs;
use clap::Subcommand;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;
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
  fogline-ingest healthcheck --http 127.0.0.1:8081    another one";

/// What else the program can do.
#[derive(Debug, Clone, Subcommand)]
pub enum IngestCommand {
    /// Ask a running ingester whether it can take and store readings
    #[command(after_help = HEALTHCHECK_EXAMPLES)]
    Healthcheck {
        /// Its HTTP address
        #[arg(long, default_value = "127.0.0.1:8080", env = "FOGLINE_INGEST_HTTP")]
        http: SocketAddr,
    },
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
            println!("fogline-ingest ready, http://{}", running.http);
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
pub fn healthcheck(http: SocketAddr) -> ExitCode {
    match ask(http) {
        Ok(answer) if answer.starts_with("HTTP/1.1 200") => ExitCode::SUCCESS,
        Ok(answer) => {
            eprintln!("error: {}", answer.rsplit("\r\n\r\n").next().unwrap_or_default().trim());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: no ingester answers on {http}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One request needs no HTTP client.
fn ask(http: SocketAddr) -> std::io::Result<String> {
    let patience = Duration::from_secs(3);
    let mut stream = TcpStream::connect_timeout(&http, patience)?;
    stream.set_read_timeout(Some(patience))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    Ok(answer)
}
