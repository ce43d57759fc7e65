//! A process of this same program, which never outlives its handle.

use super::usage::Usage;
use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// How long a start may take on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a stop may take: queue and store write their logs back to their files.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Lines of a log that are shown when its process failed.
const LOG_LINES: usize = 5;

/// A running process. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Child,
    output: Option<Lines<BufReader<ChildStdout>>>,
    log: PathBuf,
}

impl Process {
    /// Starts `fogline WORDS`. Its standard error goes to a log in `folder`.
    ///
    /// # Errors
    /// When the system does not start it.
    pub(crate) fn start(name: impl Into<String>, folder: &Path, words: &[String]) -> anyhow::Result<Self> {
        let name = name.into();
        let log = folder.join(format!("{name}.log"));
        let errors = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command
            .arg("--quiet")
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(errors)
            .kill_on_drop(true);
        // What is set for a site must not change what is measured; but a secret may be nowhere else.
        let set = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let strange =
            set.filter(|name| name == "RUST_LOG" || (name.starts_with("FOGLINE_") && !name.contains("INFLUXDB")));
        for name in strange {
            command.env_remove(name);
        }
        let mut child = command.spawn().with_context(|| format!("cannot start the {name}"))?;
        let output = child.stdout.take().map(|stdout| BufReader::new(stdout).lines());
        Ok(Self { name, child, output, log })
    }

    /// Waits for a line on standard output that begins with `prefix`, and gives the rest of it.
    ///
    /// # Errors
    /// When it ends first, or says nothing in time.
    pub(crate) async fn ready(&mut self, prefix: &str) -> anyhow::Result<String> {
        let read = async {
            let output = self.output.as_mut()?;
            while let Ok(Some(line)) = output.next_line().await {
                if let Some(rest) = line.strip_prefix(prefix) {
                    return Some(rest.to_owned());
                }
            }
            None
        };
        match tokio::time::timeout(READY_WITHIN, read).await {
            Ok(Some(rest)) => Ok(rest),
            Ok(None) => bail!("the {} ended before it was ready{}", self.name, self.last_words()),
            Err(_) => bail!("the {} was not ready within {READY_WITHIN:?}{}", self.name, self.last_words()),
        }
    }

    /// What it has used so far.
    pub(crate) fn usage(&self) -> Usage {
        self.child.id().map(Usage::of).unwrap_or_default()
    }

    /// Fails if it has ended.
    ///
    /// # Errors
    /// With its last words.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the {} ended ({status}){}", self.name, self.last_words()),
        }
    }

    /// Tells it to stop, as a supervisor would.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn terminate(&self) -> anyhow::Result<()> {
        let id = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        match id {
            Some(id) => kill_process(id, Signal::TERM).with_context(|| format!("cannot stop the {}", self.name)),
            // It has ended already.
            None => Ok(()),
        }
    }

    /// Ends it at once: it has no say in it.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.with_context(|| format!("cannot kill the {}", self.name))
    }

    /// Waits until it has ended by itself, for as long as that takes.
    ///
    /// # Errors
    /// When it failed, with its last words.
    pub(crate) async fn done(&mut self) -> anyhow::Result<()> {
        let status = self.child.wait().await?;
        self.succeeded(status)
    }

    /// Tells it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it failed or does not stop, with its last words.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.terminate()?;
        match tokio::time::timeout(STOP_WITHIN, self.child.wait()).await {
            Ok(status) => self.succeeded(status?),
            Err(_) => bail!("the {} did not stop within {STOP_WITHIN:?}{}", self.name, self.last_words()),
        }
    }

    fn succeeded(&self, status: ExitStatus) -> anyhow::Result<()> {
        if status.success() {
            return Ok(());
        }
        bail!("the {} failed ({status}){}", self.name, self.last_words())
    }

    /// The end of its log, if it has one.
    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default();
        if last.is_empty() { String::new() } else { format!(":\n{}", last.join("\n")) }
    }
}
