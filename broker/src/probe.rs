//! One round trip of a message through the listener and the router, as any client would make it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use rumqttc::{
    AsyncClient, ClientError, ConnectReturnCode, ConnectionError, Event, EventLoop, MqttOptions, Packet, QoS,
};
use tokio::time::error::Elapsed;

/// No agent has this name: theirs have no dot.
const CLIENT_ID: &str = "fogline.watchdog";
/// Outside `fogline/v1/`, so that nobody who watches Fogline's topics sees it.
pub(crate) const TOPIC: &str = "fogline/watchdog";
/// A message fills a segment of its log, so that the next one replaces it: as long as rumqttd keeps a message, it keeps the
/// whole 10 KiB buffer of the connection that it came in on, and each message comes in on a connection of its own.
pub(crate) const MESSAGE_BYTES: usize = 1024;
/// Room for the subscription and the message, so that handing them over never waits.
const REQUESTS: usize = 2;

/// Why no message came back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("{0}")]
    Connection(#[from] Box<ConnectionError>),
    #[error("{0}")]
    Request(#[from] ClientError),
    #[error("subscription refused")]
    Refused,
}

/// Makes round trips, each on a connection of its own: a poisoned listener still serves those it has.
#[derive(Debug)]
pub(crate) struct Probe {
    address: SocketAddr,
    /// Part of the client id: rumqttd's listener fails as a whole when an id that it refused once comes again.
    refusals: u64,
    round_trips: u64,
}

impl Probe {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, refusals: 0, round_trips: 0 }
    }

    /// Connects, subscribes, publishes at QoS 1, and waits for both the acknowledgement and the message.
    ///
    /// # Errors
    /// Whatever kept the message from coming back within `timeout`.
    pub(crate) async fn round_trip(&mut self, timeout: Duration) -> Result<(), ProbeError> {
        self.round_trips += 1;
        let (client, events) = AsyncClient::new(self.options(), REQUESTS);
        let outcome = tokio::time::timeout(timeout, exchange(client, events, self.round_trips))
            .await
            .unwrap_or_else(|_: Elapsed| Err(ProbeError::Timeout(timeout)));
        if outcome.is_err() {
            self.refusals += 1;
        }
        outcome
    }

    fn options(&self) -> MqttOptions {
        let id = match self.refusals {
            0 => CLIENT_ID.to_owned(),
            n => format!("{CLIENT_ID}-{n}"),
        };
        let host = match self.address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        MqttOptions::new(id, host, self.address.port())
    }
}

/// Ends by closing the socket, without DISCONNECT: after that packet rumqttd hears of the end twice, and the second
/// time may drop a connection that took over the number of this one.
async fn exchange(client: AsyncClient, mut events: EventLoop, number: u64) -> Result<(), ProbeError> {
    let mut message = vec![0; MESSAGE_BYTES];
    message[..size_of::<u64>()].copy_from_slice(&number.to_be_bytes());
    let (mut acknowledged, mut received) = (false, false);
    while !(acknowledged && received) {
        match events.poll().await.map_err(Box::new)? {
            Event::Incoming(Packet::ConnAck(connack)) if connack.code == ConnectReturnCode::Success => {
                client.try_subscribe(TOPIC, QoS::AtLeastOnce)?;
            }
            Event::Incoming(Packet::SubAck(suback)) => {
                if suback.return_codes.contains(&rumqttc::SubscribeReasonCode::Failure) {
                    return Err(ProbeError::Refused);
                }
                client.try_publish(TOPIC, QoS::AtLeastOnce, false, message.as_slice())?;
            }
            Event::Incoming(Packet::PubAck(_)) => acknowledged = true,
            Event::Incoming(Packet::Publish(publish)) => received |= publish.payload == message,
            _ => {}
        }
    }
    Ok(())
}
