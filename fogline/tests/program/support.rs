//! Starting the program, and looking for what it may have left behind.

use serde_json::Value;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{Mutex, MutexGuard};

/// On a machine that does much else at the same time.
const DEADLINE: Duration = Duration::from_secs(120);

/// Demos like the same ports, and one that starts beside another may find its port taken between choice and use.
static DEMO: Mutex<()> = Mutex::const_new(());

/// The program, started. It is killed if the test ends before it does.
pub(crate) struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    _alone: Option<MutexGuard<'static, ()>>,
}

impl Program {
    /// `fogline WORDS`, without settings from outside.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_with(words, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_with(words: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit()).kill_on_drop(true);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOGLINE_")) {
            command.env_remove(name);
        }
        command.envs(env.iter().copied());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, _alone: None }
    }

    /// `fogline demo WORDS`, when no other demo runs.
    pub(crate) async fn demo(words: &[&str]) -> Self {
        let alone = Some(DEMO.lock().await);
        Self { _alone: alone, ..Self::start(&[&["demo"], words].concat()) }
    }

    /// The next line of output; none at its end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(DEADLINE, self.lines.next_line()).await.expect("a line in time").unwrap()
    }

    /// The next line, which is JSON.
    pub(crate) async fn json(&mut self) -> Value {
        serde_json::from_str(&self.line().await.expect("a line")).unwrap()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// The rest of its output, and how it ended.
    pub(crate) async fn end(mut self) -> (Vec<String>, ExitStatus) {
        let mut rest = Vec::new();
        while let Some(line) = self.line().await {
            rest.push(line);
        }
        let status = tokio::time::timeout(DEADLINE, self.child.wait()).await.expect("an end in time").unwrap();
        (rest, status)
    }
}

/// Processes on whose command lines the path stands.
pub(crate) fn processes_that_name(path: &Path) -> usize {
    let path = path.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let lines = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(path)).count()
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("{what} in time"));
}
