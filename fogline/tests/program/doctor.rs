//! `fogline doctor agent`: each check where all is well, and where it is not.

use super::support::Program;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use serde_json::Value;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// `fogline doctor --json agent WORDS` of an agent called lane-1 in the region north.
    fn doctor(&self, words: &[&str]) -> Report {
        let data = self.path("lane-1");
        let fixed = ["doctor", "--json", "agent", "--region", "north", "--name", "lane-1", "--data-dir", &data];
        Report::of(&fogline(&[&fixed[..], words].concat()))
    }

    /// A user of the broker's file, and the file of its token.
    fn user(&self, name: &str, region: &str) -> String {
        let (users, token) = (self.path("users"), self.path(&format!("{name}.token")));
        let role = ["broker", "user", "add", name, "--role", "agent", "--region", region];
        let output = fogline(&[&role[..], &["--users", &users, "--token-file", &token]].concat());
        assert!(output.status.success(), "{output:?}");
        token
    }
}

fn fogline(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fogline"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FOGLINE_")) {
        command.env_remove(name);
    }
    command.args(words).output().unwrap()
}

struct Report {
    status: i32,
    checks: Vec<Value>,
}

impl Report {
    fn of(output: &Output) -> Self {
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        Self { status: output.status.code().unwrap(), checks: report["checks"].as_array().unwrap().clone() }
    }

    /// The check whose name ends so.
    fn of_check(&self, end: &str) -> &Value {
        let found = self.checks.iter().find(|check| check["check"].as_str().unwrap().ends_with(end));
        found.unwrap_or_else(|| panic!("{end} is not among {:#?}", self.checks))
    }

    fn outcome(&self, end: &str) -> &str {
        self.of_check(end)["outcome"].as_str().unwrap()
    }

    /// It fails there, says so in these words, and what to do; and nothing after it was tried.
    #[track_caller]
    fn fails(&self, end: &str, words: &str) {
        let check = self.of_check(end);
        assert_eq!((check["outcome"].as_str(), self.status), (Some("fail"), 1), "{check}");
        assert!(check.to_string().contains(words) && check["do"].is_string(), "{words}: {check}");
    }

    fn has(&self, end: &str) -> bool {
        self.checks.iter().any(|check| check["check"].as_str().unwrap().ends_with(end))
    }
}

async fn broker(words: &[&str]) -> (Program, String) {
    let mut broker = Program::start(&[&["broker", "--listen", "127.0.0.1:0"], words].concat());
    let line = broker.line().await.expect("the broker is ready");
    (broker, line.rsplit(' ').next().unwrap().to_owned())
}

async fn ingester(broker: &str, data: &str) -> (Program, String) {
    let mut ingester = Program::start(&["ingest", "--broker", broker, "--http", "127.0.0.1:0", "--data-dir", data]);
    let line = ingester.line().await.expect("the ingester is ready");
    (ingester, line.rsplit(' ').next().unwrap().to_owned())
}

#[tokio::test]
async fn all_is_well_where_broker_and_ingester_answer() {
    let machine = Machine::new();
    let (_broker, address) = broker(&[]).await;
    let (_ingester, url) = ingester(&address, &machine.path("ingest")).await;
    let report = machine.doctor(&["--broker", &address, "--api", &url]);
    for check in ["name", "port", "login", "may read", "may write", "ingester", "clock", "clock, ingester's"] {
        assert_eq!(report.outcome(check), "ok", "{:#?}", report.checks);
    }
    assert_eq!(report.status, 0, "{:#?}", report.checks);
    let shown =
        fogline(&["doctor", "agent", "--name", "lane-1", "--data-dir", &machine.path("lane-1"), "--broker", &address]);
    let text = String::from_utf8(shown.stdout).unwrap();
    assert!(text.starts_with("check ") && text.contains("  ok    as lane-1\n") && text.contains(" checks"), "{text}");
    assert!(!Path::new(&machine.path("lane-1")).exists(), "it changes nothing");
}

