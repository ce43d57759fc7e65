//! `fogline-broker user export`: the same users for another broker.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use crate::{
    access::{
        AccessConfig,
        export::{self, mosquitto, nats},
        rules::Rules,
        users::User,
        users_file::{read_bounded, replace},
    },
    user_command::UsersArg,
};

/// A token has 64 bytes and a line's end; what is no token is larger.
const MAX_TOKEN_BYTES: u64 = 1024;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[non_exhaustive]
pub enum OtherBroker {
    /// Eclipse Mosquitto: the files `acl` and `passwords`; then run `mosquitto_passwd -U passwords`
    Mosquitto,
    /// NATS: the file `users.conf`, to be included in its configuration
    Nats,
}

/// What is exported, and where to.
#[derive(Debug, Args)]
#[non_exhaustive]
pub struct ExportArgs {
    /// Which broker
    pub broker: OtherBroker,
    /// The folder of the tokens: that of lane-1 is in lane-1.token, as from `user add lane-1 --token-file`
    #[arg(long, value_name = "FOLDER")]
    pub tokens: PathBuf,
    /// Write into this folder, which must be there; files are replaced, for their owner only
    #[arg(long, value_name = "FOLDER")]
    pub to: PathBuf,
    /// Rules on top of the built-in ones
    #[arg(long, value_name = "FILE", env = "FOGLINE_BROKER_RULES")]
    pub rules: Option<PathBuf>,
    /// The file of users.
    #[command(flatten)]
    pub file: UsersArg,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    /// What is wrong in the files of users and rules, or what the other broker cannot be told.
    #[error("{}", .0.join("\n       "))]
    Problems(Vec<String>),
    /// A file cannot be read or written.
    #[error("{path}: {source}; name folders that you can read and write", path = path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Does it. Who has no token is left out of the passwords, and named on standard error.
pub(crate) fn export(args: &ExportArgs) -> Result<(), ExportError> {
    let config = AccessConfig { users: Some(args.file.users.clone()), rules: args.rules.clone() };
    let (users, rules) = export::read(&config).map_err(ExportError::Problems)?;
    let tokens = users.iter().map(|user| token(&args.tokens, user)).collect::<Result<Vec<_>, _>>()?;
    let token =
        |user: &User| tokens.iter().flatten().find(|(name, _)| *name == user.name).map(|(_, token)| token.clone());
    match args.broker {
        OtherBroker::Mosquitto => for_mosquitto(&args.to, &users, &rules, token)?,
        OtherBroker::Nats => {
            let text = nats::users(&users, &rules, token).map_err(ExportError::Problems)?;
            write(&args.to.join("users.conf"), &text)?;
        }
    }
    for (user, _) in users.iter().zip(&tokens).filter(|(_, token)| token.is_none()) {
        let file = token_file(&args.tokens, user);
        eprintln!("{} cannot log in there: there is no {}", user.name, file.display());
    }
    Ok(())
}

fn for_mosquitto(
    folder: &Path,
    users: &[User],
    rules: &Rules,
    token: impl Fn(&User) -> Option<String>,
) -> Result<(), ExportError> {
    let acl = mosquitto::acl(users, rules).map_err(ExportError::Problems)?;
    let line = |user: &User| Some(format!("{}:{}\n", user.name, token(user)?));
    let passwords: String = users.iter().filter_map(line).collect();
    write(&folder.join("acl"), &acl)?;
    let path = folder.join("passwords");
    write(&path, &passwords)?;
    eprintln!("now run: mosquitto_passwd -U {}", path.display());
    Ok(())
}

/// The user's name and token, if there is one.
fn token(folder: &Path, user: &User) -> Result<Option<(Box<str>, String)>, ExportError> {
    let path = token_file(folder, user);
    match read_bounded(&path, MAX_TOKEN_BYTES) {
        Ok(text) => checked(text.trim_end(), &path).map(|token| Some((user.name.clone(), token))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ExportError::Io { path, source }),
    }
}

fn token_file(folder: &Path, user: &User) -> PathBuf {
    folder.join(format!("{}.token", user.name))
}

/// What would mean something else in a file of lines or between quotes is no token of ours.
fn checked(token: &str, path: &Path) -> Result<String, ExportError> {
    if !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && !b":\"\\$".contains(&byte)) {
        return Ok(token.to_owned());
    }
    let problem = format!("{}: no token: it is one word without : \" \\ $", path.display());
    Err(ExportError::Problems(vec![problem]))
}

fn write(path: &Path, text: &str) -> Result<(), ExportError> {
    let failed = |source| ExportError::Io { path: path.to_owned(), source };
    if fs::metadata(path).is_ok_and(|metadata| metadata.is_dir()) {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    replace(path, text).map_err(failed)?;
    eprintln!("wrote {}", path.display());
    Ok(())
}
