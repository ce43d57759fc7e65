//! rumqttd's own listeners, kept as a comparison. Each runs in a process of its own, as a panic of its router is one of the process.

use std::{
    env,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Stdio,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use rumqttd::{
    ConnectionSettings, LinkType, Router, RouterConfig, Server, ServerSettings,
    protocol::{Protocol, v4::V4, v5::V5},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::wire::{PATIENCE, Version, serves};

/// Tells the test program that it is to be a broker.
const CHILD: &str = "FOGLINE_STOCK_LISTENER";
/// A stock broker answers within milliseconds; one that has not in this time is taken for dead.
const DEAD: Duration = Duration::from_secs(2);
/// How often it is looked whether something has happened.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A process with a listener for 3.1.1, one for 5.0, and one for WebSocket, around one router.
pub(crate) struct Stock {
    pub(crate) v4: SocketAddr,
    pub(crate) v5: SocketAddr,
    pub(crate) websocket: SocketAddr,
    errors: Arc<Mutex<String>>,
    _child: Child,
}

impl Stock {
    pub(crate) async fn start() -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "stock::child", "--ignored", "--nocapture"]).env(CHILD, "1").kill_on_drop(true);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let addresses = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("says its addresses");
                if let Some((_, addresses)) = line.split_once("listening ") {
                    return addresses.split(' ').map(|address| address.parse().unwrap()).collect::<Vec<SocketAddr>>();
                }
            }
        };
        let addresses = timeout(PATIENCE, addresses).await.expect("starts in time");
        let errors = Arc::default();
        collect(&mut child, &errors);
        Self { v4: addresses[0], v5: addresses[1], websocket: addresses[2], errors, _child: child }
    }

    /// Whether a thread or a task has panicked with a message at `place`, within `patience`.
    pub(crate) async fn panicked(&self, place: &str, patience: Duration) -> bool {
        let seen = || self.errors.lock().unwrap().contains(place);
        timeout(patience, async {
            while !seen() {
                sleep(LOOK_AGAIN).await
            }
        })
        .await
        .is_ok()
    }

    /// No message makes its round trip any more.
    pub(crate) async fn is_dead(&self, version: Version) -> bool {
        let address = if version == Version::V5 { self.v5 } else { self.v4 };
        !serves(address, version, DEAD).await
    }
}

/// Keeps what the child says of its panics.
fn collect(child: &mut Child, errors: &Arc<Mutex<String>>) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let errors = Arc::clone(errors);
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await {
            errors.lock().unwrap().push_str(&line);
        }
    });
}

#[test]
#[ignore = "it is the process that the other tests start, and ends at once by itself"]
fn child() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let router = Router::new(0, router_config()).spawn();
    let [v4, v5, websocket] = [(); 3].map(|()| free_address());
    serve(Server::new(settings(v4), router.clone(), V4), LinkType::Remote);
    serve(Server::new(settings(v5), router.clone(), V5), LinkType::Remote);
    serve(Server::new(settings(websocket), router, V4), LinkType::Websocket);
    for address in [v4, v5, websocket] {
        while TcpStream::connect(address).is_err() {
            thread::sleep(LOOK_AGAIN);
        }
    }
    println!("listening {v4} {v5} {websocket}");
    // Until the process that started this one ends.
    drop(std::io::stdin().read_to_end(&mut Vec::new()));
}

/// A thread and a runtime for each listener, as `rumqttd::Broker` has them.
fn serve<P: Protocol + Clone + Send + 'static>(mut server: Server<P>, kind: LinkType) {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(server.start(kind)).unwrap();
    });
}

/// rumqttd cannot say which port it was given.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// As rumqttd's own example has them, with smaller logs.
fn router_config() -> RouterConfig {
    RouterConfig {
        max_connections: 1000,
        max_outgoing_packet_count: 200,
        max_segment_size: 1024 * 1024,
        max_segment_count: 10,
        ..RouterConfig::default()
    }
}

fn settings(listen: SocketAddr) -> ServerSettings {
    ServerSettings {
        name: "stock".to_owned(),
        listen,
        tls: None,
        next_connection_delay_ms: 0,
        connections: ConnectionSettings {
            connection_timeout_ms: 5_000,
            max_payload_size: 64 * 1024,
            max_inflight_count: 200,
            auth: None,
            external_auth: None,
            dynamic_filters: false,
        },
    }
}
