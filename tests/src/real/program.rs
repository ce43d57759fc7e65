//! A real process.

use super::output::Output;
use super::wait::until;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// How a program is started, again and again.
#[derive(Debug, Clone)]
pub struct Recipe {
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(&'static str, OsString)>,
    folder: Option<PathBuf>,
    input: Option<PathBuf>,
    ready: Option<&'static str>,
}

impl Recipe {
    /// A program of this machine.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), args: Vec::new(), env: Vec::new(), folder: None, input: None, ready: None }
    }

    /// A program of this workspace: `fogline-broker`, for example.
    #[must_use]
    pub fn ours(name: &str) -> Self {
        Self::new(built(name))
    }

    /// With one more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// With more arguments.
    #[must_use]
    pub fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// With a variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    /// In this working directory.
    #[must_use]
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Reads this file as its standard input; otherwise there is none.
    #[must_use]
    pub fn input(mut self, file: &Path) -> Self {
        self.input = Some(file.to_owned());
        self
    }

    /// It is ready when it has said a line with this in it.
    #[must_use]
    pub fn ready_when(mut self, part: &'static str) -> Self {
        self.ready = Some(part);
        self
    }

    /// Runs it to its end: status and output.
    #[must_use]
    pub fn run(&self) -> (ExitStatus, String) {
        let mut program = Program::start(Self { ready: None, ..self.clone() });
        let status = program.ended();
        (status, program.output().whole())
    }

    /// Runs it to its end, which must be a success.
    pub fn succeed(&self) {
        let (status, output) = self.run();
        assert!(status.success(), "{output}");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let input = self.input.as_ref().map_or_else(Stdio::null, |file| Stdio::from(File::open(file).unwrap()));
        command.args(&self.args).stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        // Whatever whoever runs the tests has set for programs of their own.
        let ours = |name: &OsString| name.to_string_lossy().starts_with("FOGLINE_") || name == "RUST_LOG";
        std::env::vars_os().map(|(name, _)| name).filter(ours).for_each(|name| {
            command.env_remove(name);
        });
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    fn name(&self) -> String {
        self.program.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// The programs are built beside the tests, as binaries of this package: never older than the test that starts them.
fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join(format!("tested-{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(program.exists(), "{} is not built: run cargo test -p fogline-tests", program.display());
    program
}

/// A running process, or one that was and can be started again. Killed when dropped; when a test fails, what it said is
/// shown.
#[derive(Debug)]
pub struct Program {
    recipe: Recipe,
    child: Child,
    output: Output,
    ready_line: String,
}

impl Program {
    /// Starts it, and waits until it is ready.
    #[must_use]
    pub fn start(recipe: Recipe) -> Self {
        let (child, output) = spawn(&recipe);
        let mut program = Self { recipe, child, output, ready_line: String::new() };
        program.wait_until_ready();
        program
    }

    /// Starts it again with the same arguments, and waits until it is ready. It must have ended.
    pub fn restart(&mut self) {
        assert!(self.child.try_wait().unwrap().is_some(), "{} still runs", self.recipe.name());
        (self.child, self.output) = spawn(&self.recipe);
        self.wait_until_ready();
    }

    /// Ends it by SIGKILL: it has no say in it.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it by SIGTERM.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Stops it where it is, by SIGSTOP: its connections stay, and it says nothing. Killed when dropped all the same.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after a pause: for it no time has passed but on the clocks.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Sends it a signal. It must run.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub fn ended(&mut self) -> ExitStatus {
        until(&format!("the end of {}", self.recipe.name()), || self.child.try_wait().unwrap())
    }

    /// Its status if it has ended.
    pub fn try_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said since it was started last.
    #[must_use]
    pub const fn output(&self) -> &Output {
        &self.output
    }

    /// The line with which it said that it is ready.
    #[must_use]
    pub fn ready_line(&self) -> &str {
        &self.ready_line
    }

    fn wait_until_ready(&mut self) {
        if let Some(part) = self.recipe.ready {
            let line = self.output.line_where(part, |line| line.contains(part));
            self.ready_line = line.unwrap_or_else(|| panic!("{} ended before it was ready", self.recipe.name()));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("--- {} said:\n{}", self.recipe.name(), self.output.text());
        }
    }
}

fn spawn(recipe: &Recipe) -> (Child, Output) {
    let mut child = recipe.command().spawn().unwrap_or_else(|error| panic!("{}: {error}", recipe.program.display()));
    let output = Output::default();
    output.read(child.stdout.take().unwrap());
    output.read(child.stderr.take().unwrap());
    (child, output)
}
