//! `fogline-broker user`: adding, removing and listing the users of a broker.

use std::{
    fs,
    io::{self, IsTerminal, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::health_command::{self, HealthcheckArgs};
use crate::{
    access::{
        Role,
        secret::{NoRandomNumbers, Secret},
        users::{User, Users},
        users_file::{self, UsersFileError},
    },
    export_command::{ExportArgs, ExportError, export},
};

/// Exit status for a command line that cannot be carried out, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;
/// As NIST SP 800-63B demands of passwords at least.
const MIN_PASSWORD_BYTES: usize = 8;
/// What comes from a program that was piped in by mistake has an end.
const MAX_PASSWORD_BYTES: usize = 1_024;
/// Between the columns of a table.
const GAP: &str = "  ";

const EXAMPLES: &str = "\
Examples:
  fogline-broker user add lane-1 --role agent --region north --users users > lane-1.token
  fogline-broker user add hub --role ingest --region '*' --token-file hub.token --users users
  fogline-broker user add anna --role operator --password-stdin --users users < password.txt
  fogline-broker user remove lane-1 --users users
  fogline-broker user list --json --users users
  fogline-broker user export mosquitto --tokens tokens --to /etc/mosquitto --users users

FOGLINE_BROKER_USERS names the file as well as --users. A running broker takes over changes within seconds.

Exit status: 0 when done, 1 when it failed, 2 for bad flags or names.";

/// What can be done beside running a broker.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum BrokerCommand {
    /// Add, remove and list the users who can log in
    #[command(after_help = EXAMPLES)]
    User {
        /// What to do with them.
        #[command(subcommand)]
        command: UserCommand,
    },
    /// Ask a running broker whether it lives
    #[command(after_help = health_command::EXAMPLES)]
    Healthcheck(HealthcheckArgs),
}

/// What can be done with users.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum UserCommand {
    /// Add a user, and print its new token once
    Add(AddArgs),
    /// Remove a user; its connections end
    Remove {
        /// Who
        name: String,
        /// The file of users.
        #[command(flatten)]
        file: UsersArg,
    },
    /// List users, without their secrets
    List {
        /// Print a JSON line for each user
        #[arg(long)]
        json: bool,
        /// The file of users.
        #[command(flatten)]
        file: UsersArg,
    },
    /// Write the users and their rights in the words of another broker
    Export(ExportArgs),
}

/// Who is to be added.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct AddArgs {
    /// Its name: for agents and ingesters a-z, 0-9, _ and -; for people also upper case, dots and @
    pub name: String,
    /// What it is for: agent, ingest, operator or admin
    #[arg(long)]
    pub role: Role,
    /// A region that it is in; may be given several times; * is all of them
    #[arg(long = "region", value_name = "REGION")]
    pub regions: Vec<String>,
    /// Read a person's password from standard input, instead of making a token
    #[arg(long, conflicts_with_all = ["token_file", "certificate"])]
    pub password_stdin: bool,
    /// Write the token to this new file, for its owner only, instead of standard output
    #[arg(long, value_name = "PATH", conflicts_with = "certificate")]
    pub token_file: Option<PathBuf>,
    /// No token: it has a client certificate with its name as common name
    #[arg(long)]
    pub certificate: bool,
    /// The file of users.
    #[command(flatten)]
    pub file: UsersArg,
}

/// Where the users are.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct UsersArg {
    /// The file of users; made if there is none
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_USERS")]
    pub users: PathBuf,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum UserError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    File(#[from] UsersFileError),
    #[error(transparent)]
    Random(#[from] NoRandomNumbers),
    #[error("cannot write the token to {path}: {source}; name a new file in a folder that you can write to", path = path.display())]
    TokenFile { path: PathBuf, source: io::Error },
    #[error("cannot read the password from standard input: {0}")]
    Password(io::Error),
    #[error("{name} was added, but its token could not be printed ({source}): remove it and add it again")]
    TokenLost { name: String, source: io::Error },
    #[error("cannot print: {0}")]
    Print(io::Error),
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl BrokerCommand {
    /// Does it, and gives the exit status: 0 when done, 1 when it failed, 2 for a name, role or region that cannot be. What was
    /// asked for goes to standard output, advice and errors to standard error.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        let command = match self {
            Self::User { command } => command,
            Self::Healthcheck(args) => return health_command::execute(args),
        };
        let outcome = match command {
            UserCommand::Add(args) => add(&args),
            UserCommand::Remove { name, file } => remove(&name, &file.users),
            UserCommand::List { json, file } => list(json, &file.users),
            UserCommand::Export(args) => export(&args).map_err(UserError::from),
        };
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                if matches!(error, UserError::Usage(_)) { ExitCode::from(EXIT_USAGE) } else { ExitCode::FAILURE }
            }
        }
    }
}

fn add(args: &AddArgs) -> Result<(), UserError> {
    // What is wrong with the name is said before anything is asked for.
    new_user(args, Secret::Certificate)?;
    let path = &args.file.users;
    if args.certificate {
        users_file::add(path, &new_user(args, Secret::Certificate)?)?;
    } else if args.password_stdin {
        let user = new_user(args, Secret::of_password(&password(args)?)?)?;
        users_file::add(path, &user)?;
    } else {
        let (token, secret) = Secret::generate()?;
        let user = new_user(args, secret)?;
        match &args.token_file {
            Some(file) => add_with_token_file(path, &user, file, &token)?,
            None => add_and_print(path, &user, &token)?,
        }
    }
    eprintln!("added {} to {}; a broker that runs lets it in within seconds", args.name, path.display());
    Ok(())
}

