//! SIGHUP, at real processes.

use fogline_tests::real::{Program, Recipe, get, until};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A program that reads a settings file and serves metrics.
struct Service {
    program: Program,
    file: PathBuf,
    base: String,
    _folder: TempDir,
}

impl Service {
    fn start(name: &str, words: &[&str], settings: impl Fn(&Path) -> String, ready: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let base = settings(folder.path());
        let file = folder.path().join("settings.toml");
        std::fs::write(&file, &base).unwrap();
        let program = Program::start(Recipe::ours(name).args(words).arg("--config").arg(&file).ready_when(ready));
        Self { program, file, base, _folder: folder }
    }

    /// Writes these settings below those of the start, says so, and gives the line of the log.
    fn reload(&self, more: &str) -> String {
        std::fs::write(&self.file, self.base.clone() + more).unwrap();
        let before = self.lines().len();
        self.program.signal(Signal::HUP);
        until("a line about the settings", || self.lines().get(before).cloned())
    }

    fn lines(&self) -> Vec<String> {
        let text = self.program.output().text();
        text.lines()
            .filter(|line| line.contains("settings read again") || line.contains("settings cannot"))
            .map(str::to_owned)
            .collect()
    }
}

#[test]
fn a_broker_takes_over_what_it_can() {
    let settings = |_: &Path| "listen = '127.0.0.1:0'\nhttp = '127.0.0.1:0'\n".to_owned();
    let service = Service::start("fogline-broker", &[], settings, "serves health and metrics on");
    let line = service.reload("max_messages_per_second = 50\nmax_connections = 50\n");
    assert!(line.contains("taken over: max_messages_per_second; changed, needs a restart: max_connections"), "{line}");
    let line = service.reload("max_messages_per_second = 50\nmax_conections = 50\n");
    assert!(line.contains("everything stays as it was") && line.contains(":4: max_conections"), "{line}");
    let url = service.program.ready_line().rsplit("http://").next().unwrap();
    let (_, page) = get(url.parse().unwrap(), "/metrics").unwrap();
    for line in [
        "fogline_broker_config_reloads_total{result=\"taken\"} 1",
        "fogline_broker_config_reloads_total{result=\"refused\"} 1",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }
}

#[test]
fn an_ingester_takes_over_what_it_can() {
    let settings = |folder: &Path| {
        format!("data_dir = {:?}\nhttp = '127.0.0.1:0'\nbrokers = ['127.0.0.1:9']\n", folder.join("data"))
    };
    let service = Service::start("fogline-ingest", &[], settings, "fogline-ingest ready");
    let line = service.reload("memory_mib = 16\nlimit_max_kmh = 120.0\nrank = 3\n");
    assert!(line.contains("taken over: limit_max_kmh, memory_mib; changed, needs a restart: rank"), "{line}");
    // What waits is said again, until the program was started again.
    let line = service.reload("memory_mib = 16\nlimit_max_kmh = 120.0\nrank = 3\n");
    assert!(line.contains("changed, needs a restart: rank") && !line.contains("memory_mib"), "{line}");
    assert!(service.reload("limit_max_kmh = 55.0\n").contains("everything stays as it was"));
}

#[test]
fn an_agent_takes_over_what_it_can() {
    let settings =
        |folder: &Path| format!("source = 'none'\ndata_dir = {:?}\nbrokers = ['127.0.0.1:9']\n", folder.join("data"));
    let service = Service::start("fogline-agent", &["run"], settings, "agent started");
    let line = service.reload("queue_readings = 7\ndefault_limit = 90.0\nname = 'other'\n");
    assert!(line.contains("taken over: default_limit, queue_readings; changed, needs a restart: name"), "{line}");
    let status = || {
        let data = service.file.parent().unwrap().join("data");
        Recipe::ours("fogline-agent").args(["status", "--data-dir"]).arg(data).run().1
    };
    until("the new default limit", || status().contains("90 km/h").then_some(()));
    assert!(
        service.reload("name = 'other'\nlog = 'debug'\n").contains("taken over: default_limit, log, queue_readings")
    );
    assert!(service.reload("rate = 1.0\n").contains("everything stays as it was"));
}
