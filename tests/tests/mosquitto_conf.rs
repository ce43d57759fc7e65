//! `mosquitto-compat/mosquitto.conf` on a real Mosquitto: what its queue limits keep and the default ones lose, and that
//! `mosquitto-secure.conf` beside it has the same limits.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a failed expectation is a failed test")]

use fogline_tests::real::{Program, Recipe, free_port, service};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// How long one of Mosquitto's clients may take, in seconds. It ends with an error after it.
const CLIENT_DEADLINE: &str = "60";
/// What waits for the subscriber: five times what the default limits keep, and less than `mosquitto_pub -l` can hold.
const MESSAGES: usize = 5_000;
const MESSAGE_BYTES: usize = 1024;
/// Nobody else's topic.
const QUEUE: &str = "test/queue";
const END: &str = "end";

/// Eclipse Mosquitto with its two clients.
struct Mosquitto {
    program: Program,
    port: u16,
    publisher: PathBuf,
    subscriber: PathBuf,
    _folder: TempDir,
}

impl Mosquitto {
    /// With this configuration, in which `PORT` stands for a free port; `None` where it is not installed and need not be.
    fn start(settings: &str) -> Option<Self> {
        let (server, publisher) = (service("mosquitto")?, service("mosquitto_pub")?);
        let (subscriber, port) = (service("mosquitto_sub")?, free_port());
        let folder = tempfile::tempdir().unwrap();
        // Started by root, Mosquitto becomes a user of its own before it writes here.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        std::fs::write(folder.path().join("mosquitto.conf"), settings.replace("PORT", &port.to_string())).unwrap();
        let recipe = Recipe::new(server).args(["-c", "mosquitto.conf"]).folder(folder.path()).ready_when(" running");
        Some(Self { program: Program::start(recipe), port, publisher, subscriber, _folder: folder })
    }

    /// Stops it as a service manager does, and starts it again with what it has saved.
    fn restart(&mut self) {
        assert!(self.program.terminate().success(), "mosquitto does not stop as it should");
        self.program.restart();
    }

    /// One of its clients, with the arguments that all need.
    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-q", "1"]);
        command
    }

    /// A subscriber with a persistent session: `id` is its name.
    fn subscriber(&self, id: &str, filter: &str) -> Command {
        let mut command = self.client(&self.subscriber);
        command.args(["-c", "-i", id, "-t", filter, "-W", CLIENT_DEADLINE]);
        command
    }

    /// Lets a subscriber begin its session and leave at once.
    fn introduce(&self, id: &str, filter: &str) {
        assert!(self.subscriber(id, filter).arg("-E").status().unwrap().success());
    }

    fn publish(&self, topic: &str, payload: &str) {
        assert!(self.client(&self.publisher).args(["-t", topic, "-m", payload]).status().unwrap().success());
    }

    /// Publishes the numbered messages, all of them acknowledged by Mosquitto.
    fn publish_all(&self) {
        let mut command = self.client(&self.publisher);
        let mut publisher = command.args(["-t", QUEUE, "-l"]).stdin(Stdio::piped()).spawn().unwrap();
        let mut lines = publisher.stdin.take().unwrap();
        for number in 0..MESSAGES {
            writeln!(lines, "{number:0MESSAGE_BYTES$}").unwrap();
        }
        drop(lines);
        assert!(publisher.wait().unwrap().success());
    }

    /// What a subscriber that comes back gets, until a message that is published when it has got the first ones: sooner,
    /// and a full queue would throw that one away too.
    fn collect(&self, id: &str) -> Vec<usize> {
        let mut subscriber = self.subscriber(id, QUEUE).stdout(Stdio::piped()).spawn().unwrap();
        let mut numbers = Vec::new();
        for line in BufReader::new(subscriber.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            if line == END {
                break;
            }
            assert_eq!(line.len(), MESSAGE_BYTES);
            numbers.push(line.parse().unwrap());
            if numbers.len() == MESSAGES / 10 {
                self.publish(QUEUE, END);
            }
        }
        subscriber.kill().unwrap();
        subscriber.wait().unwrap();
        numbers
    }
}

fn compat() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("mosquitto-compat")
}

/// Our configuration on a free port.
fn ours() -> String {
    let settings = std::fs::read_to_string(compat().join("mosquitto.conf")).unwrap();
    assert!(settings.contains("\nlistener 1883 127.0.0.1\n"), "it listens on loopback only");
    settings.replace("listener 1883", "listener PORT")
}

#[test]
fn what_waits_for_a_subscriber_is_kept_also_over_a_restart() {
    let Some(mut broker) = Mosquitto::start(&ours()) else { return };
    broker.introduce("away", QUEUE);
    broker.publish_all();
    broker.restart();
    assert_eq!(broker.collect("away"), (0..MESSAGES).collect::<Vec<_>>());
}

#[test]
fn the_default_limits_lose_most_of_it() {
    let Some(broker) = Mosquitto::start("listener PORT 127.0.0.1\nallow_anonymous true\n") else { return };
    broker.introduce("away", QUEUE);
    broker.publish_all();
    let delivered = broker.collect("away").len();
    assert!((900..1200).contains(&delivered), "{delivered} of {MESSAGES} were delivered");
}

/// Both files say all of it, as Mosquitto's `include_dir` looks in the working directory.
#[test]
fn the_file_for_others_has_the_same_limits() {
    let read = |name: &str| std::fs::read_to_string(compat().join(name)).unwrap();
    let (open, secure) = (read("mosquitto.conf"), read("mosquitto-secure.conf"));
    let access = ["listener ", "allow_anonymous "];
    let mut limits = 0;
    for line in open.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !access.iter().any(|start| line.starts_with(start)) {
            assert!(secure.lines().any(|other| other == line), "mosquitto-secure.conf has no {line:?}");
            limits += 1;
        }
    }
    assert!(limits > 8, "{limits}");
}
