//! Messages as the router carries them to one inbox.

use bytes::Bytes;
use rumqttd::{
    Forward,
    protocol::{Packet, Publish, PublishProperties},
};

use crate::{
    message::{Message, messages},
    packet::QoS,
};

/// Bits of the byte that says how this receiver gets the messages. The router hands on a publish's properties as they are, so the
/// byte travels as one of them, and costs no allocation.
const QOS: u8 = 0x03;
const RETAIN: u8 = 0x04;

/// What a copy that waits takes beyond the bytes of its message: its place in a queue that may be twice as large as it needs to be. Without
/// it, many tiny messages would take ten times what they are counted as.
const PLACE_BYTES: usize = 128;

/// How a receiver gets messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// The highest QoS that it wants.
    pub(crate) qos: QoS,
    /// It wants to see RETAIN as it was published.
    pub(crate) retain_as_published: bool,
}

impl Way {
    fn bits(self) -> u8 {
        self.qos as u8 | if self.retain_as_published { RETAIN } else { 0 }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Some(Self { qos: QoS::from_bits(bits & QOS).ok()?, retain_as_published: bits & RETAIN != 0 })
    }
}

/// Messages for one receiver. Others may get the same ones, in other ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) batch: Bytes,
    pub(crate) way: Way,
    /// How the receiver gets them once more: it may be drawn by groups besides.
    pub(crate) more: Vec<Way>,
}

/// One receiver's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copy {
    pub(crate) message: Message,
    /// The lower of the publisher's and the subscription's [MQTT-3.8.4-6].
    pub(crate) qos: QoS,
    /// The RETAIN flag to be shown.
    pub(crate) retain: bool,
}

impl Copy {
    /// Bytes that it takes while it waits.
    pub(crate) fn cost(&self) -> usize {
        PLACE_BYTES + self.message.size()
    }
}

impl Parcel {
    /// `tag` names the inbox's owner: an inbox's name is used again.
    pub(super) fn into_packet(self, inbox: Bytes, tag: Bytes) -> Packet {
        let more: String = self.more.into_iter().map(|way| char::from(way.bits())).collect();
        let properties = PublishProperties {
            payload_format_indicator: Some(self.way.bits()),
            content_type: (!more.is_empty()).then_some(more),
            correlation_data: Some(tag),
            ..PublishProperties::default()
        };
        Packet::Publish(Publish::new(inbox, self.batch, false), Some(properties))
    }

    /// What came through the router; `None` if it is none of ours, or was meant for an earlier owner of the inbox.
    pub(super) fn from_forward(forward: Forward, tag: &Bytes) -> Option<Self> {
        let properties = forward.properties.filter(|properties| properties.correlation_data.as_ref() == Some(tag))?;
        let more = properties.content_type.unwrap_or_default();
        Some(Self {
            batch: forward.publish.payload,
            way: Way::from_bits(properties.payload_format_indicator?)?,
            more: more.bytes().filter_map(Way::from_bits).collect(),
        })
    }

    /// The receiver's copies. It sees RETAIN only if it asked for it [MQTT-3.3.1-9; MQTT-3.3.1-12 of 5.0].
    pub(super) fn copies(self) -> impl Iterator<Item = Copy> {
        let Self { batch, way, more } = self;
        messages(batch).flat_map(move |message| {
            let more: Vec<_> = more.iter().map(|way| copy(&message, *way)).collect();
            std::iter::once(copy(&message, way)).chain(more)
        })
    }
}

fn copy(message: &Message, way: Way) -> Copy {
    Copy { qos: message.qos.min(way.qos), retain: message.retain && way.retain_as_published, message: message.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Batch, Envelope};

    #[test]
    fn messages_come_out_as_this_receiver_wants_them() {
        let mut batch = Batch::default();
        for qos in [QoS::AtMostOnce, QoS::ExactlyOnce] {
            batch.push("a/b", &[], b"x", Envelope { qos, retain: true, expires: None });
        }
        let way = Way { qos: QoS::AtLeastOnce, retain_as_published: true };
        let other = Way { qos: QoS::ExactlyOnce, retain_as_published: false };
        let parcel = Parcel { batch: batch.take(), way, more: vec![other] };
        let packet = parcel.clone().into_packet(Bytes::from("small/1"), Bytes::from("tag"));
        let Packet::Publish(publish, properties) = packet else { panic!() };
        assert_eq!(publish.topic, "small/1");
        let forward = Forward { cursor: None, size: 0, publish, properties };
        assert_eq!(Parcel::from_forward(forward.clone(), &Bytes::from("another")), None);
        let arrived = Parcel::from_forward(forward, &Bytes::from("tag")).unwrap();
        assert_eq!(arrived, parcel);
        let seen: Vec<_> = arrived.copies().map(|copy| (copy.qos, copy.retain)).collect();
        let expected =
            [(QoS::AtMostOnce, true), (QoS::AtMostOnce, false), (QoS::AtLeastOnce, true), (QoS::ExactlyOnce, false)];
        assert_eq!(seen, expected);
    }
}
