//! `fogline parking`: what an operator does with the ledger of the garages.

use crate::analyst::api::{AnalystError, Answer, Api};
use crate::cli::EXIT_USAGE;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline parking forget 'B-FG 1234'
  fogline parking --api https://site-1:8080 --ca ca.pem --token-file operator.token forget 'B-FG 1234'

Sites that keep a ledger each (those with InfluxDB) are asked one after the other: give --api for each of them, the one that leads first.
docs/operations.md says what is removed, and what is not.

Exit status: 0 when it was done, 1 when not, 2 for bad settings.";

/// Whom to ask, and for what.
#[derive(Debug, Args)]
pub struct ParkingArgs {
    /// Where the ingester answers HTTP
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "FOGLINE_PARKING_API"
    )]
    api: String,
    /// File that holds a token of the role operator, for an ingester with tokens
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_PARKING_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the CA that signed the ingester's certificate; needed with https
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_PARKING_CA")]
    ca: Option<PathBuf>,
    #[command(subcommand)]
    order: Order,
}

#[derive(Debug, Subcommand)]
enum Order {
    /// Remove what the ledger has of a person: stays, invoices and clarifications of a licence plate, however it is written
    #[command(after_help = "Examples:\n  fogline parking forget 'B-FG 1234'\n  fogline parking forget bfg1234")]
    Forget {
        /// The plate
        plate: String,
    },
}

/// Does what was ordered, and gives the exit status.
#[must_use]
pub fn execute(args: ParkingArgs) -> ExitCode {
    let api = match Api::new(&args.api, args.token_file, args.ca) {
        Ok(api) => api,
        Err(problem) => {
            eprintln!("error: --api: {problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let Order::Forget { plate } = args.order;
    match forget(&api, &plate) {
        Ok(rows) => {
            println!("removed {rows} entries of the ledger");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn forget(api: &Api, plate: &str) -> Result<u64, AnalystError> {
    match api.post("/api/v1/parking/forget", &json!({ "plate": plate }))? {
        Answer::Found(answer) => answer["removed"].as_u64().ok_or_else(|| AnalystError::Unexpected(answer.to_string())),
        Answer::Nothing => Ok(0),
    }
}
