//! `fogline doctor`: looks at the machine of a program, and says what to do.
//!
//! It takes the settings of the program and goes the way that the program goes, step by step. It changes nothing: a running agent
//! is asked on its own socket, because to log in with its name would take its connection from it.

mod agent;
mod broker;
mod certificates;
mod clock;
mod database;
mod disk;
mod finding;
mod ingest;
mod limits;
mod mqtt;
mod served;
mod server;

use crate::analyst::api::Api;
use crate::cli::EXIT_USAGE;
use clap::{Args, Subcommand};
use finding::{Findings, Outcome, Progress};
use fogline_agent::settings::{AgentArgs, SourceKind};
use fogline_broker::BrokerArgs;
use fogline_ingest::settings::IngestArgs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline doctor agent --config /etc/fogline/agent.toml         the machine of an agent, as it is configured
  fogline doctor agent --name lane-1 --broker mqtts://gate.example --broker-ca ca.pem --password-file lane-1.token
  fogline doctor --api http://gate.example:8080 agent --config agent.toml    its clock beside the ingester's too
  fogline doctor ingest --config /etc/fogline/ingest.toml       that of an ingester, with its database
  fogline doctor broker --config /etc/fogline/broker.toml       that of a broker
  fogline doctor --json agent --config agent.toml               one line of JSON, for machines

Flags and variables are those of the program itself (fogline agent run --help). An agent that runs is asked, and not disturbed; one that
does not is spoken for: if another one of its name is connected from elsewhere, --no-login leaves it alone.

Exit status: 0 when all is well or worth a look only, 1 when something failed, 2 for bad settings.";

/// What is looked at, and how it is shown.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Compare the clock with that of the ingester that answers HTTP here
    #[arg(long, global = true, value_name = "URL", env = "FOGLINE_DOCTOR_API")]
    api: Option<String>,
    /// PEM file of the CA that signed its certificate; needed with https
    #[arg(long, global = true, value_name = "FILE", env = "FOGLINE_DOCTOR_API_CA")]
    api_ca: Option<PathBuf>,
    /// Do not log in to brokers in the program's name
    #[arg(long, global = true)]
    no_login: bool,
    /// As one line of JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    whose: Whose,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one of them exists, for a moment")]
enum Whose {
    /// The machine of an agent
    #[command(after_help = "Examples:\n  fogline doctor agent --config /etc/fogline/agent.toml")]
    Agent(Box<AgentArgs>),
    /// The machine of an ingester, and its database
    #[command(after_help = "Examples:\n  fogline doctor ingest --config /etc/fogline/ingest.toml")]
    Ingest(Box<IngestArgs>),
    /// The machine of a broker
    #[command(after_help = "Examples:\n  fogline doctor broker --config /etc/fogline/broker.toml")]
    Broker(Box<BrokerArgs>),
}

/// Looks, prints what was found, and gives the exit status. Blocks for some seconds at each broker that does not answer.
#[must_use]
pub fn execute(args: DoctorArgs) -> ExitCode {
    let DoctorArgs { api, api_ca, no_login, json, whose } = args;
    let api = match api.map(|url| Api::new(&url, None, api_ca)).transpose() {
        Ok(api) => api,
        Err(problem) => return refused(&[format!("--api: {problem}")]),
    };
    let progress = Progress::new(json);
    let found = look(whose, api.as_ref(), !no_login, &progress);
    progress.end();
    match found {
        Ok(findings) => show(&findings, json),
        Err(problems) => refused(&problems),
    }
}

fn look(whose: Whose, api: Option<&Api>, may_login: bool, progress: &Progress) -> Result<Findings, Vec<String>> {
    let mut findings = Findings::default();
    match whose {
        Whose::Agent(mut args) => {
            // Where readings come from is no matter here.
            if args.config.is_none() && args.settings.source.is_none() {
                args.settings.source = Some(SourceKind::None);
            }
            let config = args.resolve().map_err(|error| error.problems().to_vec())?;
            clock::check(&mut findings, api);
            agent::check(&mut findings, progress, &config, may_login);
        }
        Whose::Ingest(args) => {
            let config = args.resolve().map_err(|error| error.problems().to_vec())?;
            clock::check(&mut findings, api);
            ingest::check(&mut findings, progress, &config, may_login);
        }
        Whose::Broker(args) => {
            let config = args.resolve().map_err(|error| error.problems().to_vec())?;
            clock::check(&mut findings, api);
            server::check(&mut findings, &config);
        }
    }
    Ok(findings)
}

fn refused(problems: &[String]) -> ExitCode {
    problems.iter().for_each(|problem| eprintln!("error: {problem}"));
    ExitCode::from(EXIT_USAGE)
}

fn show(findings: &Findings, json: bool) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let text = if json { findings.json().map(|line| line + "\n") } else { Ok(findings.text(colour)) };
    let written = text.map_err(std::io::Error::other).and_then(|text| stdout.write_all(text.as_bytes()));
    match (written.and_then(|()| stdout.flush()), findings.worst()) {
        (Ok(()), Outcome::Ok | Outcome::Skip | Outcome::Warn) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
