//! `fogline top`: the fleet in a terminal, as an ingester tells it.

mod cells;
mod draw;
mod fleet;
mod screen;
mod view;

use crate::analyst::api::Api;
use crate::cli::EXIT_USAGE;
use crate::table::Table;
use clap::Args;
use fleet::{Asker, Fleet};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline top                                                  the fleet of the ingester on this machine
  fogline top --api https://gate.example:8080 --ca ca.pem --token-file token
  fogline top --once | sort -k4                                one table, for pipes
  fogline top --once --json | jq '.agents[] | select(.online == false) | .agent'
  ssh gate fogline top                                         needs no more than a terminal: ssh -t

Keys: h shows them. n o r u l x m c order by a column, f goes through the regions, Enter shows an agent, q ends it.

Exit status: 0 when it was ended, 1 when the ingester did not answer (--once) or the terminal went away, 2 for bad settings.";

/// How long rates are measured for one table.
const ONCE: Duration = Duration::from_secs(1);

/// Whom to ask, and how it is shown.
#[derive(Debug, Args)]
pub struct TopArgs {
    /// Where the ingester answers HTTP
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080", env = "FOGLINE_TOP_API")]
    api: String,
    /// File that holds a token of the role viewer, for an ingester with tokens
    #[arg(long, value_name = "FILE", env = "FOGLINE_TOP_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// PEM file of the CA that signed the ingester's certificate; needed with https
    #[arg(long, value_name = "FILE", env = "FOGLINE_TOP_CA")]
    ca: Option<PathBuf>,
    /// Seconds between two pictures, 1 to 60
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    every: u64,
    /// Print one table and end
    #[arg(long)]
    once: bool,
    /// With --once: as one line of JSON
    #[arg(long, requires = "once")]
    json: bool,
}

/// Shows the fleet, and gives the exit status. Blocks until it is ended.
#[must_use]
pub fn execute(args: TopArgs) -> ExitCode {
    let TopArgs { api, token_file, ca, every, once, json } = args;
    let usage = |problem: String| {
        eprintln!("error: {problem}");
        ExitCode::from(EXIT_USAGE)
    };
    let api = match Api::new(&api, token_file, ca) {
        Ok(api) => api,
        Err(problem) => return usage(format!("--api: {problem}")),
    };
    let has_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !once && !has_terminal {
        return usage("this is no terminal: give --once for one table, or ssh -t".to_owned());
    }
    let asker = Asker::new(api);
    let shown =
        if once { print(asker, json) } else { screen::run(asker, Duration::from_secs(every)).map_err(Into::into) };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Asks twice, because a rate is of two moments.
fn print(mut asker: Asker, json: bool) -> anyhow::Result<()> {
    asker.ask()?;
    std::thread::sleep(ONCE);
    let fleet = asker.ask()?;
    let text = if json { serde_json::to_string(&fleet)? + "\n" } else { text(&fleet) };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

fn text(fleet: &Fleet) -> String {
    let mut table = Table::new(&cells::COLUMNS);
    for agent in &fleet.agents {
        table.row(cells::cells(agent));
    }
    let more = if fleet.more { format!("only the first {} are shown\n", fleet::AGENTS_MAX) } else { String::new() };
    format!("{table}{more}")
}
