//! What is on the wire: MQTT 3.1.1 and 5.0 packets as a server reads and writes them.
//!
//! `rumqttc::mqttbytes` is a client's codec. It drops what a server has to refuse (reserved bits, repeated properties, bytes after
//! the end of a packet), wants passwords to be UTF-8, and copies each topic. So this module reads packets in place, strictly, and
//! into one shape for both versions; its tests hold it against `rumqttc`.

mod ack;
mod connect;
mod frame;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod properties;
mod publish;
mod reader;
mod reason;
mod reply;
mod subscribe;

pub(crate) use ack::{Ack, Disconnect, write_ack};
pub(crate) use connect::{Connect, ConnectError, WillRequest};
pub(crate) use frame::{Frame, FrameError, Kind};
pub(crate) use properties::{expiry_property, subscription_id_property, topic_alias_property};
pub(crate) use publish::{Publish, PublishHeader, write_publish};
pub(crate) use reader::Malformed;
pub(crate) use reason::Reason;
pub(crate) use reply::{ConnAck, write_connack, write_disconnect, write_pingresp, write_suback, write_unsuback};
pub(crate) use subscribe::{RetainHandling, Subscribe, SubscribeOptions, Unsubscribe};

/// The version of the protocol that a connection speaks, chosen by its CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// MQTT 3.1.1, protocol level 4.
    V311,
    /// MQTT 5.0, protocol level 5.
    V5,
}

/// Quality of service: 0, 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::enum_variant_names, reason = "the standard's names")]
pub(crate) enum QoS {
    /// At most once: no acknowledgement.
    AtMostOnce = 0,
    /// At least once: PUBACK.
    AtLeastOnce = 1,
    /// Exactly once: PUBREC, PUBREL, PUBCOMP.
    ExactlyOnce = 2,
}

impl QoS {
    /// The level that two bits stand for; 3 is malformed [MQTT-3.3.1-4].
    pub(crate) fn from_bits(bits: u8) -> Result<Self, Malformed> {
        match bits {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(Malformed("QoS 3")),
        }
    }
}
