//! Debian's Mosquitto on a free port, and a client that publishes.

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const PATHS: [&str; 3] = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto", "/usr/bin/mosquitto"];

/// A broker, killed with this value.
pub(super) struct Broker {
    child: Child,
    port: u16,
    tls_port: u16,
    folder: TempDir,
    user: Option<(String, String)>,
}

impl Broker {
    /// None, with a word, where there is no Mosquitto and none is required.
    pub(super) fn start(more: &str) -> Option<Self> {
        if !PATHS.iter().any(|path| Path::new(path).exists()) {
            assert!(std::env::var_os("FOGLINE_REQUIRE_SERVICES").is_none(), "no mosquitto on this machine");
            eprintln!("skipped: no mosquitto on this machine");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let allow = if more.contains("allow_anonymous") { "" } else { "allow_anonymous true\n" };
        // As root it would change to a user that cannot read the folder.
        let text = format!("listener {port} 127.0.0.1\n{allow}user root\n{more}");
        std::fs::write(folder.path().join("mosquitto.conf"), text).unwrap();
        let child = launch(&folder, port);
        Some(Self { child, port, tls_port: 0, folder, user: None })
    }

    /// With a second listener, over TLS, by these lines.
    pub(super) fn start_tls(lines: &str) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut broker = Self::start(&format!("listener {port} 127.0.0.1\n{lines}"))?;
        broker.tls_port = port;
        Some(broker)
    }

    pub(super) fn tls_port(&self) -> u16 {
        self.tls_port
    }

    pub(super) fn with_user(mut self, name: &str, password: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned()));
        self
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same broker on the same port, with an empty memory.
    pub(super) fn restart(&mut self) {
        self.child = launch(&self.folder, self.port);
    }

    /// Publishes at QoS 1, and waits for the broker's word.
    pub(super) fn publish(&self, topic: &str, payload: &str, retain: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let published = async {
            let mut options = MqttOptions::new("publisher", "127.0.0.1", self.port);
            if let Some((name, password)) = &self.user {
                options.set_credentials(name, password);
            }
            let (client, mut events) = AsyncClient::new(options, 4);
            client.publish(topic, QoS::AtLeastOnce, retain, payload).await.unwrap();
            while !matches!(events.poll().await.unwrap(), Event::Incoming(Packet::PubAck(_))) {}
            client.disconnect().await.unwrap();
            events.poll().await.ok();
        };
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), published).await.unwrap() });
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn launch(folder: &TempDir, port: u16) -> Child {
    let path = PATHS.iter().find(|path| Path::new(path).exists()).unwrap();
    let config = folder.path().join("mosquitto.conf");
    let child = Command::new(path).arg("-c").arg(config).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "mosquitto does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

/// A certificate for localhost that is its own CA, and its key.
pub(super) fn make_certificate(folder: &Path) -> [PathBuf; 2] {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let paths = ["cert.pem", "key.pem"].map(|name| folder.join(name));
    std::fs::write(&paths[0], cert.pem()).unwrap();
    std::fs::write(&paths[1], signing_key.serialize_pem()).unwrap();
    paths
}

/// False where there is no tool that makes password files.
pub(super) fn make_user(file: &Path, name: &str, password: &str) -> bool {
    let made = Command::new("mosquitto_passwd")
        .args(["-b", "-c"])
        .arg(file)
        .args([name, password])
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}
