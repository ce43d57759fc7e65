//! Real servers, where their programs are installed.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_WITHIN: Duration = Duration::from_secs(30);

/// Whether `program` is there. If not, says so; when services are required, the test fails.
pub(crate) fn installed(program: &str) -> bool {
    if Path::new(program).exists() {
        return true;
    }
    assert!(
        std::env::var_os("FOGLINE_REQUIRE_SERVICES").is_none_or(|value| value != "1"),
        "{program} is not installed, and FOGLINE_REQUIRE_SERVICES=1"
    );
    eprintln!("skipped: {program} is not installed");
    false
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server with its data in a folder of its own; both are gone when it is dropped.
pub(crate) struct Server {
    child: Child,
    _dir: TempDir,
}

impl Server {
    pub(crate) fn start(command: &mut Command, dir: TempDir) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, _dir: dir }
    }

    /// Waits until `url` answers.
    pub(crate) fn wait_for(&mut self, url: &str) {
        let begun = Instant::now();
        while get(url).is_none() {
            assert!(begun.elapsed() < START_WITHIN, "no answer from {url}");
            assert!(self.child.try_wait().unwrap().is_none(), "the server has ended");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The text at `url`, if it answers with success.
pub(crate) fn get(url: &str) -> Option<String> {
    request(reqwest::Method::GET, url)
}

pub(crate) fn post(url: &str) -> Option<String> {
    request(reqwest::Method::POST, url)
}

fn request(method: reqwest::Method, url: &str) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let answer = client.request(method, url).send().await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    })
}