fn new_user(args: &AddArgs, secret: Secret) -> Result<User, UserError> {
    User::new(&args.name, args.role, args.regions.clone(), secret)
        .map_err(|problem| UserError::Usage(format!("{problem} (--region names regions)")))
}

/// The file of the token first: without it the user would be of no use.
fn add_with_token_file(path: &Path, user: &User, file: &Path, token: &str) -> Result<(), UserError> {
    let failed = |source| UserError::TokenFile { path: file.to_owned(), source };
    users_file::write_token(file, token).map_err(failed)?;
    if let Err(error) = users_file::add(path, user) {
        fs::remove_file(file).map_err(failed)?;
        return Err(error.into());
    }
    Ok(())
}

fn add_and_print(path: &Path, user: &User, token: &str) -> Result<(), UserError> {
    users_file::add(path, user)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{token}")
        .and_then(|()| stdout.flush())
        .map_err(|source| UserError::TokenLost { name: user.name.to_string(), source })?;
    eprintln!("the token is shown this once: keep it in a file that only {} can read", user.name);
    Ok(())
}

fn password(args: &AddArgs) -> Result<Vec<u8>, UserError> {
    if args.role.is_machine() {
        let problem = "agents and ingesters have tokens, which take no time to check: leave out --password-stdin";
        return Err(UserError::Usage(problem.to_owned()));
    }
    if io::stdin().is_terminal() {
        eprintln!("type the password and Enter; it is shown, so rather pipe it from where it is kept");
    }
    let mut text = Vec::new();
    let limit = u64::try_from(MAX_PASSWORD_BYTES).unwrap_or(u64::MAX).saturating_add(3);
    read_line(io::stdin().lock().take(limit), &mut text).map_err(UserError::Password)?;
    if (MIN_PASSWORD_BYTES..=MAX_PASSWORD_BYTES).contains(&text.len()) {
        return Ok(text);
    }
    let problem = format!("the password has {MIN_PASSWORD_BYTES} to {MAX_PASSWORD_BYTES} bytes: give another one");
    Err(UserError::Usage(problem))
}

/// One line, without its end: it is no part of a password that comes from `echo`.
fn read_line(input: impl Read, line: &mut Vec<u8>) -> io::Result<()> {
    io::BufRead::read_until(&mut io::BufReader::new(input), b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        line.pop_if(|last| *last == b'\r');
    }
    Ok(())
}

fn remove(name: &str, path: &Path) -> Result<(), UserError> {
    users_file::remove(path, name)?;
    eprintln!("removed {name} from {}; a broker that runs ends its connections within seconds", path.display());
    Ok(())
}

fn list(json: bool, path: &Path) -> Result<(), UserError> {
    let users = users_file::read(path)?;
    let text = if json { lines(&users) } else { table(&users) };
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        // `| head` has what it wants.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(UserError::Print(error)),
        _ => Ok(()),
    }
}

fn lines(users: &Users) -> String {
    let line = |user: &&User| {
        let User { name, role, regions, secret, disabled } = user;
        let line = json!({
            "name": name, "role": role.name(), "regions": regions, "login": secret.kind(), "disabled": disabled,
        });
        format!("{line}\n")
    };
    users.sorted().iter().map(line).collect()
}

fn table(users: &Users) -> String {
    let heading = ["NAME", "ROLE", "REGIONS", "LOGIN"].map(str::to_owned);
    let row = |user: &User| {
        let login = if user.disabled { "disabled" } else { user.secret.kind() };
        [user.name.to_string(), user.role.to_string(), user.region_list(), login.to_owned()]
    };
    let rows: Vec<_> = std::iter::once(heading).chain(users.sorted().into_iter().map(row)).collect();
    let widths = rows.iter().fold([0; 4], |mut widths, row| {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
        widths
    });
    let line = |row: &[String; 4]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join(GAP).trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users() -> Users {
        let hash = Secret::of_token(b"t").encoded();
        Users::parse(&format!("lane-1 agent north,south {hash}\nanna@example.org operator - !{hash}\nhub ingest * -\n"))
            .unwrap()
    }

    #[test]
    fn a_table_is_aligned_and_has_no_secrets() {
        let expected = "\
NAME              ROLE      REGIONS      LOGIN
anna@example.org  operator  -            disabled
hub               ingest    *            certificate
lane-1            agent     north,south  token
";
        assert_eq!(table(&users()), expected);
    }

    #[test]
    fn json_has_a_line_for_each_user_and_no_secrets() {
        let text = lines(&users());
        let anna = r#"{"disabled":true,"login":"token","name":"anna@example.org","regions":[],"role":"operator"}"#;
        assert_eq!(text.lines().next(), Some(anna));
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains("sha256"));
    }

    #[test]
    fn a_password_ends_with_its_line() {
        for (input, password) in [("a b\n", "a b"), ("a b", "a b"), ("a\r\nb", "a"), ("a\r", "a\r"), ("", "")] {
            let mut line = Vec::new();
            read_line(input.as_bytes(), &mut line).unwrap();
            assert_eq!(line, password.as_bytes());
        }
    }
}
