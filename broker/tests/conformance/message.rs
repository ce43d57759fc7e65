//! PUBLISH packets, to send and as they come.

use crate::{
    packet::{Packet, frame, read_variable, text},
    property::{self, Property},
};

/// A PUBLISH; `properties` are MQTT 5's, with their length in front, and none in MQTT 3.1.1.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) topic: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    pub(crate) qos: u8,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    /// The packet identifier, 0 where there is none.
    pub(crate) id: u16,
    pub(crate) properties: Option<Vec<u8>>,
}

impl Message {
    /// A message of QoS 0.
    pub(crate) fn new(topic: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> Self {
        let (topic, payload) = (topic.as_ref().to_vec(), payload.as_ref().to_vec());
        Self { topic, payload, qos: 0, dup: false, retain: false, id: 0, properties: None }
    }

    pub(crate) fn qos(self, qos: u8, id: u16) -> Self {
        Self { qos, id, ..self }
    }

    pub(crate) fn retained(self) -> Self {
        Self { retain: true, ..self }
    }

    /// As sent again.
    pub(crate) fn dup(self) -> Self {
        Self { dup: true, ..self }
    }

    /// With properties of MQTT 5.
    pub(crate) fn v5(self, properties: &[Property]) -> Self {
        Self { properties: Some(property::encode(properties)), ..self }
    }

    /// Its properties; none in MQTT 3.1.1.
    pub(crate) fn properties(&self) -> Vec<Property> {
        self.properties.as_ref().map(|bytes| property::decode(bytes).0).unwrap_or_default()
    }

    /// The whole packet.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let first = 0x30 | u8::from(self.dup) << 3 | self.qos << 1 | u8::from(self.retain);
        let mut body = text(&self.topic);
        if self.qos > 0 {
            body.extend(self.id.to_be_bytes());
        }
        body.extend(self.properties.iter().flatten());
        body.extend(&self.payload);
        frame(first, &body)
    }

    /// Reads a PUBLISH that a server sent.
    pub(crate) fn read(packet: &Packet, v5: bool) -> Self {
        assert!(packet.is_publish(), "expected a PUBLISH, got {packet:?}");
        let (qos, mut rest) = (packet.first >> 1 & 3, packet.body.as_slice());
        let length = usize::from(u16::from_be_bytes(take(&mut rest, 2).try_into().unwrap()));
        let topic = take(&mut rest, length).to_vec();
        let id = if qos > 0 { u16::from_be_bytes(take(&mut rest, 2).try_into().unwrap()) } else { 0 };
        let properties = v5.then(|| {
            let (length, size) = read_variable(rest).expect("properties have a length");
            take(&mut rest, size + length).to_vec()
        });
        let (dup, retain) = (packet.first & 8 != 0, packet.first & 1 != 0);
        Self { topic, payload: rest.to_vec(), qos, dup, retain, id, properties }
    }

    /// The payload as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.payload).into_owned()
    }
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { topic, payload, qos, dup, retain, id, properties } = self;
        let (topic, payload) = (topic.escape_ascii(), payload.escape_ascii());
        write!(f, "{topic}={payload} qos {qos} dup {dup} retain {retain} id {id} properties {properties:02x?}")
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at_checked(length).expect("a field ends before its packet");
    *rest = left;
    taken
}
