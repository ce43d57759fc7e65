//! A broker process: what SIGHUP does, and what can be seen of secrets from outside.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    net::SocketAddr,
    process::Stdio,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::{
    client::{Answer, VERSIONS, knock, log_in},
    model::{everybody, topics},
    site::{Files, token, users},
    wire::{Client, Connect, PATIENCE, Version},
};

const PASSWORD: &str = "the-password-of-anna";
const GUESS: &str = "a-guess-that-is-wrong";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline-broker"));
    command.env_remove("RUST_LOG").stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    async fn start(files: &Files, more: &[&str]) -> Self {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0", "--users"]).arg(files.path("users")).args(more);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("ready in time").unwrap().expect("says ready");
        let address = line.strip_prefix("fogline-broker ready on ").expect("names its address").parse().unwrap();
        Self { child, address }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Stops it, and gives its log.
    async fn log(mut self) -> String {
        self.signal(Signal::TERM);
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        let (read, ended) =
            timeout(PATIENCE, async { tokio::join!(stderr.read_to_string(&mut log), self.child.wait()) })
                .await
                .expect("ends in time");
        assert_eq!((read.is_ok(), ended.unwrap().code()), (true, Some(0)));
        log
    }
}

/// A change that cannot be seen from outside: as long and as old as before, in the same file.
fn change_in_secret(files: &Files, from: &str, to: &str) {
    assert_eq!(from.len(), to.len());
    let path = files.path("users");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&path).unwrap().replace(from, to);
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file.set_modified(modified).unwrap();
}

#[tokio::test]
async fn sighup_ends_the_connections_of_who_was_removed() {
    let files = Files::new(&users(&everybody()), "");
    let broker = Process::start(&files, &[]).await;
    for (version, name) in VERSIONS.into_iter().zip(["lane-1-north", "lane-1-south"]) {
        let mut gone = log_in(broker.address, version, name).await;
        let mut stays = log_in(broker.address, version, "hub").await;
        change_in_secret(&files, name, &name.replace("lane", "road"));
        assert!(timeout(Duration::from_secs(3), gone.reader.next()).await.is_err(), "nobody has noticed so far");
        broker.signal(Signal::HUP);
        assert_eq!(gone.ended().await, (version == Version::V5).then_some(0x98));
        assert_eq!(stays.publish(version, 2, "fogline/v1/north/x/down/ack", b"x").await, Answer::Taken);
    }
}

/// All kinds of logins, right and wrong, and something to talk about.
async fn be_busy(address: SocketAddr, secret_of_hub: &str) {
    for version in VERSIONS {
        for (user, password, id) in [
            ("anna", PASSWORD, "tool"),
            ("anna", PASSWORD, "hub"),
            ("hub", secret_of_hub, "hub"),
            ("hub", secret_of_hub, "other"),
            ("hub", GUESS, "hub"),
            ("anna", GUESS, "tool"),
            // Typed into the wrong field.
            (GUESS, "anna", "tool"),
            (PASSWORD, "", "tool"),
            (secret_of_hub, "hub", "tool"),
        ] {
            let connect = Connect { version, login: Some((user, password)), ..Connect::new(id) };
            let (mut client, code) = knock(address, &connect).await;
            if code == 0 {
                let filters = topics();
                client.subscribe_all(version, &filters.iter().map(String::as_str).collect::<Vec<_>>()).await;
                client.publish(version, 2, "fogline/v1/north/lane-1/down/limit", b"50").await;
            }
        }
        let mut malformed = Client::open(address).await.unwrap();
        let mut bytes = Connect { version, login: Some(("hub", secret_of_hub)), ..Connect::new("hub") }.packet();
        bytes[4] = b'X';
        malformed.send(&bytes).await;
        malformed.reader.closed().await;
    }
}

async fn add_user(files: &Files, args: &[&str], stdin: &str) {
    let mut command = program();
    command.args(["user", "add"]).args(args).arg("--users").arg(files.path("users")).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut input, stdin.as_bytes()).await.unwrap();
    drop(input);
    let line = fs::read(format!("/proc/{}/cmdline", child.id().unwrap())).unwrap();
    assert!(!String::from_utf8_lossy(&line).contains(PASSWORD));
    let output = timeout(PATIENCE, child.wait_with_output()).await.expect("ends").unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && !said.contains(PASSWORD), "{said}");
}

#[tokio::test]
async fn secrets_are_in_no_log_line_and_on_no_command_line() {
    let files = Files::new(&users(&everybody()), "");
    let token_file = files.path("token");
    let token_file = token_file.to_str().unwrap();
    add_user(&files, &["anna", "--role", "operator", "--password-stdin"], PASSWORD).await;
    add_user(&files, &["hub-2", "--role", "ingest", "--region", "*", "--token-file", token_file], "").await;
    let made = fs::read_to_string(token_file).unwrap().trim_end().to_owned();
    let hashes = fs::read_to_string(files.path("users")).unwrap();
    let broker = Process::start(&files, &["-vv"]).await;
    be_busy(broker.address, &token("hub")).await;
    drop(log_in_with(broker.address, "hub-2", &made).await);
    let line = fs::read(format!("/proc/{}/cmdline", broker.child.id().unwrap())).unwrap();
    let environment = fs::read(format!("/proc/{}/environ", broker.child.id().unwrap())).unwrap();
    fs::write(files.path("users"), hashes.replace("anna", "hanna") + "nonsense sha256:abcdef0123456789\n").unwrap();
    broker.signal(Signal::HUP);
    be_busy(broker.address, &token("hub")).await;
    let log = broker.log().await;
    assert!(log.contains("logins refused") && log.contains("\"DEBUG\""), "it says something: {log}");
    let secrets = hashes.lines().filter_map(|line| line.split_whitespace().nth(3));
    for secret in secrets.chain([PASSWORD, GUESS, &made, &token("hub"), "abcdef0123456789"]) {
        for (place, text) in [("log", log.as_bytes()), ("command line", &line), ("environment", &environment)] {
            assert!(!String::from_utf8_lossy(text).contains(secret), "{secret} is in the {place}");
        }
    }
}

async fn log_in_with(address: SocketAddr, name: &str, token: &str) -> Client {
    Client::connect(address, &Connect { login: Some((name, token)), ..Connect::new(name) }).await
}
