//! A command that is run when the limit changes.

use super::Limit;
use rustix::process::{Pid, Signal, kill_process_group};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// A command that takes longer shows nothing to anybody: the next limit is more important.
const RUN_MAX: Duration = Duration::from_secs(10);

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("it cannot be started: {0}")]
    Start(std::io::Error),
    #[error("it cannot be waited for: {0}")]
    Wait(std::io::Error),
    #[error("it ended with {0}")]
    Status(ExitStatus),
    #[error("it was killed after 10 s")]
    Killed,
}

/// Runs the command for the limit now, and for each that a driver would see as another one. One at a time: limits that come
/// meanwhile are skipped, but for the newest.
pub(super) async fn run(command: String, mut limits: watch::Receiver<Limit>) {
    let mut shown: Option<Limit> = None;
    let mut failures = Failures::default();
    loop {
        let limit = *limits.borrow_and_update();
        if shown.is_none_or(|shown| !shown.looks_like(&limit)) {
            shown = Some(limit);
            failures.note(execute(&command, limit, RUN_MAX).await);
        }
        if limits.changed().await.is_err() {
            return;
        }
    }
}

/// Counts failures in a row. The 1st, 10th, 100th and so on are logged.
#[derive(Debug, Default)]
struct Failures {
    count: u64,
    next_shown: u64,
}

impl Failures {
    fn note(&mut self, result: Result<(), Failure>) {
        match result {
            Ok(()) if self.count == 0 => {}
            Ok(()) => {
                tracing::info!(failures = self.count, "the command for the limit works again");
                *self = Self::default();
            }
            Err(failure) => {
                self.count += 1;
                if self.count >= self.next_shown {
                    self.next_shown = self.count.saturating_mul(10);
                    tracing::warn!(%failure, failures = self.count, "the command for the limit failed");
                }
            }
        }
    }
}

async fn execute(command: &str, limit: Limit, patience: Duration) -> Result<(), Failure> {
    let until = limit.until_us.map(|us| us.to_string()).unwrap_or_default();
    let child = Command::new("sh")
        .args(["-c", command])
        .env("FOGLINE_LIMIT_KMH", limit.limit_kmh.to_string())
        .env("FOGLINE_LIMIT_DEFAULT", limit.default.to_string())
        .env("FOGLINE_LIMIT_UNTIL_US", until)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // A group of its own, so that what it has started is killed with it.
        .process_group(0)
        .spawn()
        .map_err(Failure::Start)?;
    let mut group = Group(child);
    match tokio::time::timeout(patience, group.0.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(Failure::Status(status)),
        Ok(Err(error)) => Err(Failure::Wait(error)),
        Err(_) => Err(Failure::Killed),
    }
}

/// A shell and what it has started: killed when this is dropped before the shell has ended.
#[derive(Debug)]
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        // None once it has ended: its number may be somebody else's by then.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may end in this moment.
            kill_process_group(pid, Signal::KILL).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    const LIMIT: Limit = Limit { limit_kmh: 80.0, default: false, until_us: Some(7) };

    async fn until_there(path: &Path) -> String {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            match std::fs::read_to_string(path) {
                Ok(text) if text.ends_with('\n') => return text,
                _ => assert!(tokio::time::Instant::now() < deadline, "{} is not written", path.display()),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn file() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shown");
        (folder, path)
    }

    #[tokio::test]
    async fn the_command_finds_the_limit_in_its_environment() {
        let (_folder, path) = file();
        let words = "\"$FOGLINE_LIMIT_KMH $FOGLINE_LIMIT_DEFAULT $FOGLINE_LIMIT_UNTIL_US\"";
        let command = format!("echo {words} >> {}", path.display());
        execute(&command, LIMIT, RUN_MAX).await.unwrap();
        execute(&command, Limit::by_default(130.0), RUN_MAX).await.unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "80 false 7\n130 true \n");
        assert!(
            matches!(execute("exit 3", LIMIT, RUN_MAX).await, Err(Failure::Status(status)) if status.code() == Some(3))
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_what_it_has_started() {
        let (_folder, path) = file();
        let command = format!("sleep 1000 & echo $! > {}; wait", path.display());
        let killed = execute(&command, LIMIT, Duration::from_secs(1)).await;
        assert!(matches!(killed, Err(Failure::Killed)), "{killed:?}");
        let child: i32 = until_there(&path).await.trim().parse().unwrap();
        let child = Pid::from_raw(child).unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        // A zombie that nobody waits for counts as dead.
        let lives = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
            rustix::process::test_kill_process(child).is_ok() && !state.unwrap_or_default().contains(") Z ")
        };
        while lives() {
            assert!(tokio::time::Instant::now() < deadline, "it outlived the shell");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test]
    async fn limits_that_come_while_it_runs_are_skipped_but_for_the_newest() {
        let (folder, path) = file();
        let go = folder.path().join("go");
        let command = format!(
            "echo $FOGLINE_LIMIT_KMH >> {}; while [ ! -e {} ]; do sleep 0.01; done",
            path.display(),
            go.display()
        );
        let limits = watch::Sender::new(LIMIT);
        let runs = tokio::spawn(run(command, limits.subscribe()));
        until_there(&path).await;
        for limit_kmh in [90.0, 100.0, 110.0] {
            limits.send_replace(Limit { limit_kmh, ..LIMIT });
        }
        // A renewed limit looks the same.
        limits.send_replace(Limit { limit_kmh: 110.0, until_us: Some(8), ..LIMIT });
        std::fs::write(&go, "").unwrap();
        drop(limits);
        tokio::time::timeout(Duration::from_secs(20), runs).await.unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "80\n110\n");
    }
}
