//! Logs on standard error: text on a terminal, JSON lines otherwise.

use clap::{ArgAction, Args};
use std::io::{self, IsTerminal};
use tracing_subscriber::EnvFilter;

/// How much to log.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LogArgs {
    /// Log more; twice for everything
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Log warnings and errors only; twice for errors only
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub quiet: u8,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// `RUST_LOG` is not a filter: correct it or unset it.
    #[error("RUST_LOG: {0}; give a filter such as info or fogline_agent=debug, or unset it")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The program has set up logging already.
    #[error("logging is set up twice: {0}")]
    Twice(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl LogArgs {
    /// Sends the program's logs to standard error. `-v` and `-q` go before `RUST_LOG`; `NO_COLOR` is respected.
    ///
    /// # Errors
    /// [`LogError`] says which of the two things went wrong.
    pub fn init(self) -> Result<(), LogError> {
        let terminal = io::stderr().is_terminal();
        let color = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let log = tracing_subscriber::fmt().with_env_filter(self.filter()?).with_writer(io::stderr).with_ansi(color);
        if terminal { log.try_init() } else { log.json().try_init() }.map_err(LogError::Twice)
    }

    fn filter(self) -> Result<EnvFilter, tracing_subscriber::filter::ParseError> {
        match std::env::var("RUST_LOG") {
            Ok(filter) if self.verbose == 0 && self.quiet == 0 && !filter.is_empty() => EnvFilter::try_new(filter),
            _ => EnvFilter::try_new(self.directives()),
        }
    }

    /// The libraries below speak of every packet: they are heard only on request.
    const fn directives(self) -> &'static str {
        match (self.quiet, self.verbose) {
            (0, 0) => "info,rumqttd=off,rumqttc=warn",
            (0, 1) => "debug,rumqttd=warn,rumqttc=info",
            (0, _) => "trace,rumqttd=info",
            (1, _) => "warn,rumqttd=off,rumqttc=off",
            _ => "error,rumqttd=off,rumqttc=off",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter() {
        for (verbose, quiet) in [(0, 0), (1, 0), (2, 0), (9, 0), (0, 1), (0, 2), (0, 9)] {
            assert!(EnvFilter::try_new(LogArgs { verbose, quiet }.directives()).is_ok());
        }
    }
}
