//! `token`: makes, removes and lists tokens.

use super::token::Role;
use super::token::file::{TokenFileError, add, list, remove};
use clap::Subcommand;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "Examples:
  fogline token add grafana --role viewer --tokens tokens       the token is printed, once
  fogline token add anna --role operator --tokens tokens
  fogline token list --tokens tokens                            names and roles
  fogline token remove anna --tokens tokens                     refused within seconds, without a restart
  curl -H \"Authorization: Bearer $TOKEN\" https://gate.example:8080/metrics";

/// What is done with tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it: it is not kept anywhere, only its SHA-256
    Add {
        /// Whose it is: 1 to 63 of a-z, 0-9, - and _
        name: String,
        /// What it allows: to look (viewer), or to change things too (operator)
        #[arg(long, value_enum)]
        role: Role,
        /// The file of tokens; made when there is none
        #[arg(long, value_name = "FILE", env = "FOGLINE_TOKENS")]
        tokens: PathBuf,
    },
    /// Remove a token: it is refused within seconds
    Remove {
        /// Whose it is
        name: String,
        /// The file of tokens
        #[arg(long, value_name = "FILE", env = "FOGLINE_TOKENS")]
        tokens: PathBuf,
    },
    /// Print names and roles
    List {
        /// The file of tokens
        #[arg(long, value_name = "FILE", env = "FOGLINE_TOKENS")]
        tokens: PathBuf,
    },
}

/// Does it, and gives the exit status.
#[must_use]
pub fn execute(command: TokenCommand) -> ExitCode {
    match run(command) {
        Ok(text) if print(&text).is_ok() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: TokenCommand) -> Result<String, TokenFileError> {
    Ok(match command {
        TokenCommand::Add { name, role, tokens } => format!("{}\n", add(&tokens, &name, role)?.reveal()),
        TokenCommand::Remove { name, tokens } => remove(&tokens, &name).map(|()| String::new())?,
        TokenCommand::List { tokens } => {
            list(&tokens)?.iter().map(|caller| format!("{} {}\n", caller.name, caller.role)).collect()
        }
    })
}

fn print(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
