//! The two commands that every program has for its file.

use super::{Settings, SettingsError, SettingsFile, print};
use clap::Args;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

/// Exit status for settings that cannot be used, as clap's own for bad flags.
const EXIT_USAGE: u8 = 2;

/// What is done with the settings instead of running.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub struct FileCommand {
    /// Print a complete settings file, with every key explained and its default, and exit; what is given is in it
    #[arg(long, conflicts_with = "check_config")]
    pub print_config: bool,
    /// Say all that is wrong with the settings, each with its line and its remedy, and exit: with 0 when they are good, or 2
    #[arg(long)]
    pub check_config: bool,
}

/// What a command line asks for.
#[derive(Debug)]
pub enum Asked<C> {
    /// To run with this.
    Run(C),
    /// Nothing more: it is done, with this exit status.
    Done(ExitCode),
}

impl FileCommand {
    /// Does what is asked for, unless that is to run. `resolve` gives the configuration in effect.
    pub fn asked<T: Settings + Clone, C>(
        self,
        flags: &T,
        path: Option<&Path>,
        resolve: impl FnOnce() -> Result<C, SettingsError>,
    ) -> Asked<C> {
        if self.print_config {
            return Asked::Done(done(printed(flags, path)));
        }
        match resolve() {
            Ok(_) if self.check_config => Asked::Done(done(Ok("the settings are good\n".to_owned()))),
            Ok(config) => Asked::Run(config),
            Err(error) => Asked::Done(done(Err(error))),
        }
    }
}

/// The file with the flags over it.
fn printed<T: Settings + Clone>(flags: &T, path: Option<&Path>) -> Result<String, SettingsError> {
    let mut file = SettingsFile::<T>::read(path);
    let given = flags.clone().or(std::mem::take(&mut file.settings));
    // An integer may be larger than TOML has.
    let written = toml::Table::try_from(&given);
    let unwritten = written
        .err()
        .map(|error| format!("these settings cannot be written as TOML: {}", error.to_string().trim_end()));
    file.check(flags, unwritten.into_iter().collect()).map(|()| print(&given))
}

fn done(outcome: Result<String, SettingsError>) -> ExitCode {
    match outcome {
        Ok(text) => say(&text),
        Err(error) => {
            for problem in error.problems() {
                eprintln!("error: {problem}");
            }
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn say(text: &str) -> ExitCode {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot print: {error}");
            ExitCode::FAILURE
        }
    }
}
