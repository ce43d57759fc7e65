//! Keeps a connection up: one after the other, with waits between them, until the link is closed.

use std::ops::ControlFlow;
use std::time::Duration;

use rumqttc::{AsyncClient, EventLoop, LastWill, MqttOptions, NetworkOptions, QoS};

use super::backoff::Backoff;
use super::handle::Command;
use super::publish::Publish;
use super::session::{Context, End, Session};

/// Requests that rumqttc may hold. More would be resent past its own window after a reconnect, and lost.
const REQUEST_CAPACITY: usize = 1;

/// Bound of TCP connect and CONNACK together. Short, because the next broker of the list is waiting.
const CONNECT_TIMEOUT_SECS: u64 = 5;

/// A session that lasted this long was stable, and the next waits start short again.
const STABLE: Duration = Duration::from_secs(10);

/// Bytes of a CONNECT beside client id and will, rounded up.
const CONNECT_OVERHEAD_BYTES: usize = 32;

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
        let mut backoff = Backoff::new(self.context.config.seed, brokers);
        for connection in 1_u64.. {
            let attempt = usize::try_from(connection - 1).unwrap_or(0);
            let broker = attempt % brokers;
            let (end, lasted) = self.connect(broker, connection).await;
            let End::Failed(reason) = end else { return };
            self.context.shared.counters.failures.increment();
            if lasted >= STABLE {
                backoff.reset();
            }
            let delay = backoff.next_delay();
            let address = &self.context.config.brokers[broker];
            tracing::warn!(broker = %address, connection, reason, ?delay, "connection failed");
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

    async fn connect(&mut self, broker: usize, connection: u64) -> (End, Duration) {
        let options = match self.options(broker, connection) {
            Ok(options) => options,
            Err(reason) => return (End::Failed(reason), Duration::ZERO),
        };
        let (client, eventloop) = client(options);
        Session::new(&mut self.context, client, broker, connection).run(eventloop).await
    }

    fn options(&mut self, broker: usize, connection: u64) -> Result<MqttOptions, String> {
        let will = (self.will)(connection);
        let config = &self.context.config;
        let address = &config.brokers[broker];
        let mut options = MqttOptions::new(config.client_id.as_str(), address.host.as_str(), address.port);
        options
            .set_keep_alive(config.keep_alive)
            .set_clean_session(true)
            .set_inflight(config.inflight)
            .set_max_packet_size(config.max_packet_bytes, config.max_packet_bytes);
        if let Some(will) = will {
            let room = config.max_packet_bytes.saturating_sub(config.client_id.len() + CONNECT_OVERHEAD_BYTES);
            will.check(room).map_err(|error| format!("last will: {error}"))?;
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

fn client(options: MqttOptions) -> (AsyncClient, EventLoop) {
    let (client, mut eventloop) = AsyncClient::new(options, REQUEST_CAPACITY);
    let mut network = NetworkOptions::new();
    network.set_tcp_nodelay(true);
    network.set_connection_timeout(CONNECT_TIMEOUT_SECS);
    eventloop.set_network_options(network);
    (client, eventloop)
}
