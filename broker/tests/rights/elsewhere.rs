//! The brokers that the matrix runs on: this crate's own, and others with what `fogline-broker user export` makes of the same
//! users and rules.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::Answer,
    client::{NOT_AUTHORIZED, VERSIONS},
    model::everybody,
    services::service,
    site::{Files, Site, token, users},
    wire::Version,
};

/// Servers are up within a second or two; the rest is for a loaded machine.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// A kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This crate's own.
    Gate,
    /// Eclipse Mosquitto with `mosquitto-compat/mosquitto-secure.conf`.
    Mosquitto,
    /// A NATS server with JetStream.
    Nats,
}

impl Kind {
    /// The versions of MQTT that it speaks.
    pub(crate) fn versions(self) -> &'static [Version] {
        if self == Self::Nats { &VERSIONS[..1] } else { &VERSIONS }
    }

    /// Whether it takes QoS 2.
    pub(crate) fn has_exactly_once(self) -> bool {
        self != Self::Nats
    }

    /// What somebody hears who publishes what he may not. The others acknowledge to a 3.1.1 client what they throw away (3.1.1, 3.3.5).
    pub(crate) fn refusal(self, version: Version, flags: u8, topic: &str) -> Answer {
        let qos = flags >> 1 & 3;
        match (self, version) {
            (_, Version::V5) if qos > 0 => Answer::Refused(NOT_AUTHORIZED),
            (Self::Mosquitto | Self::Nats, _) => Answer::Taken,
            // For topics of the server's own no connection is ended.
            _ if topic.starts_with('$') => Answer::Taken,
            (_, Version::V311) => Answer::Ended(None),
            (_, Version::V5) => Answer::Ended(Some(NOT_AUTHORIZED)),
        }
    }

    /// Whether `$` in front hides a topic from wildcards, as it should. NATS hides only what is its own.
    pub(crate) fn hides(self, topic: &str) -> bool {
        self != Self::Nats || !topic.starts_with("$else")
    }

    /// Whether a will can be for a topic. NATS ends the connection for one of its own.
    pub(crate) fn takes_will(self, topic: &str) -> bool {
        self != Self::Nats || !topic.starts_with('$')
    }

    /// The client id of a user's connection of this number. NATS keeps those out that come again and again under one id, and ties none
    /// to a user.
    pub(crate) fn id(self, user: &str, number: usize) -> String {
        if self == Self::Nats { format!("{user}-{number}") } else { user.to_owned() }
    }

    /// Whether a CONNECT with a will that may not be is refused. The others look at a will when it is due.
    pub(crate) fn judges_wills_at_once(self) -> bool {
        self == Self::Gate
    }
}

/// A broker with everybody of the model.
pub(crate) enum Ground {
    Gate(Box<Site>),
    Other(Other),
}

/// A process, ended when dropped.
pub(crate) struct Other {
    child: Child,
    address: SocketAddr,
    files: Files,
}

impl Ground {
    /// None where that broker is not installed and need not be.
    pub(crate) async fn start(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Gate => Some(Self::Gate(Box::new(Site::start().await))),
            Kind::Mosquitto => Some(Self::Other(mosquitto(&service("mosquitto")?, &service("mosquitto_passwd")?))),
            Kind::Nats => Some(Self::Other(nats(&service("nats-server")?))),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Gate(site) => site.address(),
            Self::Other(other) => other.address,
        }
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
        if thread::panicking() {
            eprintln!("--- the broker said:\n{}", fs::read_to_string(self.files.path("log")).unwrap_or_default());
        }
    }
}

fn free() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// The users of the model as files of another broker, with the tokens of the tests.
fn exported(broker: &str) -> Files {
    let files = Files::new(&users(&everybody()), "");
    let tokens = files.path("tokens");
    fs::create_dir(&tokens).unwrap();
    for who in everybody() {
        fs::write(tokens.join(format!("{}.token", who.name)), token(&who.name) + "\n").unwrap();
    }
    let mut export = Command::new(env!("CARGO_BIN_EXE_fogline-broker"));
    export.args(["user", "export", broker, "--tokens"]).arg(&tokens).arg("--to").arg(files.folder());
    export.arg("--users").arg(files.path("users")).arg("--rules").arg(files.path("rules"));
    run(&mut export);
    files
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A file of this repository.
fn shipped(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn mosquitto(program: &PathBuf, passwd: &PathBuf) -> Other {
    let files = exported("mosquitto");
    run(Command::new(passwd).arg("-U").arg(files.path("passwords")));
    let address = free();
    // Without TLS: the rules are the same on both listeners.
    let (plain, tls) =
        (format!("listener {} 127.0.0.1", address.port()), format!("listener {} 127.0.0.1", free().port()));
    let text = shipped("mosquitto-compat/mosquitto-secure.conf");
    let changed = text.replace("\nlistener 1883 127.0.0.1\n", &format!("\n{plain}\n"));
    let changed = changed.replace("\nlistener 8883\n", &format!("\n{tls}\n"));
    let changed: String =
        changed.lines().filter(|line| !line.contains("tls/")).map(|line| format!("{line}\n")).collect();
    assert!(changed.contains(&plain) && changed.contains(&tls), "its listeners have moved");
    // Started by root it would become a user who may not read the files.
    fs::write(files.path("mosquitto.conf"), changed + "user root\n").unwrap();
    start(Command::new(program).args(["-c", "mosquitto.conf"]), files, address)
}

fn nats(program: &PathBuf) -> Other {
    let files = exported("nats");
    let address = free();
    // A client's subscriptions together may await 65,535 acknowledgements, and the tests have hundreds.
    let text = format!(
        "server_name: alone\nlisten: \"{}\"\njetstream {{ store_dir: \"jetstream\" }}\nmqtt {{ listen: \"{address}\", max_ack_pending: 90 }}\n\
         authorization {{\n  include users.conf\n}}\n",
        free()
    );
    fs::write(files.path("nats.conf"), text).unwrap();
    start(Command::new(program).args(["-c", "nats.conf"]), files, address)
}

fn start(command: &mut Command, files: Files, address: SocketAddr) -> Other {
    let log = File::create(files.path("log")).unwrap();
    command.current_dir(files.folder()).stdin(Stdio::null());
    let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let log = files.path("log");
    let mut other = Other { child, address, files };
    let deadline = Instant::now() + START_DEADLINE;
    while TcpStream::connect(address).is_err() {
        let ended = other.child.try_wait().unwrap();
        let said = || fs::read_to_string(&log).unwrap();
        assert!(ended.is_none() && Instant::now() < deadline, "{command:?} does not answer: {}", said());
        thread::sleep(Duration::from_millis(10));
    }
    other
}
