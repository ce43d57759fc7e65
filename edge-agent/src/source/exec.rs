//! What a command says, line by line: asked at intervals, or as long as it runs.

mod child;

use super::feed::{Feed, FeedSource, Gone};
use super::mapping::{Allowed, Mapping};
use super::{SourceError, mapping};
use crate::durations::Span;
use crate::settings::keys::Keys;
use crate::shape::{ShapeConfig, interval};
use crate::tuning::TuningReader;
use child::{Outcome, run};
use std::time::Duration;
use tokio::time::Instant;

/// How long a command that is asked at intervals may take, unless configured otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The first wait before a command that should go on running is started again.
const RESTART_FIRST: Duration = Duration::from_secs(1);
/// The longest one.
const RESTART_MAX: Duration = Duration::from_secs(60);
/// A command that ran so long was fine: the next wait is the first again.
const STEADY: Duration = Duration::from_secs(60);

/// A command and how it is run.
#[derive(Debug, Clone)]
pub struct ExecConfig {
    /// The program and its arguments; one text is given to `sh -c`.
    pub command: Vec<String>,
    /// How often it is run; none: it runs all the time.
    pub every: Option<Duration>,
    /// With `every`: when it is killed.
    pub timeout: Duration,
    /// What its lines mean.
    pub mapping: Mapping,
}

/// Reads the table of such a source.
pub(crate) fn read(keys: &mut Keys<'_>, shape: &mut ShapeConfig) -> ExecConfig {
    let command = read_command(keys);
    // A command that goes on running is thinned by `every` only when it is told to be.
    let follows = keys.get::<bool>("follow").unwrap_or(false);
    let every =
        if follows {
            None
        } else {
            Some(keys.require::<Span>(
                "every",
                "give how often it is run, or follow = true for a command that goes on running",
            ))
        };
    let every = every.flatten().and_then(|span| interval(keys, "every", span));
    let timeout = keys.get::<Span>("timeout").and_then(|span| interval(keys, "timeout", span)).unwrap_or(TIMEOUT);
    let mapping = mapping::read(keys, Allowed { sensor: "exec", kind: "generic" }, shape);
    ExecConfig { command, every, timeout, mapping }
}

fn read_command(keys: &mut Keys<'_>) -> Vec<String> {
    #[derive(serde::Deserialize)]
    #[serde(untagged, expecting = "a command line, or a list of the program and its arguments")]
    enum Written {
        Line(String),
        Words(Vec<String>),
    }
    let remedy = "give a command line, or a list of the program and its arguments";
    let command = match keys.require::<Written>("command", remedy) {
        Some(Written::Line(line)) if !line.trim().is_empty() => vec!["sh".to_owned(), "-c".to_owned(), line],
        Some(Written::Words(words)) if words.first().is_some_and(|program| !program.is_empty()) => words,
        Some(_) => {
            keys.problem("command", remedy);
            Vec::new()
        }
        None => Vec::new(),
    };
    if command.iter().any(|word| word.contains('\0')) {
        keys.problem("command", "it has a zero byte in it");
    }
    command
}

/// Starts the source.
///
/// # Errors
/// [`SourceError::Runtime`].
pub(crate) fn open(name: &str, config: ExecConfig, tuning: TuningReader) -> Result<FeedSource, SourceError> {
    FeedSource::start(name, move |feed| async move {
        // Gone means that the agent stops: the children were killed when their runs were dropped.
        let Err(Gone) = match config.every {
            Some(every) => ask(&feed, &config, every, &tuning).await,
            None => follow(&feed, &config).await,
        };
        Ok(())
    })
}

async fn ask(
    feed: &Feed,
    config: &ExecConfig,
    every: Duration,
    tuning: &TuningReader,
) -> Result<std::convert::Infallible, Gone> {
    let mut failures = Failures::default();
    loop {
        let began = Instant::now();
        failures.note(feed.name(), &run(feed, config, Some(config.timeout)).await?);
        wait_for_next(began, every, tuning).await;
    }
}

/// Waits until the next run of a polled source, which the operator may bring forward meanwhile.
pub(crate) async fn wait_for_next(began: Instant, every: Duration, tuning: &TuningReader) {
    /// How soon a tuning counts.
    const LOOK_EVERY: Duration = Duration::from_millis(500);
    loop {
        let due = began + tuning.interval(every);
        let now = Instant::now();
        if now >= due {
            return;
        }
        tokio::time::sleep_until(due.min(now + LOOK_EVERY)).await;
    }
}

async fn follow(feed: &Feed, config: &ExecConfig) -> Result<std::convert::Infallible, Gone> {
    let (mut wait, mut failures) = (RESTART_FIRST, Failures::default());
    loop {
        let began = Instant::now();
        let outcome = run(feed, config, None).await?;
        if began.elapsed() >= STEADY {
            wait = RESTART_FIRST;
        }
        failures.note(feed.name(), &outcome);
        tracing::info!(source = feed.name(), seconds = wait.as_secs(), "the command has ended and is started again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RESTART_MAX);
    }
}

/// Tells of failures, the 1st, 10th, 100th time in a row.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    next_shown: u64,
}

impl Failures {
    fn note(&mut self, source: &str, outcome: &Outcome) {
        if let Outcome::Done = outcome {
            if self.count > 0 {
                tracing::info!(source, failures = self.count, "the command works again");
            }
            *self = Self::default();
            return;
        }
        self.count += 1;
        if self.count >= self.next_shown {
            self.next_shown = self.count.saturating_mul(10);
            tracing::warn!(source, failures = self.count, "the command failed: {outcome}");
        }
    }
}

#[cfg(test)]
mod tests;
