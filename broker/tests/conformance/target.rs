//! The brokers that the rules run on: one of each kind for the whole run.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use fogline_broker::{Broker as Gate, BrokerConfig};

use crate::services::service;

/// Mosquitto is up within some milliseconds; the rest is for a loaded machine.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Another program may take the free port between finding and using it.
const PORT_ATTEMPTS: u32 = 5;
/// Ends Mosquitto with the test process, however that ends: the pipe on its standard input then closes.
const TIED: &str = r#""$0" -c "$1" & server=$!; read -r _; kill "$server""#;

/// A kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// This crate's own.
    Gate,
    /// Eclipse Mosquitto, as the system's packages install it.
    Mosquitto,
}

/// A running broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Broker {
    /// Of which kind it is, for what the standard leaves open.
    pub(crate) target: Target,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Broker {
    /// A name that no other test uses: for client identifiers and for the levels of topics.
    pub(crate) fn unique(self, label: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        format!("{label}{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Target {
    /// The broker that all tests share; none where it is not installed.
    pub(crate) fn shared(self) -> Option<Broker> {
        static GATE: OnceLock<Option<SocketAddr>> = OnceLock::new();
        static MOSQUITTO: OnceLock<Option<SocketAddr>> = OnceLock::new();
        let address = match self {
            Self::Gate => GATE.get_or_init(|| Some(start_gate())),
            Self::Mosquitto => MOSQUITTO.get_or_init(|| service("mosquitto").map(|program| start_mosquitto(&program))),
        };
        address.map(|address| Broker { target: self, address })
    }
}

/// Starts the gate on a runtime that outlives the test that happened to come first.
fn start_gate() -> SocketAddr {
    let (started, is_started) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
            let gate = Gate::start(BrokerConfig { listen: Some(listen), ..BrokerConfig::default() }).await.unwrap();
            started.send(gate.local_addr()).unwrap();
            eprintln!("the gate has failed: {}", gate.failed().await);
            gate.stop().await;
        });
    });
    is_started.recv().expect("the gate has not started")
}

fn start_mosquitto(program: &Path) -> SocketAddr {
    let folder = tempfile::tempdir().unwrap();
    (0..PORT_ATTEMPTS).find_map(|_| try_mosquitto(program, folder.path())).expect("mosquitto has not started")
}

/// Mosquitto reads its configuration once, so the folder may go when it is up.
fn try_mosquitto(program: &Path, folder: &Path) -> Option<SocketAddr> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let configuration = folder.join("mosquitto.conf");
    fs::write(&configuration, mosquitto_configuration(address)).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", TIED]).arg(program).arg(&configuration);
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Never waited for and never dropped: it lives as long as this process.
    std::mem::forget(shell.spawn().unwrap());
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline {
        if TcpStream::connect(address).is_ok() {
            return Some(address);
        }
        thread::sleep(Duration::from_millis(10));
    }
    None
}

/// Without `allow_duplicate_messages` overlapping subscriptions get one copy at the QoS of the first one that was found,
/// against [MQTT-3.3.5-1]. The limits that a test asks for are those that the server tells in its CONNACK.
fn mosquitto_configuration(address: SocketAddr) -> String {
    format!(
        "listener {} {}\nallow_anonymous true\npersistence false\nsys_interval 0\nset_tcp_nodelay true\nallow_duplicate_messages true\nmax_packet_size 65536\n\
         max_queued_messages 2000\n",
        address.port(),
        address.ip()
    )
}