#[tokio::test]
async fn an_agent_that_runs_is_asked_and_keeps_its_connection() {
    let machine = Machine::new();
    let (_broker, address) = broker(&[]).await;
    let (_ingester, _) = ingester(&address, &machine.path("ingest")).await;
    let data = machine.path("lane-1");
    let names = ["agent", "run", "--region", "north", "--name", "lane-1", "--data-dir", &data];
    let _agent = Program::start(&[&names[..], &["--broker", &address, "--source", "simulate"]].concat());
    let status = || -> Option<Value> {
        let output = fogline(&["agent", "status", "--data-dir", &data, "--json"]);
        serde_json::from_slice(&output.stdout).ok()
    };
    super::support::until("the agent hears its ingester", || {
        status().is_some_and(|status| status["live"]["ingester"] == "ok" && status["acknowledged"].as_u64() > Some(0))
    })
    .await;
    let report = machine.doctor(&["--broker", &address]);
    for check in ["agent", "agent, connection", "agent, ingester", "agent, queue", "port"] {
        assert_eq!(report.outcome(check), "ok", "{:#?}", report.checks);
    }
    assert!(!report.has("login"), "its name is not used");
    assert_eq!(status().unwrap()["live"]["connected"], true);
}

#[tokio::test]
async fn what_is_in_the_way_is_found_step_by_step() {
    let machine = Machine::new();
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    machine.doctor(&["--broker", &gone]).fails("port", "start the broker");
    machine.doctor(&["--broker", "no-such-host.invalid"]).fails("name", "name server");
    let (_broker, address) = broker(&[]).await;
    let several = machine.doctor(&["--broker", &format!("{gone},{address}")]);
    several.fails("ingester", "fogline ingest");
    assert_eq!(
        (several.outcome(&format!("{gone}, port")), several.outcome(&format!("{address}, port"))),
        ("fail", "ok")
    );
    let left = machine.doctor(&["--broker", &address, "--no-login"]);
    assert_eq!((left.outcome("ingester"), left.status), ("skip", 0));
    machine
        .doctor(&["--broker", &address, "--no-login", "--api", &format!("http://{gone}")])
        .fails("ingester's", "--api");
}

#[tokio::test]
async fn logins_and_rights_are_told_apart() {
    let machine = Machine::new();
    let (right, elsewhere) = (machine.user("lane-1", "north"), machine.user("other", "south"));
    let (_broker, address) = broker(&["--users", &machine.path("users")]).await;
    let wrong = machine.path("wrong");
    std::fs::write(&wrong, "hunter2").unwrap();
    let report = machine.doctor(&["--broker", &address, "--password-file", &wrong]);
    report.fails("login", "fogline broker user add");
    assert!(!report.has("may read") && !report.checks.iter().any(|check| check.to_string().contains("hunter2")));
    // A user of another region, under its own name: let in, and no further.
    let data = machine.path("d");
    let named = ["doctor", "--json", "agent", "--region", "north", "--name", "other", "--data-dir", &data];
    let words = ["--broker", &address, "--password-file", &elsewhere];
    Report::of(&fogline(&[&named[..], &words[..]].concat())).fails("may read", "fogline/v1/north/other/down/+");
    let report = machine.doctor(&["--broker", &address, "--password-file", &right]);
    assert_eq!((report.outcome("login"), report.outcome("may write")), ("ok", "ok"), "{:#?}", report.checks);
}

/// A server that has this certificate and says nothing.
fn tls_server(until: (i32, u8, u8), folder: &Path) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    let certificate = params.self_signed(&key).unwrap();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(Arc::new(config.clone())).unwrap();
            while session.is_handshaking() && session.complete_io(&mut stream).is_ok() {}
        }
    });
    (format!("mqtts://localhost:{port}"), ca.to_str().unwrap().to_owned())
}

#[test]
fn certificates_that_are_over_are_told() {
    let machine = Machine::new();
    let (over, ca) = tls_server((2021, 1, 1), machine.folder.path());
    let report = machine.doctor(&["--broker", &over, "--broker-ca", &ca]);
    report.fails("TLS", "renew the broker's certificate");
    report.fails("CA of the broker", "over since 2021-01-01");
    let folder = tempfile::tempdir().unwrap();
    let (good, _) = tls_server((2090, 1, 1), folder.path());
    machine.doctor(&["--broker", &good, "--broker-ca", &ca]).fails("TLS", "CA");
    let own = folder.path().join("ca.pem");
    let report = machine.doctor(&["--broker", &good, "--broker-ca", own.to_str().unwrap(), "--no-login"]);
    assert_eq!((report.outcome("TLS"), report.outcome("certificate")), ("ok", "ok"), "{:#?}", report.checks);
    let (plain, _) = (TcpListener::bind("127.0.0.1:0").unwrap(), ());
    let silent = format!("mqtts://localhost:{}", plain.local_addr().unwrap().port());
    machine.doctor(&["--broker", &silent, "--broker-ca", &ca]).fails("TLS", "without TLS");
}

