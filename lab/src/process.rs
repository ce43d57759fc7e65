//! A real process of the run: started, struck, ended by its id, never by its name.

use crate::LabError;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// How a program is started, again and again.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    name: String,
    program: PathBuf,
    before: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    log: PathBuf,
    fed: bool,
}

impl Recipe {
    /// A program that is called `name` in this run and says what it has to say in `log`.
    pub(crate) fn new(name: &str, program: impl Into<PathBuf>, log: PathBuf) -> Self {
        let (before, args, env) = (Vec::new(), Vec::new(), Vec::new());
        Self { name: name.to_owned(), program: program.into(), before, args, env, log, fed: false }
    }

    /// With more arguments.
    pub(crate) fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With a variable in its environment.
    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Started by another program, which becomes this one: the process id stays the same.
    pub(crate) fn within<S: Into<OsString>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.before = words.into_iter().map(Into::into).collect();
        self
    }

    /// Somebody will write to its standard input.
    pub(crate) fn fed(mut self) -> Self {
        self.fed = true;
        self
    }

    fn command(&self, log: File) -> std::io::Result<Command> {
        let mut words = self.before.iter().cloned().chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).args(&self.args);
        command.stdin(if self.fed { Stdio::piped() } else { Stdio::null() });
        command.stdout(log.try_clone()?).stderr(log);
        // A Ctrl-C at the terminal is for the lab, which ends them in its own order.
        command.process_group(0);
        let foreign = |name: &OsString| name.to_string_lossy().starts_with("FOGLINE_") || name == "RUST_LOG";
        std::env::vars_os().map(|(name, _)| name).filter(foreign).for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}

/// A process, or one that was and can be started again. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    recipe: Recipe,
    child: Option<Child>,
}

impl Program {
    /// One that does not run yet.
    pub(crate) fn new(recipe: Recipe) -> Self {
        Self { recipe, child: None }
    }

    /// What it is called in this run.
    pub(crate) fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Where it says what it has to say.
    pub(crate) fn log(&self) -> &Path {
        &self.recipe.log
    }

    /// Whether it was started and not ended by the lab.
    pub(crate) fn is_up(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it, unless it runs. Gives its standard input when that is to be fed.
    pub(crate) fn start(&mut self) -> Result<Option<ChildStdin>, LabError> {
        if self.child.is_some() {
            return Ok(None);
        }
        let failed = |error: std::io::Error| LabError::Program {
            program: self.recipe.name.clone(),
            cause: format!("cannot be started: {error}"),
            log: self.recipe.log.clone(),
        };
        let log = File::options().create(true).append(true).open(&self.recipe.log);
        let mut log = log.map_err(|error| LabError::file(&self.recipe.log, &error))?;
        // Its incarnations share a log; a mark between them helps whoever reads it.
        writeln!(log, "--- {} is started", self.recipe.name)
            .map_err(|error| LabError::file(&self.recipe.log, &error))?;
        let mut child = self.recipe.command(log).and_then(|mut command| command.spawn()).map_err(failed)?;
        let stdin = child.stdin.take();
        self.child = Some(child);
        Ok(stdin)
    }

    /// Ends it by SIGKILL and waits for that: it has no say in it. False when it was down already.
    pub(crate) fn kill(&mut self) -> bool {
        let Some(mut child) = self.child.take() else { return false };
        // It may have ended by itself.
        child.kill().ok();
        child.wait().ok();
        true
    }

    /// Asks it to end, by SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Holds it, by SIGSTOP. False when it is down.
    pub(crate) fn hold(&self) -> bool {
        self.signal(Signal::STOP)
    }

    /// Lets it go on, by SIGCONT.
    pub(crate) fn let_go(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) -> bool {
        let pid = self.child.as_ref().and_then(|child| i32::try_from(child.id()).ok()).and_then(Pid::from_raw);
        // Not waited for yet, so the id is still its own.
        pid.is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Whether it has ended by itself, or as it was asked to. It counts as down from then on.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().ok()??;
        self.child = None;
        Some(status)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The most lines of a log that are quoted.
const QUOTED_MAX: usize = 5;

/// The first lines of a log that have `part` in them. A log that cannot be read has none.
pub(crate) fn lines_with(log: &Path, part: &str) -> Vec<String> {
    let Ok(file) = File::open(log) else { return Vec::new() };
    let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
    let lines = lines.map(|line| String::from_utf8_lossy(&line).into_owned());
    lines.filter(|line| line.contains(part)).take(QUOTED_MAX).collect()
}

/// The end of a process for a person.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "an unknown end".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn sleeper(folder: &Path) -> Program {
        Program::new(Recipe::new("sleeper", "sleep", folder.join("log")).args(["100"]))
    }

    #[test]
    fn what_was_started_is_gone_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = sleeper(folder.path());
        program.start().unwrap();
        let pid = program.child.as_ref().unwrap().id();
        assert!(program.hold(), "a held process is killed too");
        drop(program);
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn an_end_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let mut program = sleeper(folder.path());
        program.start().unwrap();
        program.terminate();
        let deadline = Instant::now() + Duration::from_secs(10);
        let status = loop {
            if let Some(status) = program.ended() {
                break status;
            }
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!((describe(status).as_str(), program.is_up()), ("signal 15", false));
    }
}
