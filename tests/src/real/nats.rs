//! A NATS JetStream cluster of three servers with MQTT over TLS, with the configuration of this repository and the tests' users.

use super::broker::Broker;
use super::crowd::Crowd;
use super::http::get;
use super::ports::free_port;
use super::program::{Program, Recipe};
use super::services::service;
use super::wait::until;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// How many servers: the fewest of which one may die.
const SERVERS: usize = 3;

/// How long three servers may take to be one cluster. Elections take up to 9 s each, and on a busy machine fail.
const RECOVERY: Duration = Duration::from_secs(240);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(200);

/// Three servers on loopback. Each keeps its ports and its data over restarts.
#[derive(Debug)]
pub struct NatsCluster {
    /// The servers, for agents and ingesters to connect to.
    pub servers: [Broker; SERVERS],
    monitors: [SocketAddr; SERVERS],
}

/// The ports of a server.
#[derive(Debug, Clone, Copy)]
struct Ports {
    nats: u16,
    monitor: u16,
    route: u16,
    mqtt: u16,
}

impl NatsCluster {
    /// Starts it with its files in `folder`, and waits until it works. None where NATS is not installed and need not be.
    #[must_use]
    pub fn start(folder: &Path) -> Option<Self> {
        let program = service("nats-server")?;
        let crowd = Crowd::make(folder);
        crowd.export("nats", folder);
        let ports = [(); SERVERS].map(|()| Ports {
            nats: free_port(),
            monitor: free_port(),
            route: free_port(),
            mqtt: free_port(),
        });
        let mut index = 0;
        let servers = ports.map(|own| {
            index += 1;
            let recipe = server(&program, &crowd, folder, (index, own), &ports);
            Broker::guarded(Program::start(recipe), own.mqtt, crowd.clone())
        });
        let monitors = ports.map(|ports| SocketAddr::from(([127, 0, 0, 1], ports.monitor)));
        let cluster = Self { servers, monitors };
        cluster.until_whole();
        Some(cluster)
    }

    /// All servers in order, as the value of `--broker`.
    #[must_use]
    pub fn addresses(&self) -> String {
        self.servers.each_ref().map(Broker::address).join(",")
    }

    /// The server that leads JetStream's metadata, as the others say.
    #[must_use]
    pub fn meta_leader(&self) -> usize {
        until("JetStream has a leader", || self.monitors.iter().find_map(|monitor| leader(*monitor)))
    }

    /// The server that a client is connected to.
    #[must_use]
    pub fn server_of(&self, client: &str) -> usize {
        until(&format!("{client} is connected"), || {
            self.monitors.iter().position(|monitor| connections(*monitor).contains(&Value::from(client)))
        })
    }

    /// Kills a server. The others go on.
    pub fn kill(&mut self, server: usize) {
        self.servers[server].program.kill();
    }

    /// Starts a server that was killed, and waits until all three have all there is.
    pub fn restart(&mut self, server: usize) {
        self.servers[server].program.restart();
        self.until_whole();
    }

    /// Waits until every server is there, and has all messages. What a server says of itself at `/healthz` is more: also of
    /// the subscriptions of clients that are long gone.
    fn until_whole(&self) {
        let deadline = Instant::now() + RECOVERY;
        while !self.is_whole() {
            assert!(Instant::now() < deadline, "the cluster is not whole after {RECOVERY:?}");
            std::thread::sleep(PAUSE);
        }
    }

    fn is_whole(&self) -> bool {
        let pages: Vec<Value> = self.monitors.iter().filter_map(|monitor| streams(*monitor)).collect();
        let leaders: Vec<_> = pages.iter().filter_map(leader_in).collect();
        let same = leaders.len() == SERVERS && leaders.iter().all(|leader| leaders.first() == Some(leader));
        let current = (1..).zip(&pages).all(|(number, page)| followers_are_current(&format!("nats-{number}"), page));
        same && current && self.monitors.iter().all(|monitor| is_healthy(*monitor))
    }
}

fn is_healthy(monitor: SocketAddr) -> bool {
    get(monitor, "/healthz?js-server-only=true").is_some_and(|(status, _)| status == 200)
}

/// What a server says of JetStream and its streams.
fn streams(monitor: SocketAddr) -> Option<Value> {
    let (_, page) = get(monitor, "/jsz?accounts=true&streams=true")?;
    serde_json::from_str(&page).ok()
}

/// Whether the followers of the streams that a server leads have all there is: only their leader knows.
fn followers_are_current(server: &str, page: &Value) -> bool {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let streams = list(&page["account_details"]).into_iter().flat_map(|account| list(&account["stream_detail"]));
    let led = streams.filter(|stream| stream["cluster"]["leader"] == server);
    led.flat_map(|stream| list(&stream["cluster"]["replicas"])).all(|replica| replica["current"] == true)
}

/// One of the servers, with the file that is shipped on ports of its own.
fn server(
    program: &Path,
    crowd: &Crowd,
    folder: &Path,
    (index, own): (usize, Ports),
    all: &[Ports; SERVERS],
) -> Recipe {
    let (name, home) = (format!("nats-{index}"), folder.join(format!("nats-{index}")));
    std::fs::create_dir(&home).unwrap();
    std::fs::copy(folder.join("users.conf"), home.join("users.conf")).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nats/nats.conf");
    let mut conf = std::fs::read_to_string(shipped).unwrap();
    let mut replace = |old: &str, new: String| {
        assert!(conf.contains(old), "nats.conf has no {old}");
        conf = conf.replace(old, &new);
    };
    replace("127.0.0.1:4222", format!("127.0.0.1:{}", own.nats));
    replace("127.0.0.1:8222", format!("127.0.0.1:{}", own.monitor));
    replace("0.0.0.0:6222", format!("127.0.0.1:{}", own.route));
    replace("0.0.0.0:8883", format!("127.0.0.1:{}", own.mqtt));
    for file in ["server.pem", "server-key.pem"] {
        replace(&format!("tls/{file}"), crowd.file(file).display().to_string());
    }
    for (number, ports) in (1..).zip(all) {
        replace(&format!("nats-{number}:6222"), format!("127.0.0.1:{}", ports.route));
    }
    std::fs::write(home.join("nats.conf"), conf).unwrap();
    Recipe::new(program).args(["--name", &name, "--config", "nats.conf"]).folder(&home).ready_when("Server is ready")
}

/// Which server leads, as one of them says.
fn leader(monitor: SocketAddr) -> Option<usize> {
    leader_in(&streams(monitor)?)
}

fn leader_in(page: &Value) -> Option<usize> {
    let name = page.pointer("/meta_cluster/leader")?.as_str()?;
    name.strip_prefix("nats-")?.parse::<usize>().ok()?.checked_sub(1)
}

/// The ids of the MQTT clients that are connected to a server.
fn connections(monitor: SocketAddr) -> Vec<Value> {
    let page =
        get(monitor, "/connz").and_then(|(_, page)| serde_json::from_str::<Value>(&page).ok()).unwrap_or_default();
    let all = page["connections"].as_array().cloned().unwrap_or_default();
    all.into_iter().map(|connection| connection["mqtt_client"].clone()).collect()
}
