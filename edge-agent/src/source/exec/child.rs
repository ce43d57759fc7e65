//! One run of a command: its lines, its errors, its end.

use super::ExecConfig;
use crate::source::async_lines::{AsyncLines, TextLine};
use crate::source::collector::OFFER_READINGS_MAX;
use crate::source::feed::{Feed, Gone};
use fogline_protocol::reading::Readings;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fmt;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

/// Lines of a run's standard error that are logged; the others are counted.
const ERROR_LINES_MAX: u64 = 10;
/// How much of each is.
const ERROR_CHARS_MAX: usize = 200;

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With status 0.
    Done,
    /// It could not be started.
    Start(String),
    /// With another status, or by a signal.
    Status(String),
    /// It was killed, because it took too long.
    Killed(Duration),
    /// Its pipe broke.
    Pipe(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => write!(f, "it ended"),
            Self::Start(error) => write!(f, "it cannot be started: {error}"),
            Self::Status(status) => write!(f, "it ended with {status}"),
            Self::Killed(after) => write!(f, "it was killed after {} s", after.as_secs_f64()),
            Self::Pipe(error) => write!(f, "its output cannot be read: {error}"),
        }
    }
}

/// Runs the command once, and gives what it says. Dropped, it kills the command and all that is in its process group.
pub(super) async fn run(feed: &Feed, config: &ExecConfig, timeout: Option<Duration>) -> Result<Outcome, Gone> {
    let Some((program, arguments)) = config.command.split_first() else {
        return Ok(Outcome::Start("there is no command".to_owned()));
    };
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // A group of its own, so that what it has started is killed with it.
        .process_group(0)
        .spawn();
    let child = match spawned {
        Ok(child) => child,
        Err(error) => return Ok(Outcome::Start(error.to_string())),
    };
    let mut group = Group::new(child);
    let (output, errors) = (group.child.stdout.take(), group.child.stderr.take());
    let listened = async { tokio::join!(listen(feed, config, output), complain(feed.name(), errors)).0 };
    let ended = async {
        // What it has started may hold its pipes open: it is over when it has ended itself, and its pipes a moment later.
        let listened = listened.await?;
        Ok((listened, group.child.wait().await))
    };
    let ended = match timeout {
        Some(patience) => match tokio::time::timeout(patience, ended).await {
            Ok(ended) => ended?,
            Err(_) => return Ok(Outcome::Killed(patience)),
        },
        None => ended.await?,
    };
    Ok(match ended {
        (Err(error), _) | (_, Err(error)) => Outcome::Pipe(error.to_string()),
        (Ok(()), Ok(status)) if status.success() => Outcome::Done,
        (Ok(()), Ok(status)) => Outcome::Status(status.to_string()),
    })
}

async fn listen(feed: &Feed, config: &ExecConfig, output: Option<ChildStdout>) -> Result<std::io::Result<()>, Gone> {
    let Some(output) = output else { return Ok(Ok(())) };
    let mut lines = AsyncLines::new(output);
    loop {
        let more = match lines.fill().await {
            Ok(more) => more,
            Err(error) => return Ok(Err(error)),
        };
        let mut readings = Readings::new();
        while let Some(line) = lines.pop() {
            take(feed, config, &line, &mut readings);
            if readings.len() >= OFFER_READINGS_MAX {
                feed.give_readings(std::mem::take(&mut readings)).await?;
            }
        }
        if !more && let Some(line) = lines.rest() {
            take(feed, config, &line, &mut readings);
        }
        feed.give_readings(readings).await?;
        if !more {
            return Ok(Ok(()));
        }
    }
}

fn take(feed: &Feed, config: &ExecConfig, line: &TextLine, into: &mut Readings) {
    match line {
        TextLine::TooLong => feed.skip(b"", &"the line is too long"),
        TextLine::Whole(text) if text.trim_ascii().is_empty() => {}
        TextLine::Whole(text) => {
            if let Err(error) = config.mapping.map(text, &[], feed.wall(), into) {
                feed.skip(text, &error);
            }
        }
    }
}

/// Logs the first lines of what it complains about.
async fn complain(source: &str, errors: Option<ChildStderr>) {
    let Some(errors) = errors else { return };
    let (mut lines, mut count) = (AsyncLines::new(errors), 0_u64);
    while let Ok(true) = lines.fill().await {
        while let Some(line) = lines.pop() {
            count += 1;
            if count <= ERROR_LINES_MAX {
                let TextLine::Whole(text) = line else { continue };
                let text: String = String::from_utf8_lossy(&text).chars().take(ERROR_CHARS_MAX).collect();
                tracing::warn!(source, text = %text.escape_debug(), "the command complains");
            }
        }
    }
    if count > ERROR_LINES_MAX {
        tracing::warn!(source, lines = count - ERROR_LINES_MAX, "the command complained further");
    }
}

/// A running command, which does not outlive this value.
#[derive(Debug)]
struct Group {
    child: Child,
    /// Its group, which may live on when the command has ended.
    pid: Option<Pid>,
}

impl Group {
    fn new(child: Child) -> Self {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, pid }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // None once it has ended: its number may be somebody else's by then.
        if let Some(pid) = self.pid.filter(|_| self.child.id().is_some()) {
            // It may end in this moment.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}
