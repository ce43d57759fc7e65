//! A message as the router carries it to one inbox.

use bytes::Bytes;
use rumqttd::{
    Forward,
    protocol::{Packet, Publish, PublishProperties},
};

use crate::{
    message::{Deadline, Message},
    packet::QoS,
};

/// Bits of the byte that says how this receiver gets the message. The router hands on a publish's properties as they are, so the
/// byte travels as one of them, and costs no allocation.
const QOS: u8 = 0x03;
const RETAIN: u8 = 0x04;

/// One receiver's copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) message: Message,
    /// The lower of the publisher's and the subscription's [MQTT-3.8.4-6].
    pub(crate) qos: QoS,
    /// The RETAIN flag to be shown.
    pub(crate) retain: bool,
}

impl Copy {
    /// Bytes that the router counts for it, but for the inbox's name.
    pub(crate) fn size(&self) -> usize {
        self.message.size()
    }

    pub(super) fn into_packet(self, inbox: Bytes) -> Packet {
        let bits = self.qos as u8 | if self.retain { RETAIN } else { 0 };
        let properties = PublishProperties {
            payload_format_indicator: Some(bits),
            topic_alias: None,
            // The time is ours, too, and the router would take its unit for seconds and drop the message unseen.
            message_expiry_interval: None,
            correlation_data: self.message.expires.map(|expires| Bytes::copy_from_slice(&expires.to_be_bytes())),
            ..PublishProperties::default()
        };
        Packet::Publish(Publish::new(inbox, self.message.body().clone(), false), Some(properties))
    }

    /// What came through the router; `None` if it is none of ours.
    pub(super) fn from_forward(forward: Forward) -> Option<Self> {
        let properties = forward.properties?;
        let bits = properties.payload_format_indicator?;
        let mut message = Message::from_body(forward.publish.payload);
        message.expires =
            properties.correlation_data.and_then(|bytes| Some(Deadline::from_be_bytes(*bytes.first_chunk()?)));
        Some(Self { message, qos: QoS::from_bits(bits & QOS).ok()?, retain: bits & RETAIN != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_comes_out_as_it_went_in() {
        let mut message = Message::new("a/b", &[1, 1], b"x");
        message.expires = Some(77);
        let copy = Copy { message, qos: QoS::ExactlyOnce, retain: true };
        let Packet::Publish(publish, properties) = copy.clone().into_packet(Bytes::from("small/1")) else { panic!() };
        assert_eq!(publish.topic, "small/1");
        let forward = Forward { cursor: None, size: 0, publish, properties };
        assert_eq!(Copy::from_forward(forward), Some(copy));
    }
}
