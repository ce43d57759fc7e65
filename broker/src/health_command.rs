//! `fogline-broker healthcheck`: for container platforms and supervisors, in images without a shell.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Args;
use fogline_door::http::{Ask, ask};

/// Shown below the options.
pub(crate) const EXAMPLES: &str = "\
Examples:
  fogline-broker healthcheck                          one that was started with --http 127.0.0.1:8083
  fogline-broker healthcheck --http 127.0.0.1:9083    another one
  fogline-broker healthcheck --http-ca ca.pem --http-name broker.example
                                                      one with HTTPS

It asks /healthz, which needs no token. A broker that answers has a live router: its watchdog ends one that has not.

Exit status: 0 when it answers, 1 when it does not.";

/// Which broker is asked, and how.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct HealthcheckArgs {
    /// Its HTTP address
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8083", env = "FOGLINE_BROKER_HTTP")]
    pub http: SocketAddr,
    /// Ask over HTTPS, and trust the CA in this PEM file
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_HTTP_CA")]
    pub http_ca: Option<PathBuf>,
    /// Name in its certificate [default: its address]
    #[arg(long, value_name = "NAME", env = "FOGLINE_BROKER_HTTP_NAME", requires = "http_ca")]
    pub http_name: Option<String>,
}

/// Asks, prints what is wrong, and gives the exit status.
pub(crate) fn execute(args: HealthcheckArgs) -> ExitCode {
    let HealthcheckArgs { http, http_ca, http_name } = args;
    match ask(&Ask { ca: http_ca, name: http_name, ..Ask::new(http, "/healthz") }) {
        Ok((200, _)) => ExitCode::SUCCESS,
        Ok((status, answer)) => {
            eprintln!("error: http {http} answers {status}: {}", answer.trim());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}; is the broker running, with --http, and does it speak HTTPS?");
            ExitCode::FAILURE
        }
    }
}
