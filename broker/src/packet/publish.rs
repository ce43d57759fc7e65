//! PUBLISH, the packet that speed depends on: read in place, and written from a message that its receivers share.

use bytes::{BufMut, BytesMut};

use super::{
    QoS, Version,
    properties::{self, PublishProperties},
    reader::{Malformed, Reader},
};

/// A PUBLISH from a client, borrowed from the bytes that it came in.
#[derive(Debug)]
pub(crate) struct Publish<'a> {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Empty only if an alias stands for it.
    pub(crate) topic: &'a str,
    /// 0 with QoS 0.
    pub(crate) id: u16,
    pub(crate) properties: PublishProperties,
    pub(crate) payload: &'a [u8],
}

impl<'a> Publish<'a> {
    pub(crate) fn read(flags: u8, body: &'a [u8], version: Version) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let qos = QoS::from_bits(flags >> 1 & 0x03)?;
        // DUP says nothing more: a QoS 2 message that came before is known by its identifier.
        if flags & 0x08 != 0 && qos == QoS::AtMostOnce {
            return Err(Malformed("QoS 0 with DUP [MQTT-3.3.1-2]"));
        }
        let topic = reader.string()?;
        let id = if qos == QoS::AtMostOnce { 0 } else { reader.packet_id()? };
        let properties = match version {
            Version::V311 => PublishProperties::default(),
            Version::V5 => PublishProperties::read(&mut reader)?,
        };
        Ok(Self { qos, retain: flags & 0x01 != 0, topic, id, properties, payload: reader.rest() })
    }
}

/// The parts of a PUBLISH to a subscriber that differ from one to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublishHeader {
    pub(crate) duplicate: bool,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Written unless the QoS is 0.
    pub(crate) id: u16,
    /// A number among the properties stands for the topic, which is left out (5.0).
    pub(crate) topic_known: bool,
}

/// Appends a PUBLISH, and gives its length. `topic` stands behind its 16-bit length. `properties` are encoded, of which 5.0 alone has any.
///
/// Nothing is appended if it would be longer than `max_bytes`; the result is then 0 [MQTT-3.1.2-25 of 5.0].
pub(crate) fn write_publish(
    out: &mut BytesMut,
    version: Version,
    header: PublishHeader,
    topic: &[u8],
    properties: &[&[u8]],
    payload: &[u8],
    max_bytes: usize,
) -> usize {
    let id_bytes = if header.qos == QoS::AtMostOnce { 0 } else { 2 };
    let properties_bytes: usize = properties.iter().map(|part| part.len()).sum();
    let properties_field = match version {
        Version::V311 => 0,
        Version::V5 => variable_bytes(properties_bytes) + properties_bytes,
    };
    let remaining = topic.len() + id_bytes + properties_field + payload.len();
    let length = 1 + variable_bytes(remaining) + remaining;
    if length > max_bytes {
        return 0;
    }
    out.reserve(length);
    out.put_u8(0x30 | u8::from(header.duplicate) << 3 | (header.qos as u8) << 1 | u8::from(header.retain));
    properties::write_variable(out, remaining);
    out.put_slice(topic);
    if header.qos != QoS::AtMostOnce {
        out.put_u16(header.id);
    }
    if version == Version::V5 {
        properties::write_variable(out, properties_bytes);
        properties.iter().for_each(|part| out.put_slice(part));
    }
    out.put_slice(payload);
    length
}

/// Bytes of a variable byte integer.
fn variable_bytes(value: usize) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use rumqttc::{mqttbytes::v4, v5::mqttbytes::v5};

    use super::*;

    fn header(qos: QoS) -> PublishHeader {
        PublishHeader { duplicate: qos != QoS::AtMostOnce, qos, retain: true, id: 7, topic_known: false }
    }

    #[test]
    fn rumqttc_reads_what_is_written_as_3_1_1() {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for size in [0, 1, 120, 130, 20_000] {
                let mut out = BytesMut::new();
                let length =
                    write_publish(&mut out, Version::V311, header(qos), b"\x00\x03a/b", &[], &vec![9; size], 30_000);
                assert_eq!(length, out.len());
                let v4::Packet::Publish(theirs) = v4::Packet::read(&mut out, 30_000).unwrap() else { panic!() };
                assert_eq!((theirs.topic.as_str(), theirs.payload.len(), theirs.retain), ("a/b", size, true));
                assert_eq!((theirs.pkid, theirs.dup), if qos == QoS::AtMostOnce { (0, false) } else { (7, true) });
            }
        }
    }

    #[test]
    fn rumqttc_reads_what_is_written_as_5() {
        let mut out = BytesMut::new();
        let properties: [&[u8]; 2] = [&[0x01, 1], &[0x0b, 5]];
        write_publish(&mut out, Version::V5, header(QoS::AtLeastOnce), b"\x00\x01t", &properties, b"x", 100);
        let v5::Packet::Publish(theirs) = v5::Packet::read(&mut out, None).unwrap() else { panic!() };
        let read = theirs.properties.unwrap();
        assert_eq!((read.payload_format_indicator, read.subscription_identifiers), (Some(1), vec![5]));
        assert_eq!(&theirs.payload[..], b"x");
    }

    #[test]
    fn what_would_be_too_long_is_not_written() {
        let mut out = BytesMut::new();
        assert_eq!(write_publish(&mut out, Version::V5, header(QoS::AtMostOnce), b"\x00\x01t", &[], &[0; 10], 15), 0);
        assert!(out.is_empty());
    }

    #[test]
    fn what_rumqttc_writes_reads_the_same() {
        let mut theirs = v4::Publish::new("a/b", rumqttc::QoS::ExactlyOnce, "hello");
        theirs.pkid = 300;
        theirs.dup = true;
        let mut packet = BytesMut::new();
        theirs.write(&mut packet).unwrap();
        let ours = Publish::read(packet[0] & 0x0f, &packet[2..], Version::V311).unwrap();
        assert_eq!((ours.topic, ours.id, ours.payload, ours.qos), ("a/b", 300, &b"hello"[..], QoS::ExactlyOnce));
        assert!(!ours.retain);
    }

    #[test]
    fn what_must_not_be_is_malformed() {
        assert!(Publish::read(0b0110, b"\x00\x01t\x00\x01", Version::V311).is_err(), "QoS 3");
        assert!(Publish::read(0b0010, b"\x00\x01t\x00\x00", Version::V311).is_err(), "packet identifier 0");
        assert!(Publish::read(0b1000, b"\x00\x01t", Version::V311).is_err(), "DUP with QoS 0");
        assert!(Publish::read(0b0010, b"\x00\x01t\x00", Version::V311).is_err(), "cut off");
    }
}
