//! The least MQTT client that shows each step of a connection: it waits for one answer after the other, and resends nothing.

use bytes::{Bytes, BytesMut};
use fogline_runtime::link::LinkSecurity;
use rumqttc::{
    ConnAck, Connect, ConnectReturnCode, Login, Packet, PubAck, Publish, QoS, SubAck, Subscribe, SubscribeFilter,
    SubscribeReasonCode,
};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

/// For each answer of a broker.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long one read waits at most, so that deadlines are kept.
pub(super) const STEP: Duration = Duration::from_millis(100);
/// What a broker of ours accepts, with room.
const PACKET_BYTES_MAX: usize = 256 * 1024;
/// Messages that come between a question and its answer and are put aside; a broker may have some retained.
const MESSAGES_MAX: usize = 64;

/// What carries the packets.
pub(super) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// Why a step has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum MqttError {
    /// The connection is gone.
    #[error("the broker ended the connection")]
    Ended,
    /// Nothing came.
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// It is not MQTT.
    #[error("the answer is no MQTT ({0}): is this the port of a broker, and with or without TLS as it wants?")]
    Foreign(String),
    /// The system says why.
    #[error("{0}")]
    Io(#[source] io::Error),
}

/// A connection.
pub(super) struct Mqtt {
    stream: Box<dyn Stream>,
    incoming: BytesMut,
    messages: Vec<(String, Bytes)>,
}

impl Mqtt {
    /// On a connected stream whose reads wait for [`STEP`] at most.
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, incoming: BytesMut::new(), messages: Vec::new() }
    }

    /// Says who we are, without a will and with a clean session.
    pub(super) fn login(&mut self, client: &str, security: &LinkSecurity) -> Result<ConnectReturnCode, MqttError> {
        let mut connect = Connect::new(client);
        connect.login = security.user.as_ref().map(|user| Login {
            username: user.clone(),
            password: security.password.as_ref().map_or_else(String::new, |password| password.expose().to_owned()),
        });
        self.send(&Packet::Connect(connect))?;
        self.wait(PATIENCE, |packet| match packet {
            Packet::ConnAck(ConnAck { code, .. }) => Some(code),
            _ => None,
        })
    }

    /// Subscribes, and tells for each filter whether it was granted.
    pub(super) fn subscribe(&mut self, filters: &[String]) -> Result<Vec<bool>, MqttError> {
        let filters = filters.iter().map(|filter| SubscribeFilter::new(filter.clone(), QoS::AtLeastOnce));
        let mut subscribe = Subscribe::new_many(filters);
        subscribe.pkid = 1;
        self.send(&Packet::Subscribe(subscribe))?;
        self.wait(PATIENCE, |packet| match packet {
            Packet::SubAck(SubAck { pkid: 1, return_codes }) => {
                Some(return_codes.iter().map(|code| *code != SubscribeReasonCode::Failure).collect())
            }
            _ => None,
        })
    }

    /// Publishes, and waits until the broker has it.
    pub(super) fn publish(&mut self, topic: &str, payload: Vec<u8>) -> Result<(), MqttError> {
        let mut publish = Publish::new(topic, QoS::AtLeastOnce, payload);
        publish.pkid = 2;
        self.send(&Packet::Publish(publish))?;
        self.wait(PATIENCE, |packet| matches!(packet, Packet::PubAck(PubAck { pkid: 2 })).then_some(()))
    }

    /// The first message for which `wanted` has an answer.
    pub(super) fn message<T>(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&str, &[u8]) -> Option<T>,
    ) -> Result<T, MqttError> {
        let early = self.messages.drain(..).find_map(|(topic, payload)| wanted(&topic, &payload));
        match early {
            Some(found) => Ok(found),
            None => self.wait(patience, |packet| match packet {
                Packet::Publish(publish) => wanted(&publish.topic, &publish.payload),
                _ => None,
            }),
        }
    }

    /// Takes leave, so that nobody takes this for a failure.
    pub(super) fn leave(mut self) {
        // It may be gone already.
        self.send(&Packet::Disconnect).ok();
    }

    fn send(&mut self, packet: &Packet) -> Result<(), MqttError> {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).map_err(|error| MqttError::Foreign(error.to_string()))?;
        self.stream.write_all(&bytes).and_then(|()| self.stream.flush()).map_err(of_io)
    }

    fn wait<T>(&mut self, patience: Duration, mut wanted: impl FnMut(Packet) -> Option<T>) -> Result<T, MqttError> {
        let deadline = Instant::now() + patience;
        loop {
            while let Some(packet) = self.next()? {
                self.answer(&packet)?;
                if let Some(found) = wanted(packet) {
                    return Ok(found);
                }
            }
            self.fill(deadline)?;
        }
    }

    /// Acknowledges what came, and keeps it for later.
    fn answer(&mut self, packet: &Packet) -> Result<(), MqttError> {
        let Packet::Publish(publish) = packet else { return Ok(()) };
        if self.messages.len() < MESSAGES_MAX {
            self.messages.push((publish.topic.clone(), publish.payload.clone()));
        }
        match publish.qos {
            QoS::AtLeastOnce => self.send(&Packet::PubAck(PubAck::new(publish.pkid))),
            QoS::AtMostOnce | QoS::ExactlyOnce => Ok(()),
        }
    }

    fn next(&mut self) -> Result<Option<Packet>, MqttError> {
        match Packet::read(&mut self.incoming, PACKET_BYTES_MAX) {
            Ok(packet) => Ok(Some(packet)),
            Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => Ok(None),
            Err(error) => Err(MqttError::Foreign(error.to_string())),
        }
    }

    fn fill(&mut self, deadline: Instant) -> Result<(), MqttError> {
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(MqttError::Ended),
                Ok(count) => {
                    self.incoming.extend_from_slice(bytes.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if is_pause(&error) && Instant::now() < deadline => {}
                Err(error) if is_pause(&error) => return Err(MqttError::Silent),
                Err(error) => return Err(of_io(error)),
            }
        }
    }
}

/// A read that has waited for [`STEP`].
fn is_pause(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn of_io(error: io::Error) -> MqttError {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::UnexpectedEof => MqttError::Ended,
        _ => MqttError::Io(error),
    }
}
