//! Connected to the broker, again and again, as long as the source runs.

use super::config::MqttConfig;
use super::topics::{Message, Topics};
use crate::source::feed::{Feed, Gone};
use crate::source::mapping::PAYLOAD_MAX_BYTES;
use crate::source::receipt::Committed;
use crate::source::{Offer, Receipt, SourceError};
use fogline_protocol::reading::Readings;
use fogline_runtime::link::Transport;
use rumqttc::{
    AsyncClient, Event, EventLoop, MqttOptions, NetworkOptions, Packet, Publish, QoS, SubscribeFilter, TlsConfiguration,
};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Between signs of life, when nothing else is said.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT_SECS: u64 = 10;
/// The first wait before the next attempt.
const RETRY_FIRST: Duration = Duration::from_millis(500);
/// The longest one.
const RETRY_MAX: Duration = Duration::from_secs(15);
/// A packet has a topic beside its payload. A longer one ends the connection, as MQTT wants it.
const PACKET_MAX_BYTES: usize = 4 * PAYLOAD_MAX_BYTES;
/// Messages between the connection and the mapping: then the broker waits.
const MESSAGES_WAITING: usize = 64;
/// Messages that are not acknowledged yet: more than brokers leave unacknowledged (Mosquitto: 20).
const ACKS_WAITING: usize = 1024;
/// What is asked of the client and waits for the connection.
const REQUESTS_WAITING: usize = 2 * ACKS_WAITING;

/// Connects until the source is stopped.
pub(super) async fn run(feed: Feed, config: MqttConfig) -> Result<(), SourceError> {
    let mut topics = Topics::new(&config);
    let (mut wait, mut connected) = (RETRY_FIRST, None);
    if config.security.password.is_some() && config.broker.transport == Transport::Tcp && !config.broker.is_loopback() {
        tracing::warn!(source = feed.name(), broker = %config.broker, "the password goes there where others can read it: use mqtts://");
    }
    loop {
        let ended = connect(&feed, &config, &mut topics).await;
        match ended {
            Err(Gone) => return Ok(()),
            Ok(Ended { was_connected, reason }) => {
                if was_connected {
                    wait = RETRY_FIRST;
                }
                if was_connected || connected != Some(false) {
                    tracing::warn!(source = feed.name(), broker = %config.broker, reason, "the local broker is away: it is tried again");
                }
                connected = Some(false);
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_MAX);
    }
}

/// Why a connection ended.
struct Ended {
    was_connected: bool,
    reason: String,
}

/// What the connection says.
enum Said {
    Connected,
    Message(Publish),
    Ended(String),
}

async fn connect(feed: &Feed, config: &MqttConfig, topics: &mut Topics) -> Result<Ended, Gone> {
    let (client, mut events) = match client(config) {
        Ok(client) => client,
        Err(reason) => return Ok(Ended { was_connected: false, reason }),
    };
    // The connection has a task of its own, so that it answers the broker's pings whatever the queue does. It ends with this set.
    let mut tasks = JoinSet::new();
    let (sender, mut said) = mpsc::channel(MESSAGES_WAITING);
    tasks.spawn(async move { listen(&mut events, &sender).await });
    let mut link = Link { feed, client, topics, waiting: VecDeque::new() };
    let mut was_connected = false;
    loop {
        let room = link.waiting.len() < ACKS_WAITING;
        tokio::select! {
            biased;
            committed = wait_for(link.waiting.front_mut()) => link.acknowledge(committed),
            said = said.recv(), if room => match said {
                Some(Said::Connected) => {
                    was_connected = true;
                    tracing::info!(source = feed.name(), broker = %config.broker, "connected to the local broker");
                    link.subscribe(link.topics.filters());
                }
                Some(Said::Message(publish)) => link.take(publish).await?,
                Some(Said::Ended(reason)) => return Ok(Ended { was_connected, reason }),
                None => return Ok(Ended { was_connected, reason: "the connection's task ended".to_owned() }),
            },
        }
    }
}

async fn listen(events: &mut EventLoop, said: &mpsc::Sender<Said>) {
    loop {
        let say = match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Said::Connected,
            Ok(Event::Incoming(Packet::Publish(publish))) => Said::Message(publish),
            Ok(_) => continue,
            Err(error) => Said::Ended(error.to_string()),
        };
        let last = matches!(say, Said::Ended(_));
        if said.send(say).await.is_err() || last {
            return;
        }
    }
}

