//! The brokers, each a process of its own.

use std::{
    fmt, fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use clap::ValueEnum;
use tempfile::TempDir;

/// Longer than any of them takes to start.
const START: Duration = Duration::from_secs(20);

/// A broker to be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Kind {
    /// Fogline's, with users and rules.
    Gate,
    /// Fogline's, open to everybody on this machine.
    GateOpen,
    /// rumqttd's own listener.
    Stock,
    Mosquitto,
    Nats,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Gate, Self::GateOpen, Self::Stock, Self::Mosquitto, Self::Nats];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Gate => "fogline, rules on",
            Self::GateOpen => "fogline, open",
            Self::Stock => "rumqttd, stock",
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
        })
    }
}

/// Where a broker is, and whether clients log in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    kind: Kind,
    pub(crate) address: SocketAddr,
}

impl Target {
    /// The name and the secret that a client logs in with; `number` tells clients apart.
    pub(crate) fn login(self, number: usize) -> Option<(String, String)> {
        (self.kind == Kind::Gate).then(|| (format!("c{number}"), token(number)))
    }
}

/// A running broker; killed when dropped.
pub(crate) struct Broker {
    pub(crate) target: Target,
    child: Child,
    _files: TempDir,
}

impl Broker {
    /// Starts one for so many clients; `None` if it is not installed.
    pub(crate) async fn start(kind: Kind, clients: usize) -> Option<Self> {
        let files = tempfile::tempdir().unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut command = command(kind, port, files.path(), clients)?;
        command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
        let child = command.spawn().ok()?;
        let mut broker = Self { target: Target { kind, address }, child, _files: files };
        let ready = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(START, ready).await.is_err() {
            broker.child.kill().unwrap();
            return None;
        }
        Some(broker)
    }

    /// Resident memory, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(kind: Kind, port: u16, files: &Path, clients: usize) -> Option<Command> {
    let listen = format!("127.0.0.1:{port}");
    Some(match kind {
        Kind::Gate | Kind::GateOpen => {
            let mut command = Command::new(fogline_broker());
            command.args(["--listen", &listen, "--max-connections", "20000", "-qq"]);
            if kind == Kind::Gate {
                command.arg("--users").arg(users(files, clients)).arg("--rules").arg(rules(files));
            }
            command
        }
        Kind::Stock => {
            if !cfg!(feature = "stock-listener") {
                return None;
            }
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--serve-stock", &port.to_string()]);
            command
        }
        Kind::Mosquitto => {
            let config = files.join("mosquitto.conf");
            let text = format!(
                "listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nset_tcp_nodelay true\n\
                 max_queued_messages 0\nmax_inflight_messages 1000\nlog_type error\n"
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new("/usr/sbin/mosquitto");
            command.arg("-c").arg(config);
            command
        }
        Kind::Nats => {
            let config = files.join("nats.conf");
            let store = files.join("store");
            let text = format!(
                "server_name: bench\nlisten: \"127.0.0.1:-1\"\njetstream {{ store_dir: {store:?} }}\n\
                 mqtt {{ host: \"127.0.0.1\", port: {port}, max_ack_pending: 10000 }}\nmax_connections: 20000\n"
            );
            fs::write(&config, text).unwrap();
            let mut command = Command::new("nats-server");
            command.arg("-c").arg(config);
            command
        }
    })
}

/// The program that was built beside this one.
fn fogline_broker() -> std::path::PathBuf {
    let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("fogline-broker");
    assert!(program.exists(), "build it first: cargo build --release -p fogline-broker");
    program
}

/// A token as `fogline-broker user add` makes them, but known here.
fn token(number: usize) -> String {
    format!("{number:0>64x}")
}

/// A user for each client, in the format of the users file, made by the program itself for the first and by its pattern for the others.
fn users(files: &Path, clients: usize) -> std::path::PathBuf {
    let path = files.join("users");
    let mut file = fs::File::create(&path).unwrap();
    for number in 0..clients + 200 {
        let hash = ring::digest::digest(&ring::digest::SHA256, token(number).as_bytes());
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(file, "c{number} agent bench sha256:{hex}").unwrap();
    }
    #[cfg(unix)]
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// What agents may do anyway, and the topics of this measurement.
fn rules(files: &Path) -> std::path::PathBuf {
    let path = files.join("rules");
    fs::write(&path, "role agent\nallow write fogline/v1/bench/+/up/#\nallow read fogline/v1/bench/+/up/#\n").unwrap();
    path
}

/// rumqttd as its documentation starts it, with logs that lose nothing here.
#[cfg(feature = "stock-listener")]
pub(crate) fn serve_stock(port: u16) {
    use rumqttd::{Broker, Config, ConnectionSettings, RouterConfig, ServerSettings};
    let connections = ConnectionSettings {
        connection_timeout_ms: 5_000,
        max_payload_size: 65_536,
        max_inflight_count: 200,
        auth: None,
        external_auth: None,
        dynamic_filters: false,
    };
    let server = ServerSettings {
        name: "stock".to_owned(),
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        tls: None,
        next_connection_delay_ms: 0,
        connections,
    };
    let router = RouterConfig {
        max_connections: 20_000,
        max_outgoing_packet_count: 200,
        max_segment_size: 10 * 1024 * 1024,
        max_segment_count: 10,
        ..RouterConfig::default()
    };
    let config = Config { router, v4: Some([("stock".to_owned(), server)].into()), ..Config::default() };
    Broker::new(config).start().unwrap();
}

#[cfg(not(feature = "stock-listener"))]
pub(crate) fn serve_stock(_port: u16) {}
