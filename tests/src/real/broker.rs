//! The brokers: ours, and Eclipse Mosquitto with the configuration of this repository.

use super::certificates::Certificates;
use super::ports::free_port;
use super::program::{Program, Recipe};
use super::services::service;
use std::path::Path;

/// Which broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `fogline-broker`: rumqttd, embedded.
    Embedded,
    /// Eclipse Mosquitto with `mosquitto-compat/mosquitto.conf`.
    Mosquitto,
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
}

impl Broker {
    /// Starts a broker with its files in `folder`. None where Mosquitto is not installed and need not be.
    #[must_use]
    pub fn start(kind: Kind, folder: &Path) -> Option<Self> {
        let port = free_port();
        let recipe = match kind {
            Kind::Embedded => embedded(port),
            Kind::Mosquitto => mosquitto(port, folder)?,
        };
        Some(Self { program: Program::start(recipe), port, scheme: "" })
    }

    /// Starts Mosquitto with TLS, with the files of `certificates`, on which everybody must show a certificate, whose common
    /// name is the user name, and says what that user may do. None where it is not installed and need not be.
    #[must_use]
    pub fn start_secure(certificates: &Certificates, folder: &Path) -> Option<Self> {
        let port = free_port();
        let recipe = secure_mosquitto(port, certificates, folder)?;
        Some(Self { program: Program::start(recipe), port, scheme: "mqtts://" })
    }

    /// One that was started elsewhere.
    #[must_use]
    pub const fn of(program: Program, port: u16) -> Self {
        Self { program, port, scheme: "" }
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