/// Waits for ever when nothing waits for a commit.
async fn wait_for(first: Option<&mut Waiting>) -> bool {
    match first.map(|waiting| &mut waiting.committed) {
        Some(Some(committed)) => committed.wait().await,
        // Nothing of it went to the queue.
        Some(None) => true,
        None => std::future::pending().await,
    }
}

/// A message that the broker waits to have acknowledged. They are, in the order in which they came (MQTT 3.1.1, 4.6).
struct Waiting {
    publish: Publish,
    committed: Option<Committed>,
}

struct Link<'a> {
    feed: &'a Feed,
    client: AsyncClient,
    topics: &'a mut Topics,
    waiting: VecDeque<Waiting>,
}

impl Link<'_> {
    fn subscribe(&self, filters: Vec<String>) {
        if filters.is_empty() {
            return;
        }
        let filters = filters.into_iter().map(|path| SubscribeFilter { path, qos: QoS::AtLeastOnce });
        // A connection that is full is at its end, and the next one subscribes again.
        if let Err(error) = self.client.try_subscribe_many(filters) {
            tracing::debug!(source = self.feed.name(), %error, "not subscribed");
        }
    }

    async fn take(&mut self, publish: Publish) -> Result<(), Gone> {
        let (mut readings, mut subscribe) = (Readings::new(), Vec::new());
        let message = Message { topic: &publish.topic, payload: &publish.payload, retained: publish.retain };
        if let Err(error) = self.topics.take(message, self.feed.wall(), &mut readings, &mut subscribe) {
            self.feed.skip(&publish.payload, &format_args!("{}: {error}", publish.topic));
        }
        self.subscribe(subscribe);
        let committed = if readings.is_empty() {
            None
        } else {
            let (receipt, committed) = Receipt::new();
            self.feed.give(Offer { readings, receipts: vec![receipt], position: None }).await?;
            Some(committed)
        };
        if publish.qos != QoS::AtMostOnce {
            self.waiting.push_back(Waiting { publish, committed });
        }
        Ok(())
    }

    fn acknowledge(&mut self, committed: bool) {
        let Some(waiting) = self.waiting.pop_front() else { return };
        // What the agent did not commit before it stops comes again.
        if committed && self.client.try_ack(&waiting.publish).is_err() {
            tracing::debug!(
                source = self.feed.name(),
                "the connection ended before an acknowledgement: the message comes again"
            );
        }
    }
}

fn client(config: &MqttConfig) -> Result<(AsyncClient, EventLoop), String> {
    let broker = &config.broker;
    let host = match broker.transport {
        Transport::Tcp => &broker.host,
        Transport::Tls => broker.bare_host(),
    };
    let mut options = MqttOptions::new(config.client_id.as_str(), host, broker.port);
    options
        .set_keep_alive(KEEP_ALIVE)
        .set_clean_session(false)
        .set_manual_acks(true)
        .set_max_packet_size(PACKET_MAX_BYTES, PACKET_MAX_BYTES);
    if let Some(user) = &config.security.user {
        let password = config.security.password.as_ref().map_or("", |secret| secret.expose());
        options.set_credentials(user, password);
    }
    if broker.transport == Transport::Tls {
        let tls = config.security.client_config().map_err(|error| error.to_string())?;
        options.set_transport(rumqttc::Transport::tls_with_config(TlsConfiguration::Rustls(tls)));
    }
    let (client, mut events) = AsyncClient::new(options, REQUESTS_WAITING);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT_SECS);
    events.set_network_options(network);
    Ok((client, events))
}
