//! Keeps a connection up: one after the other, with waits between them, until the link is closed.

use std::ops::ControlFlow;
use std::time::Duration;

use rumqttc::{AsyncClient, EventLoop, LastWill, MqttOptions, NetworkOptions, QoS, TlsConfiguration};

use super::address::{BrokerAddress, Transport};
use super::backoff::Backoff;
use super::handle::Command;
use super::publish::Publish;
use super::session::{Context, End, Session};
use crate::secret::Secret;

/// Requests that rumqttc may hold. More would be resent past its own window after a reconnect, and lost.
const REQUEST_CAPACITY: usize = 1;

/// Bound of TCP connect, TLS and CONNACK together. Short, because the next broker of the list is waiting.
const CONNECT_TIMEOUT_SECS: u64 = 5;

/// A session that lasted this long was stable, and the next waits start short again.
const STABLE: Duration = Duration::from_secs(10);

/// Bound of reading the certificate files: they may be on a network's disk.
const FILES_TIMEOUT: Duration = Duration::from_secs(5);

/// MQTT writes the length of a will's payload in 16 bits.
const MAX_WILL_BYTES: usize = 65_535;

/// The task behind a link.
pub(super) struct Supervisor<W> {
    pub(super) context: Context,
    pub(super) will: W,
}

impl<W: FnMut(u64) -> Option<Publish> + Send> Supervisor<W> {
    pub(super) async fn run(mut self) {
        let brokers = self.context.config.brokers.len();
        let mut backoff = Backoff::new(self.context.config.seed, brokers, self.context.config.retry_within);
        let mut broker = 0;
        for connection in 1_u64.. {
            let (end, lasted) = self.connect(broker, connection).await;
            if lasted >= STABLE {
                backoff.reset();
            }
            let left = broker;
            let delay = match &end {
                End::Closed => return,
                End::Moved(wanted) => {
                    broker = *wanted;
                    Duration::ZERO
                }
                End::Failed(_) => {
                    self.context.shared.counters.failures.increment();
                    broker = (broker + 1) % brokers;
                    backoff.next_delay()
                }
            };
            self.say_why(&end, left, broker, connection, delay);
            if self.pause(delay).await.is_break() {
                return;
            }
            // A change of state is never refused for want of room, so none is made while there is none.
            while self.context.events.is_full() {
                if self.pause(backoff.next_delay()).await.is_break() {
                    return;
                }
            }
        }
    }

    fn say_why(&self, end: &End, left: usize, next: usize, connection: u64, delay: Duration) {
        let [left, next] = [left, next].map(|broker| &self.context.config.brokers[broker]);
        match end {
            End::Failed(reason) => {
                tracing::warn!(broker = %left, connection, reason, %next, ?delay, "connection failed");
            }
            End::Moved(_) => tracing::debug!(broker = %left, connection, %next, "connection left"),
            End::Closed => {}
        }
    }

    async fn connect(&mut self, broker: usize, connection: u64) -> (End, Duration) {
        let tls = match self.transport(broker).await {
            Ok(tls) => tls,
            Err(reason) => return (End::Failed(reason), Duration::ZERO),
        };
        let mut options = match self.options(broker, connection) {
            Ok(options) => options,
            Err(reason) => return (End::Failed(reason), Duration::ZERO),
        };
        options.set_transport(tls);
        let (client, eventloop) = client(options);
        Session::new(&mut self.context, client, broker, connection).run(eventloop).await
    }

    /// How to reach the broker, with certificates as their files are now: a renewed one counts without a restart.
    async fn transport(&mut self, broker: usize) -> Result<rumqttc::Transport, String> {
        if self.context.config.brokers[broker].transport == Transport::Tcp {
            return Ok(rumqttc::Transport::Tcp);
        }
        let security = self.context.config.security.clone();
        let reading = tokio::task::spawn_blocking(move || security.client_config());
        let read = tokio::time::timeout(FILES_TIMEOUT, reading).await;
        let read = read.map_err(|_| format!("certificate files not read within {FILES_TIMEOUT:?}"))?;
        let config = read.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        Ok(rumqttc::Transport::tls_with_config(TlsConfiguration::Rustls(config)))
    }

    fn options(&mut self, broker: usize, connection: u64) -> Result<MqttOptions, String> {
        let will = (self.will)(connection);
        let config = &self.context.config;
        let address = &config.brokers[broker];
        let mut options = MqttOptions::new(config.client_id.as_str(), host(address), address.port);
        options
            .set_keep_alive(config.keep_alive)
            .set_clean_session(true)
            .set_inflight(config.inflight)
            .set_max_packet_size(config.max_packet_bytes, config.max_packet_bytes);
        if let Some(user) = &config.security.user {
            // rumqttc leaves an empty password out of the CONNECT.
            let password = config.security.password.as_ref().map_or("", Secret::expose);
            options.set_credentials(user, password);
        }
        if let Some(will) = will {
            will.check(config.will_room()).map_err(|error| format!("last will: {error}"))?;
            if will.payload.len() > MAX_WILL_BYTES {
                return Err(format!("last will: a payload over {MAX_WILL_BYTES} bytes"));
            }
            options.set_last_will(LastWill::new(will.topic, will.payload, QoS::AtLeastOnce, will.retain));
        }
        Ok(options)
    }

    /// Waits, throwing away what is still queued for the ended connection. Breaks when the link is to end.
    async fn pause(&mut self, delay: Duration) -> ControlFlow<()> {
        let deadline = tokio::time::Instant::now() + delay;
        loop {
            tokio::select! {
                biased;
                command = self.context.commands.recv() => match command {
                    Some(Command::Publish { publish, .. }) => self.context.discard(&publish),
                    Some(Command::Listen(filters)) => self.context.listening = filters,
                    Some(Command::Close(done)) => {
                        // Whoever asked may have given up waiting.
                        done.send(false).ok();
                        return ControlFlow::Break(());
                    }
                    None => return ControlFlow::Break(()),
                },
                () = self.context.events.closed() => return ControlFlow::Break(()),
                () = tokio::time::sleep_until(deadline) => return ControlFlow::Continue(()),
            }
        }
    }
}

/// The host as rumqttc wants it: for TLS it is also the name that the certificate must be for, which has no brackets.
fn host(address: &BrokerAddress) -> &str {
    match address.transport {
        Transport::Tcp => &address.host,
        Transport::Tls => address.bare_host(),
    }
}

fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
    let (client, mut eventloop) = AsyncClient::new(options, REQUEST_CAPACITY);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT_SECS);
    eventloop.set_network_options(network);
    (client, eventloop)
}
