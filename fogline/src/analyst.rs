//! `fogline analyst`: asks an ingester's API for what a city measures.

pub(crate) mod api;
mod show;

use crate::cli::EXIT_USAGE;
use api::{AnalystError, Answer, Api};
use clap::{Args, Subcommand};
use fogline_protocol::city::GRID_SIZE;
use fogline_protocol::ids::Name;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// The most averages that the API gives in one answer.
const AVERAGES_MAX: u32 = 1000;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline analyst nodes                         who there is
  fogline analyst nearest 20 35                 the node nearest to a place on the grid
  fogline analyst latest 10                     the latest averages of all nodes together
  fogline analyst node node-1 10                those of one node
  fogline analyst stats 100                     mean and standard deviation of the latest 100
  fogline analyst node-stats node-1 100         the same for one node
  fogline analyst --json latest 100 | jq '.[].mean_ugm3'
  fogline analyst --api https://gate.example:8080 --ca ca.pem --token-file token nodes

Where nothing is measured yet it says so, with exit status 0 (as JSON: [], or null instead of statistics).

Exit status: 0 when it was answered, 1 when not, 2 for bad settings.";

/// Whom to ask, and what.
#[derive(Debug, Args)]
pub struct AnalystArgs {
    /// Where the ingester answers HTTP
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        env = "FOGLINE_ANALYST_API"
    )]
    api: String,
    /// File that holds a token of the role viewer, for an ingester with tokens
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_ANALYST_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the CA that signed the ingester's certificate; needed with https
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_ANALYST_CA")]
    ca: Option<PathBuf>,
    /// As one line of JSON, as the API gives it
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// List the nodes
    #[command(after_help = "Examples:\n  fogline analyst nodes\n  fogline analyst nodes --json | jq '.[].id'")]
    Nodes,
    /// Find the node nearest to a place, by Manhattan distance
    #[command(after_help = "Examples:\n  fogline analyst nearest 20 35")]
    Nearest {
        /// To the right, 0 to 99
        #[arg(value_parser = clap::value_parser!(u32).range(..i64::from(GRID_SIZE)))]
        u: u32,
        /// Upwards, 0 to 99
        #[arg(value_parser = clap::value_parser!(u32).range(..i64::from(GRID_SIZE)))]
        v: u32,
    },
    /// Show the latest averages of all nodes together, newest first
    #[command(after_help = "Examples:\n  fogline analyst latest 10")]
    Latest {
        /// How many at most, 1 to 1000
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(AVERAGES_MAX)))]
        n: u32,
    },
    /// Show the latest averages of one node, newest first
    #[command(after_help = "Examples:\n  fogline analyst node node-1 10")]
    Node {
        /// The node
        id: Name,
        /// How many at most, 1 to 1000
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(AVERAGES_MAX)))]
        n: u32,
    },
    /// Show mean and standard deviation of the latest averages of all nodes together
    #[command(after_help = "Examples:\n  fogline analyst stats 100")]
    Stats {
        /// Of how many at most, 1 to 1000
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(AVERAGES_MAX)))]
        n: u32,
    },
    /// Show mean and standard deviation of the latest averages of one node
    #[command(after_help = "Examples:\n  fogline analyst node-stats node-1 100")]
    NodeStats {
        /// The node
        id: Name,
        /// Of how many at most, 1 to 1000
        #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(AVERAGES_MAX)))]
        n: u32,
    },
}

impl Question {
    /// What is asked of the API. A name needs no escaping.
    fn path(&self) -> String {
        match self {
            Self::Nodes => "/api/nodes".to_owned(),
            Self::Nearest { u, v } => format!("/api/node/nearest?u={u}&v={v}"),
            Self::Latest { n } => format!("/api/measurements?n={n}"),
            Self::Node { id, n } => format!("/api/measurements/{id}?n={n}"),
            Self::Stats { n } => format!("/api/measurements/stats?n={n}"),
            Self::NodeStats { id, n } => format!("/api/measurements/stats/{id}?n={n}"),
        }
    }

    /// The answer for a person.
    fn show(&self, answer: Value) -> Result<String, serde_json::Error> {
        match self {
            Self::Nodes => show::nodes(serde_json::from_value(answer)?),
            Self::Nearest { u, v } => show::nearest(&serde_json::from_value(answer)?, *u, *v),
            Self::Latest { .. } | Self::Node { .. } => show::averages(&serde_json::from_value::<Vec<_>>(answer)?),
            Self::Stats { .. } | Self::NodeStats { .. } => show::statistics(&serde_json::from_value(answer)?),
        }
    }

    /// What stands for nothing, as JSON.
    const fn nothing(&self) -> &'static str {
        match self {
            Self::Stats { .. } | Self::NodeStats { .. } => "null",
            Self::Nodes | Self::Nearest { .. } | Self::Latest { .. } | Self::Node { .. } => "[]",
        }
    }
}

/// Asks, prints the answer, and gives the exit status.
#[must_use]
pub fn execute(args: AnalystArgs) -> ExitCode {
    let AnalystArgs { api, token_file, ca, json, question } = args;
    let api = match Api::new(&api, token_file, ca) {
        Ok(api) => api,
        Err(problem) => {
            eprintln!("error: --api: {problem}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(&api, &question, json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(api: &Api, question: &Question, json: bool) -> anyhow::Result<()> {
    let text = match (api.get(&question.path())?, json) {
        (Answer::Nothing, true) => format!("{}\n", question.nothing()),
        (Answer::Nothing, false) => "none yet\n".to_owned(),
        (Answer::Found(value), true) => format!("{value}\n"),
        (Answer::Found(value), false) => {
            question.show(value).map_err(|error| AnalystError::Unexpected(error.to_string()))?
        }
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}
