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

/// Messages for one receiver. Others may get the same ones, in other ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) batch: Bytes,
    /// The highest QoS that the receiver wants.
    pub(crate) qos: QoS,
    /// It wants to see RETAIN as it was published.
    pub(crate) retain_as_published: bool,
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
    pub(crate) fn size(&self) -> usize {
        self.message.size()
    }
}

impl Parcel {
    pub(super) fn into_packet(self, inbox: Bytes) -> Packet {
        let bits = self.qos as u8 | if self.retain_as_published { RETAIN } else { 0 };
        let properties = PublishProperties { payload_format_indicator: Some(bits), ..PublishProperties::default() };
        Packet::Publish(Publish::new(inbox, self.batch, false), Some(properties))
    }

    /// What came through the router; `None` if it is none of ours.
    pub(super) fn from_forward(forward: Forward) -> Option<Self> {
        let bits = forward.properties?.payload_format_indicator?;
        let qos = QoS::from_bits(bits & QOS).ok()?;
        Some(Self { batch: forward.publish.payload, qos, retain_as_published: bits & RETAIN != 0 })
    }

    /// The receiver's copies. It sees RETAIN only if it asked for it [MQTT-3.3.1-9; MQTT-3.3.1-12 of 5.0].
    pub(super) fn copies(self) -> impl Iterator<Item = Copy> {
        messages(self.batch).map(move |message| Copy {
            qos: message.qos.min(self.qos),
            retain: message.retain && self.retain_as_published,
            message,
        })
    }
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
        let parcel = Parcel { batch: batch.take(), qos: QoS::AtLeastOnce, retain_as_published: true };
        let Packet::Publish(publish, properties) = parcel.clone().into_packet(Bytes::from("small/1")) else { panic!() };
        assert_eq!(publish.topic, "small/1");
        let arrived = Parcel::from_forward(Forward { cursor: None, size: 0, publish, properties }).unwrap();
        assert_eq!(arrived, parcel);
        let seen: Vec<_> = arrived.copies().map(|copy| (copy.qos, copy.retain)).collect();
        assert_eq!(seen, [(QoS::AtMostOnce, true), (QoS::AtLeastOnce, true)]);
        let hidden = Parcel { retain_as_published: false, ..parcel };
        assert!(hidden.copies().all(|copy| !copy.retain));
    }
}