#[test]
fn a_full_disk_and_a_read_only_one_are_told() {
    // A disk of its own, which only this process and its children see.
    let script = |options: &str| {
        let fill = "dd if=/dev/zero of=/mnt/full bs=4k 2>/dev/null;";
        let fill = if options.contains("ro") { "" } else { fill };
        format!(
            "mount -t tmpfs -o {options} none /mnt && {{ {fill} \"$1\" doctor --json --no-login agent --data-dir /mnt/lane --broker 127.0.0.1:1; }}"
        )
    };
    let in_namespace = |options: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script(options), "sh", env!("CARGO_BIN_EXE_fogline")]);
        command.output().ok().filter(|output| !output.stdout.is_empty())
    };
    let Some(full) = in_namespace("size=1m") else {
        eprintln!("skipped: no mount namespaces here");
        return;
    };
    let full = Report::of(&full);
    full.fails("data directory", "make room");
    full.fails("disk space", "make room");
    Report::of(&in_namespace("ro,size=1m").unwrap()).fails("data directory", "mount it writable");
}

/// A database that answers each request with this, and hears nothing.
fn database(status: &'static str, body: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let count = stream.read(&mut request).unwrap_or(0);
            let status = if request[..count].starts_with(b"GET /ping") { "204 No Content" } else { status };
            let length =
                if status.starts_with("204") { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
            let body = if status.starts_with("204") { "" } else { body };
            write!(stream, "HTTP/1.1 {status}\r\n{length}Connection: close\r\n\r\n{body}").ok();
        }
    });
    url
}

#[tokio::test]
async fn an_ingesters_machine_is_looked_at_too() {
    let machine = Machine::new();
    let (_broker, address) = broker(&[]).await;
    let data = machine.path("ingest");
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let words = ["doctor", "--json", "ingest", "--broker", &address, "--data-dir", &data, "--http", &port];
    let look = |more: &[&str]| Report::of(&fogline(&[&words[..], more].concat()));
    let report = look(&[]);
    for check in ["login", "may read", "may write", "HTTP, port", "data directory"] {
        assert_eq!(report.outcome(check), "ok", "{:#?}", report.checks);
    }
    let unauthorized = database("401 Unauthorized", "unauthorized access");
    let influx = ["--store", "influxdb", "--influxdb-url", &unauthorized];
    look(&influx).fails("may write", "--influxdb-token-file");
    let missing = database("404 Not Found", "bucket not found");
    look(&["--store", "influxdb", "--influxdb-url", &missing]).fails("database, may write", "--influxdb-bucket");
    look(&["--store", "influxdb", "--influxdb-url", "http://127.0.0.1:1"]).fails("database", "--influxdb-url");
    let mut ingester = Program::start(&["ingest", "--broker", &address, "--http", &port, "--data-dir", &data]);
    ingester.line().await.expect("the ingester is ready");
    super::support::until("it is ready, and its name is not used", || {
        let report = look(&[]);
        assert!(!report.has(", login"), "{:#?}", report.checks);
        report.outcome("/readyz") == "ok"
    })
    .await;
}

#[tokio::test]
async fn a_brokers_machine_is_looked_at_too() {
    let machine = Machine::new();
    let (_broker, address) = broker(&[]).await;
    let look = |words: &[&str]| Report::of(&fogline(&[&["doctor", "--json", "broker"], words].concat()));
    let report = look(&["--listen", &address]);
    assert_eq!((report.outcome("MQTT, port"), report.status), ("ok", 0), "{:#?}", report.checks);
    machine.user("lane-1", "north");
    let (_, ca) = tls_server((2021, 1, 1), machine.folder.path());
    let key = machine.path("key.pem");
    std::fs::write(&key, KeyPair::generate().unwrap().serialize_pem()).unwrap();
    let report = look(&[
        "--listen",
        "192.0.2.1:1883",
        "--users",
        &machine.path("users"),
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        &ca,
        "--tls-key",
        &key,
    ]);
    report.fails("MQTT, port", "choose another one");
    report.fails("TLS certificate", "over since");
}

#[test]
fn bad_settings_end_with_2() {
    for words in [
        &["doctor", "agent", "--name", "A/b"][..],
        &["doctor", "--api", "gate", "agent"],
        &["doctor", "agent", "--config", "/no/such.toml"],
    ] {
        let output = fogline(words);
        assert_eq!(output.status.code(), Some(2), "{words:?} {output:?}");
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: "), "{words:?}");
    }
}
