//! `fogline top` in a terminal of its own, beside a site that runs.

use super::support::{Program, until};
use serde_json::Value;
use std::process::{Command, Output};

fn fogline(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fogline")).args(words).output().unwrap()
}

async fn site(folder: &std::path::Path) -> (Vec<Program>, String) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut broker = Program::start(&["broker", "--listen", "127.0.0.1:0"]);
    let address = broker.line().await.unwrap().rsplit(' ').next().unwrap().to_owned();
    let mut ingester =
        Program::start(&["ingest", "--broker", &address, "--http", "127.0.0.1:0", "--data-dir", &path("i")]);
    let url = ingester.line().await.unwrap().rsplit(' ').next().unwrap().to_owned();
    let mut all = vec![broker, ingester];
    for (name, region) in [("lane-1", "north"), ("lane-2", "south")] {
        let who = ["agent", "run", "--region", region, "--name", name, "--broker", &address, "--data-dir", &path(name)];
        all.push(Program::start(&[&who[..], &["--source", "simulate", "--kind", "road", "--rate", "20"]].concat()));
    }
    let stored = || {
        let output = fogline(&["top", "--once", "--json", "--api", &url]);
        let fleet: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let agents = fleet["agents"].as_array().cloned().unwrap_or_default();
        agents.len() == 2 && agents.iter().all(|agent| agent["per_s"].as_f64() > Some(0.0) && agent["online"] == true)
    };
    until("both agents are shown with their rates", stored).await;
    (all, url)
}

#[tokio::test]
async fn one_table_is_for_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let (_site, url) = site(folder.path()).await;
    let output = fogline(&["top", "--once", "--api", &url]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("agent ") && lines[1].starts_with("north/lane-1"), "{text}");
    assert!(lines[2].starts_with("south/lane-2") && lines.len() == 3 && !text.contains('\x1b'), "{text}");
    let output = fogline(&["top", "--once", "--api", "http://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A tmux server of this test alone.
struct Terminal {
    socket: String,
}

impl Terminal {
    fn start(command: &str, socket: String) -> Option<Self> {
        let terminal = Self { socket };
        let started = terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "20", command]);
        if started.is_none_or(|output| !output.status.success()) {
            let required = std::env::var("FOGLINE_REQUIRE_SERVICES").is_ok_and(|value| value == "1");
            assert!(!required, "tmux is required (FOGLINE_REQUIRE_SERVICES=1) and not installed: apt-get install tmux");
            eprintln!("skipped: tmux is not installed");
            return None;
        }
        Some(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Option<Output> {
        Command::new("tmux").args(["-S", &self.socket]).args(words).env_remove("TMUX").output().ok()
    }

    fn keys(&self, keys: &str) {
        self.tmux(&["send-keys", keys]);
    }

    fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]);
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    }

    async fn shows(&self, words: &str) {
        until(&format!("the screen shows {words:?}"), || self.screen().contains(words)).await;
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[tokio::test]
async fn a_terminal_shows_it_obeys_keys_and_is_left_clean() {
    let folder = tempfile::tempdir().unwrap();
    let (mut site, url) = site(folder.path()).await;
    let program = env!("CARGO_BIN_EXE_fogline");
    // What the terminal is set to is compared before and after; and it stays for a look.
    let command = format!(
        "stty -a > {0}/before; {program} top --every 1 --api {url}; echo \"ended with $?\"; stty -a > {0}/after; sleep 600",
        folder.path().display()
    );
    let socket = folder.path().join("tmux").to_str().unwrap().to_owned();
    let Some(terminal) = Terminal::start(&command, socket) else { return };
    terminal.shows("all regions: 2 of 2 agents online").await;
    terminal.shows("north/lane-1").await;
    terminal.shows("ingest-1: ingest-1 leads").await;
    terminal.keys("f");
    terminal.shows("north: 1 of 1 agents").await;
    terminal.keys("Enter");
    terminal.shows("dealt with in 1 streams").await;
    terminal.tmux(&["resize-window", "-x", "70", "-y", "12"]);
    terminal.keys("h");
    terminal.shows("order by lag").await;
    terminal.keys("h");
    site.remove(1).signal(rustix::process::Signal::KILL);
    terminal.shows(" ago: ").await;
    terminal.keys("C-c");
    terminal.shows("ended with 0").await;
    let settings = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap_or_default();
    until("the terminal's settings are read again", || settings("after").lines().count() > 2).await;
    let without_size = |text: String| text.split_once("columns").map(|(_, rest)| rest.to_owned()).unwrap();
    let tail = |text: String| without_size(text).split_once(';').map(|(_, rest)| rest.to_owned()).unwrap();
    assert_eq!(tail(settings("before")), tail(settings("after")));
    assert!(!terminal.screen().contains("agents online"), "the screen is the one from before: {}", terminal.screen());
}

#[tokio::test]
async fn a_terminal_that_goes_away_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let program = env!("CARGO_BIN_EXE_fogline");
    let command = format!("echo $$ > {}; exec {program} top --api http://127.0.0.1:1", pid.display());
    let Some(terminal) = Terminal::start(&command, folder.path().join("tmux").to_str().unwrap().to_owned()) else {
        return;
    };
    terminal.shows("nothing heard yet").await;
    let process = std::path::Path::new("/proc").join(std::fs::read_to_string(&pid).unwrap().trim());
    assert!(process.exists());
    drop(terminal);
    until("the program has ended", || !process.exists()).await;
}
