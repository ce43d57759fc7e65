//! Speaking MQTT with other people's tools.

use super::broker::Broker;
use super::program::{Program, Recipe};
use super::services::service;

/// A running `mosquitto_sub -q 1 -v`, subscribed.
#[derive(Debug)]
pub struct Watcher {
    program: Program,
}

impl Watcher {
    /// Watches the topics of a filter. None where `mosquitto_sub` is not installed and need not be.
    #[must_use]
    pub fn start(broker: &Broker, filter: &str) -> Option<Self> {
        let program = service("mosquitto_sub")?;
        // With -d it says when it is subscribed; without stdbuf (of the GNU coreutils) it says so when its buffer is full.
        let recipe = Recipe::new(service("stdbuf")?)
            .arg("-oL")
            .arg(program)
            .args(["-d", "-q", "1", "-v", "-h", "127.0.0.1", "-p", &broker.port.to_string(), "-t", filter])
            .args(broker.login_of_tool())
            .ready_when("Subscribed (mid");
        Some(Self { program: Program::start(recipe) })
    }

    /// The first message on `topic` that has `part` in it, from the beginning on.
    #[must_use]
    pub fn message(&self, topic: &str, part: &str) -> serde_json::Value {
        let output = self.program.output();
        let line =
            output.line_where(&format!("{part:?} on {topic}"), |line| line.starts_with(topic) && line.contains(part));
        let line = line.expect("mosquitto_sub goes on");
        serde_json::from_str(&line[topic.len()..]).expect("a message is JSON")
    }
}

/// Publishes with `mosquitto_pub -q 1`, and waits until the broker has it. False where that is not installed and need not be.
#[must_use]
pub fn publish_by_hand(broker: &Broker, topic: &str, message: &str) -> bool {
    let Some(program) = service("mosquitto_pub") else { return false };
    let port = broker.port.to_string();
    let publish = Recipe::new(program).args(["-q", "1", "-h", "127.0.0.1", "-p", &port, "-t", topic, "-m", message]);
    let (status, output) = publish.run();
    assert!(status.success(), "mosquitto_pub: {output}");
    true
}

/// A client that publishes whatever it is given, at QoS 1, and counts what the broker has acknowledged.
pub struct Publisher {
    client: rumqttc::Client,
    connection: rumqttc::Connection,
    waiting: usize,
}

impl Publisher {
    /// Publishes without an acknowledgement, at most: well below what a broker holds back for.
    const INFLIGHT: u16 = 50;

    /// Connects under this name.
    #[must_use]
    pub fn connect(broker: &Broker, name: &str) -> Self {
        let mut options = rumqttc::MqttOptions::new(name, "127.0.0.1", broker.port);
        options.set_max_packet_size(1 << 20, 1 << 20).set_inflight(Self::INFLIGHT);
        let (client, connection) = rumqttc::Client::new(options, usize::from(Self::INFLIGHT));
        Self { client, connection, waiting: 0 }
    }

    /// Publishes, and waits while too much is unacknowledged.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn publish(&mut self, topic: &str, payload: Vec<u8>) -> anyhow::Result<()> {
        self.client.try_publish(topic, rumqttc::QoS::AtLeastOnce, false, payload).expect("there is room");
        self.waiting += 1;
        while self.waiting >= usize::from(Self::INFLIGHT) {
            self.step()?;
        }
        Ok(())
    }

    /// Waits until the broker has all of it.
    ///
    /// # Errors
    /// When the connection has ended.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        while self.waiting > 0 {
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> anyhow::Result<()> {
        let event = self.connection.recv().expect("the client is there");
        if let rumqttc::Event::Incoming(rumqttc::Packet::PubAck(_)) = event? {
            self.waiting -= 1;
        }
        Ok(())
    }
}
