//! The brokers: ours, and Eclipse Mosquitto with the configurations of this repository.

use super::certificates::Certificates;
use super::crowd::{Crowd, guarded_mosquitto};
use super::ports::free_port;
use super::program::{Program, Recipe};
use super::services::service;
use std::path::Path;

/// The broker of tests that run on more than one: `fogline-broker` unless this says `mosquitto`.
const UNDER_TEST: &str = "FOGLINE_TEST_BROKER";

/// Before the address of a broker that speaks TLS.
const TLS: &str = "mqtts://";

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `fogline-broker`: rumqttd, embedded.
    Embedded,
    /// Eclipse Mosquitto with `mosquitto-compat/mosquitto.conf`.
    Mosquitto,
    /// Eclipse Mosquitto with `mosquitto-compat/mosquitto-secure.conf`: TLS, tokens, and the rights of `fogline-broker user export`.
    SecureMosquitto,
}

impl Kind {
    /// The one that whoever runs the tests wants them to run on.
    #[must_use]
    pub fn under_test() -> Self {
        match std::env::var(UNDER_TEST).as_deref() {
            Err(_) | Ok("fogline-broker") => Self::Embedded,
            Ok("mosquitto") => Self::SecureMosquitto,
            Ok(other) => panic!("{UNDER_TEST} is fogline-broker or mosquitto, not {other}"),
        }
    }
}

/// A broker on a port that it keeps over restarts. It remembers nothing.
#[derive(Debug)]
pub struct Broker {
    /// The process.
    pub program: Program,
    /// Its port on 127.0.0.1.
    pub port: u16,
    /// Before its address where it speaks TLS.
    scheme: &'static str,
    /// Who may log in, where not everybody may.
    crowd: Option<Crowd>,
}

impl Broker {
    /// Starts a broker with its files in `folder`. None where Mosquitto is not installed and need not be.
    #[must_use]
    pub fn start(kind: Kind, folder: &Path) -> Option<Self> {
        let crowd = (kind == Kind::SecureMosquitto).then(|| Crowd::make(folder));
        Self::with(kind, crowd, folder)
    }

    /// Starts another one of the kind of `first`, which knows the same users.
    #[must_use]
    pub fn start_beside(first: &Self, kind: Kind, folder: &Path) -> Option<Self> {
        Self::with(kind, first.crowd.clone(), folder)
    }

    fn with(kind: Kind, crowd: Option<Crowd>, folder: &Path) -> Option<Self> {
        let port = free_port();
        let recipe = match (kind, &crowd) {
            (Kind::Embedded, _) => embedded(port),
            (Kind::SecureMosquitto, Some(crowd)) => guarded_mosquitto(crowd, port, free_port(), folder)?,
            (Kind::Mosquitto | Kind::SecureMosquitto, _) => mosquitto(port, folder)?,
        };
        let scheme = if crowd.is_some() { TLS } else { "" };
        Some(Self { program: Program::start(recipe), port, scheme, crowd })
    }

    /// The flags by which a client of this name logs in: none where everybody may.
    #[must_use]
    pub fn login(&self, name: &str) -> Vec<String> {
        self.crowd.as_ref().map_or_else(Vec::new, |crowd| crowd.login(name).to_vec())
    }

    /// The same for one of Mosquitto's own tools, which looks on.
    pub(super) fn login_of_tool(&self) -> Vec<String> {
        self.crowd.as_ref().map_or_else(Vec::new, |crowd| crowd.login_of_tool("watch").to_vec())
    }

    /// Starts Mosquitto with TLS, with the files of `certificates`, on which everybody must show a certificate, whose common
    /// name is the user name, and says what that user may do. None where it is not installed and need not be.
    #[must_use]
    pub fn start_secure(certificates: &Certificates, folder: &Path) -> Option<Self> {
        let port = free_port();
        let recipe = secure_mosquitto(port, certificates, folder)?;
        Some(Self { program: Program::start(recipe), port, scheme: TLS, crowd: None })
    }

    /// One that was started elsewhere, and speaks TLS to these users.
    pub(super) const fn guarded(program: Program, port: u16, crowd: Crowd) -> Self {
        Self { program, port, scheme: TLS, crowd: Some(crowd) }
    }

    /// One that was started elsewhere.
    #[must_use]
    pub const fn of(program: Program, port: u16) -> Self {
        Self { program, port, scheme: "", crowd: None }
    }

    /// HOST:PORT, or mqtts://HOST:PORT.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}127.0.0.1:{}", self.scheme, self.port)
    }

    /// Kills it and starts it again.
    pub fn bounce(&mut self) {
        self.program.kill();
        self.program.restart();
    }
}

fn embedded(port: u16) -> Recipe {
    Recipe::ours("fogline-broker")
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .ready_when("fogline-broker ready on")
}

fn mosquitto(port: u16, folder: &Path) -> Option<Recipe> {
    let program = service("mosquitto")?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mosquitto-compat/mosquitto.conf");
    let shipped = std::fs::read_to_string(shipped).unwrap();
    let listener = "listener 1883 127.0.0.1";
    assert!(shipped.contains(listener), "mosquitto.conf has no line {listener:?}");
    // It says that it runs among the information. Started by root, it would become a user who may not write into the folder.
    let conf = format!(
        "{}\nlog_type information\nuser root\n",
        shipped.replace(listener, &format!("listener {port} 127.0.0.1"))
    );
    let path = folder.join("mosquitto.conf");
    std::fs::write(&path, conf).unwrap();
    Some(Recipe::new(program).arg("-c").arg(path).folder(folder).ready_when(" running"))
}

/// Who may say and hear what: an agent its own, the ingester everybody's. %u is the user name.
const RULES: &str = "pattern write fogline/v1/+/%u/up/#
pattern read fogline/v1/+/%u/down/#

user ingest-1
topic read fogline/v1/+/+/up/#
topic read fogline/v1/+/ingest/#
topic write fogline/v1/+/ingest/ingest-1/#
topic write fogline/v1/+/+/down/#
";

fn secure_mosquitto(port: u16, certificates: &Certificates, folder: &Path) -> Option<Recipe> {
    let program = service("mosquitto")?;
    let (rules, conf) = (folder.join("rules"), folder.join("mosquitto.conf"));
    std::fs::write(&rules, RULES).unwrap();
    let file = |name: &str| certificates.path(name).display().to_string();
    let text = format!(
        "listener {port} 127.0.0.1\ncafile {}\ncertfile {}\nkeyfile {}\ncrlfile {}\nrequire_certificate true\n\
         use_identity_as_username true\nallow_anonymous false\nacl_file {}\nmax_queued_messages 0\nlog_dest stderr\n\
         log_type all\nuser root\n",
        file("ca.pem"),
        file("server.pem"),
        file("server-key.pem"),
        file("crl.pem"),
        rules.display(),
    );
    std::fs::write(&conf, text).unwrap();
    Some(Recipe::new(program).arg("-c").arg(conf).folder(folder).ready_when(" running"))
}
