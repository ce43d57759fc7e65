//! `fogline tls`: a certificate authority in a folder, for sites that have none.
//!
//! One CA signs the broker's certificate and one for each agent, ingester and operator. A client's common name is its user name, its client
//! id and its agent name at once, which is what the broker's rules go by. The CA's key stays in the folder.

mod authority;
mod error;
mod folder;
mod hosts;
mod report;
mod revocation;
mod site;
mod throwaway;

#[cfg(test)]
mod tests;

pub use error::TlsToolError;
pub(crate) use throwaway::Throwaway;

use clap::{ArgGroup, Args, Subcommand};
use fogline_protocol::ids::Name;
use hosts::Host;
use site::{Issue, Site};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Longest validity in days of what the CA signs: that of the CA itself.
const MAX_DAYS: u32 = 3650;
/// The operator of a new folder: somebody who looks on.
pub(crate) const OPERATOR: &str = "operator";

/// Shown below the options.
pub const EXAMPLES: &str = "\
Examples:
  fogline tls init tls --host broker.example    a CA, a certificate for the broker, and one for each part of the demo
  fogline tls issue tls --agent lane-9          one more agent
  fogline tls issue tls --server --force        renew the broker's certificate
  fogline tls revoke tls lane-9                 no broker that reads tls/crl.pem lets it in any more";

const INIT_EXAMPLES: &str = "\
Examples:
  fogline tls init tls                                               for trying it out on this machine
  fogline tls init tls --host broker.example --host 10.0.0.7         for agents on other machines
  fogline tls init tls --agent roof --agent cellar --ingester cloud  for these clients";

const ISSUE_EXAMPLES: &str = "\
Examples:
  fogline tls issue tls --agent lane-9          one more agent
  fogline tls issue tls --operator anna         somebody who looks on
  fogline tls issue tls --agent lane-9 --force  renew its certificate; the old one stays valid until its end
  fogline tls issue tls --server --force        renew the broker's certificate, for the hosts that it is for already";

const REVOKE_EXAMPLES: &str = "\
Examples:
  fogline tls revoke tls lane-9                 all certificates of lane-9 go onto tls/crl.pem, and its files go away";

/// What to do with certificates.
#[derive(Debug, Args)]
pub struct TlsArgs {
    #[command(subcommand)]
    command: TlsCommand,
}

#[derive(Debug, Subcommand)]
enum TlsCommand {
    /// Make a CA, and certificates for a broker, agents, ingesters and operators
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Make more certificates with the same CA, or renew some
    #[command(after_help = ISSUE_EXAMPLES)]
    Issue(IssueArgs),
    /// Put all certificates of an agent, an ingester or an operator onto the revocation list
    #[command(after_help = REVOKE_EXAMPLES)]
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
struct InitArgs {
    /// Folder of the CA and of all that it signs: new or empty
    dir: PathBuf,
    #[command(flatten)]
    what: What,
    /// Replace what an earlier init has made in this folder: nothing that it signed is accepted any more
    #[arg(long)]
    force: bool,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("some").args(["agents", "ingesters", "operators", "server"]).required(true).multiple(true))]
struct IssueArgs {
    /// Folder of the CA, as made by init
    dir: PathBuf,
    #[command(flatten)]
    what: What,
    /// A certificate for the broker, for the hosts of the one before it and those of --host
    #[arg(long)]
    server: bool,
    /// Renew: replace the files of certificates that are there already
    #[arg(long)]
    force: bool,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct RevokeArgs {
    /// Folder of the CA, as made by init
    dir: PathBuf,
    /// The agent, ingester or operator
    name: Name,
    /// As one line of JSON
    #[arg(long)]
    json: bool,
}

/// What certificates are for.
#[derive(Debug, Args)]
struct What {
    /// Host name or address under which clients reach the broker; beside localhost, 127.0.0.1, ::1 and this machine's name
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<Host>,
    /// Agent to make a certificate for [default of init: those of the demo]
    #[arg(long = "agent", value_name = "NAME")]
    agents: Vec<Name>,
    /// Ingester to make a certificate for [default of init: ingest-1]
    #[arg(long = "ingester", value_name = "NAME")]
    ingesters: Vec<Name>,
    /// Operator to make a certificate for [default of init: operator]
    #[arg(long = "operator", value_name = "NAME")]
    operators: Vec<Name>,
    /// How long the certificates are valid; that of the CA is for ten years
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_DAYS)))]
    days: u32,
}

/// Does what was asked for, prints what was made, and gives the exit status.
#[must_use]
pub fn execute(args: TlsArgs) -> ExitCode {
    let done = match args.command {
        TlsCommand::Init(args) => init(args),
        TlsCommand::Issue(args) => issue(args),
        TlsCommand::Revoke(args) => revoke(&args),
    };
    let printed = done.and_then(|text| Ok(std::io::stdout().write_all(text.as_bytes())?));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn init(args: InitArgs) -> anyhow::Result<String> {
    let InitArgs { dir, mut what, force, json } = args;
    if what.agents.is_empty() {
        what.agents = crate::demo::agent_names().map(Name::new).collect::<Result<_, _>>()?;
    }
    if what.ingesters.is_empty() {
        what.ingesters = vec![Name::new(fogline_ingest::settings::DEFAULT_NAME)?];
    }
    if what.operators.is_empty() {
        what.operators = vec![Name::new(OPERATOR)?];
    }
    what.hosts = hosts::of_this_machine().chain(what.hosts).collect();
    let made = Site::init(&dir, &what.wanted(true), force)?;
    Ok(report::made(&dir, &made, json)?)
}

fn issue(args: IssueArgs) -> anyhow::Result<String> {
    let IssueArgs { dir, what, server, force, json } = args;
    anyhow::ensure!(
        server || what.hosts.is_empty(),
        "--host is for the broker's certificate: add --server, or leave it out"
    );
    let made = Site::open(&dir)?.issue(&what.wanted(server), force)?;
    Ok(report::made(&dir, &made, json)?)
}

fn revoke(args: &RevokeArgs) -> anyhow::Result<String> {
    let serials = Site::open(&args.dir)?.revoke(&args.name)?;
    Ok(report::revoked(&args.dir, &args.name, &serials, args.json)?)
}

impl What {
    fn wanted(self, server: bool) -> Issue {
        let Self { hosts, agents, ingesters, operators, days } = self;
        Issue { server, hosts, agents, ingesters, operators, days }
    }
}
