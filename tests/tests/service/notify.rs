//! What a service manager hears of real processes.

use fogline_tests::real::{Program, Recipe};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The programs beat four times within it.
const WATCHDOG: Duration = Duration::from_secs(2);
/// Longer than a program takes to start, or to stop, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Without a word for so long the manager would have struck, several times over.
const SILENCE: Duration = Duration::from_secs(6);

/// In the place of the service manager.
struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        Self { socket, folder }
    }

    fn starts(&self, recipe: Recipe) -> Program {
        let socket = self.folder.path().join("notify").into_os_string();
        let recipe = recipe.env("NOTIFY_SOCKET", socket).env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
        Program::start(recipe)
    }

    /// The next message within this time.
    fn hears(&self, within: Duration) -> Option<String> {
        let mut bytes = [0; 4096];
        self.socket.set_read_timeout(Some(within)).unwrap();
        let length = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8(bytes[..length].to_vec()).unwrap())
    }

    /// Waits for a message with this line; gives the message.
    fn waits_for(&self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            let message = self.hears(left).unwrap_or_else(|| panic!("no {line}"));
            if message.lines().any(|said| said.starts_with(line)) {
                return message;
            }
        }
    }

    /// Waits until nothing more is on its way, and hears nothing for a while then.
    fn hears_nothing(&self) {
        while self.hears(Duration::from_millis(50)).is_some() {}
        assert_eq!(self.hears(SILENCE), None);
    }
}

fn lives(recipe: impl Fn(&Path) -> Recipe) {
    let manager = Manager::new();
    let mut program = manager.starts(recipe(manager.folder.path()));
    assert!(manager.waits_for("READY=1").contains("STATUS="));
    manager.waits_for("WATCHDOG=1");
    // A loop that does not turn says nothing.
    program.pause();
    manager.hears_nothing();
    program.resume();
    manager.waits_for("WATCHDOG=1");
    program.signal(rustix::process::Signal::HUP);
    assert!(manager.waits_for("RELOADING=1").contains("MONOTONIC_USEC="));
    manager.waits_for("READY=1");
    program.signal(rustix::process::Signal::TERM);
    manager.waits_for("STOPPING=1");
    assert!(program.ended().success());
}

#[test]
fn of_a_broker() {
    lives(|_| Recipe::ours("fogline-broker").args(["--listen", "127.0.0.1:0", "--watchdog-interval-ms", "300"]));
}

#[test]
fn of_an_ingester() {
    lives(|folder| {
        let flags = ["--broker", "127.0.0.1:9", "--http", "127.0.0.1:0", "--data-dir"];
        Recipe::ours("fogline-ingest").args(flags).arg(folder.join("data"))
    });
}

#[test]
fn of_an_agent() {
    lives(|folder| {
        let flags = ["run", "--broker", "127.0.0.1:9", "--source", "none", "--data-dir"];
        Recipe::ours("fogline-agent").args(flags).arg(folder.join("data"))
    });
}
