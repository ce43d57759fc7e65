//! Logs on standard error, the same for every program: text on a terminal, JSON lines otherwise, or as `--log-format` says.
//!
//! An event is one line, whatever is in its values. The same event again and again is said a few times, then counted, and the count said
//! once in a while (`storm`): a fault that lasts must not fill a disk, or hide another one.

mod line;
mod setting;
mod storm;

use clap::{ArgAction, Args, ValueEnum};
use line::OneLine;
pub use setting::{apply, check};
use std::env;
use std::error::Error;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};
pub use storm::Storm;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// For machines: an object a line
    Json,
}

/// How much to log, and how.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct LogArgs {
    /// Log more; twice for everything
    #[arg(short, long, action = ArgAction::Count, global = true, conflicts_with = "quiet")]
    pub verbose: u8,
    /// Log warnings and errors only; twice for errors only
    #[arg(short, long, action = ArgAction::Count, global = true)]
    pub quiet: u8,
    /// How logs look [default: text on a terminal, json elsewhere]
    #[arg(long, value_enum, global = true, value_name = "FORMAT", env = "FOGLINE_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// `RUST_LOG` is not a filter: correct it or unset it.
    #[error("RUST_LOG: {0}; give a filter such as info or fogline_broker=debug, or unset it")]
    Filter(#[from] ParseError),
    /// The program has set up logging already: call this once.
    #[error("logging is set up twice: {0}")]
    Twice(#[source] Box<dyn Error + Send + Sync>),
}

impl LogArgs {
    /// Sends the program's logs to standard error. `-v` and `-q` go before `RUST_LOG`, and both before the settings ([`apply`]);
    /// `NO_COLOR` is respected.
    ///
    /// # Errors
    /// [`LogError::Filter`] if `RUST_LOG` is needed and cannot be read, [`LogError::Twice`] if logs go somewhere already.
    pub fn init(self) -> Result<(), LogError> {
        let terminal = io::stderr().is_terminal();
        let color = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let format = self.log_format.unwrap_or(if terminal { LogFormat::Text } else { LogFormat::Json });
        let lines = lines(format, color, io::stderr);
        let storm = Storm::new();
        let (filter, replace) = reload::Layer::new(self.filter()?);
        Registry::default()
            .with(filter)
            .with(lines)
            .with(storm.layer())
            .try_init()
            .map_err(|error| LogError::Twice(error.into()))?;
        storm.say_from_now_on();
        if !self.says_how_much() && Self::environment().is_none() {
            // Logging is set up once, or it was an error.
            setting::REPLACE.set(replace).ok();
        }
        Ok(())
    }

    fn filter(self) -> Result<EnvFilter, ParseError> {
        match Self::environment() {
            Some(filter) if !self.says_how_much() => EnvFilter::try_new(filter),
            _ => EnvFilter::try_new(self.directives()),
        }
    }

    const fn says_how_much(self) -> bool {
        self.verbose > 0 || self.quiet > 0
    }

    fn environment() -> Option<String> {
        env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty())
    }

    /// The libraries below speak of every packet, and rumqttd calls it an error when a client goes away: they are heard only on
    /// request.
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

/// Sends text logs to a file, for a program whose screen shows something else. `directives` say how much, unless `RUST_LOG` does.
///
/// # Errors
/// As [`LogArgs::init`].
pub fn to_file(file: std::fs::File, directives: &str) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(LogArgs::environment().as_deref().unwrap_or(directives))?;
    let file = Arc::new(Mutex::new(file));
    let storm = Storm::new();
    Registry::default()
        .with(filter)
        .with(lines(LogFormat::Text, false, move || Shared(Arc::clone(&file))))
        .with(storm.layer())
        .try_init()
        .map_err(|error| LogError::Twice(error.into()))?;
    storm.say_from_now_on();
    Ok(())
}

/// A file that threads take turns with.
struct Shared(Arc<Mutex<std::fs::File>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).flush()
    }
}

type Lines<S> = Box<dyn Layer<S> + Send + Sync>;

fn lines<S, W, M>(format: LogFormat, color: bool, writer: M) -> Lines<S>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: Write,
    M: Fn() -> W + Send + Sync + 'static,
    OneLine<M>: for<'w> MakeWriter<'w>,
{
    let lines = fmt::layer().with_writer(OneLine::new(writer)).with_ansi(color);
    match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_a_filter() {
        for (verbose, quiet) in [(0, 0), (1, 0), (2, 0), (9, 0), (0, 1), (0, 2), (0, 9)] {
            let args = LogArgs { verbose, quiet, log_format: None };
            assert!(EnvFilter::try_new(args.directives()).is_ok());
        }
    }

    /// What `log` writes, and what is said of repeats after a minute.
    fn written(format: LogFormat, log: impl FnOnce()) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let file = Arc::new(Mutex::new(std::fs::File::create(&path).unwrap()));
        let storm = Storm::new();
        let all = Registry::default().with(lines(format, false, move || Shared(Arc::clone(&file)))).with(storm.layer());
        tracing::subscriber::with_default(all, || {
            log();
            storm.say_due(std::time::Instant::now() + std::time::Duration::from_secs(60));
        });
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn ten_thousand_equal_warnings_are_a_few_lines_and_a_count() {
        let lines = written(LogFormat::Json, || {
            for _ in 0..10_000 {
                tracing::warn!(broker = "a:1883", "cannot connect");
            }
        });
        assert_eq!(lines.len(), 6, "{lines:#?}");
        let last: serde_json::Value = serde_json::from_str(&lines[5]).unwrap();
        assert_eq!((&last["level"], &last["fields"]["repeated"]), (&"WARN".into(), &9_995.into()), "{last}");
        assert!(lines[5].contains("9995 more like this") && lines[5].contains("cannot connect"), "{last}");
    }

    #[test]
    fn different_ones_are_all_said_also_between_equal_ones() {
        let lines = written(LogFormat::Text, || {
            for number in 0..3_000 {
                tracing::warn!(number, "different");
                tracing::warn!("equal");
            }
        });
        assert_eq!(lines.iter().filter(|line| line.contains("different")).count(), 3_000);
        assert_eq!(lines.iter().filter(|line| line.ends_with(" equal")).count(), 5);
        assert!(lines.last().unwrap().contains("2995 more like this"), "{:?}", lines.last());
    }

    #[test]
    fn an_event_is_one_line_whatever_is_in_it() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let lines = written(format, || tracing::error!(error = %"a\nb\r\nc", "it\nfailed"));
            assert_eq!(lines.len(), 1, "{lines:?}");
            assert!(lines[0].contains(r"a\nb\r\nc"), "{lines:?}");
        }
    }
}
