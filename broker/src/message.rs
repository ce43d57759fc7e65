//! Messages on their way from a publisher to all that receive them: encoded once, and shared.

use bytes::{BufMut, Bytes, BytesMut};

use crate::packet::{PublishHeader, QoS, Version, write_publish};

/// Seconds since the broker started, by a clock that never goes back; when a message is of no use any more.
pub(crate) type Deadline = u64;

/// Bytes in front of the properties: their length. A packet is limited to 16 MiB, and so are they.
const PROPERTIES_LENGTH: usize = 4;
/// Bits of a message in a batch.
const QOS: u8 = 0x03;
const RETAIN: u8 = 0x04;
const EXPIRES: u8 = 0x08;

/// A message, cheap to clone.
///
/// ```text
/// body: [topic length: 2][topic][properties length: 4][properties][payload]
/// ```
/// The first two fields are those of a PUBLISH, so that writing one is copying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    body: Bytes,
    /// As published.
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Deadline>,
}

/// Messages for the same receivers, one behind the other: the router carries them as one. They are copied out of the buffer that they
/// were read into, of which a part would keep the whole in memory.
///
/// ```text
/// message: [body length: 4][bits: 1][deadline: 8, if it expires][body]
/// ```
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: BytesMut,
}

/// What a message in a batch has beside its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Deadline>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a message to `topic`, which has been checked; `properties` are encoded.
    #[expect(clippy::cast_possible_truncation, reason = "topics have 65,535 bytes at most, packets 16 MiB")]
    pub(crate) fn push(&mut self, topic: &str, properties: &[u8], payload: &[u8], envelope: Envelope) {
        let length = 2 + topic.len() + PROPERTIES_LENGTH + properties.len() + payload.len();
        self.head(length as u32, envelope);
        self.bytes.reserve(length);
        self.bytes.put_u16(topic.len() as u16);
        self.bytes.put_slice(topic.as_bytes());
        self.bytes.put_u32(properties.len() as u32);
        self.bytes.put_slice(properties);
        self.bytes.put_slice(payload);
    }

    #[expect(clippy::cast_possible_truncation, reason = "packets have 16 MiB at most")]
    pub(crate) fn push_message(&mut self, message: &Message) {
        let Message { qos, retain, expires, .. } = *message;
        self.head(message.body.len() as u32, Envelope { qos, retain, expires });
        self.bytes.put_slice(&message.body);
    }

    fn head(&mut self, length: u32, envelope: Envelope) {
        let expires = if envelope.expires.is_some() { EXPIRES } else { 0 };
        self.bytes.put_u32(length);
        self.bytes.put_u8(envelope.qos as u8 | if envelope.retain { RETAIN } else { 0 } | expires);
        if let Some(expires) = envelope.expires {
            self.bytes.put_u64(expires);
        }
    }

    /// All of it, and an empty batch is left.
    pub(crate) fn take(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }
}

/// The messages of a batch, in order, each a part of it.
pub(crate) fn messages(mut batch: Bytes) -> impl Iterator<Item = Message> {
    std::iter::from_fn(move || {
        let (length, rest) = batch.split_first_chunk()?;
        let length = u32::from_be_bytes(*length) as usize;
        let (bits, rest) = rest.split_first()?;
        let expires = if bits & EXPIRES == 0 { None } else { Some(Deadline::from_be_bytes(*rest.first_chunk()?)) };
        let head = 4 + 1 + if expires.is_some() { 8 } else { 0 };
        if batch.len() < head + length {
            return None;
        }
        let message = Message {
            body: batch.slice(head..head + length),
            qos: QoS::from_bits(bits & QOS).ok()?,
            retain: bits & RETAIN != 0,
            expires,
        };
        batch = batch.slice(head + length..);
        Some(message)
    })
}

impl Message {
    /// A message by itself.
    pub(crate) fn new(topic: &str, properties: &[u8], payload: &[u8], envelope: Envelope) -> Self {
        let mut batch = Batch::default();
        batch.push(topic, properties, payload, envelope);
        let Envelope { qos, retain, expires } = envelope;
        let head = batch.len() - (2 + topic.len() + PROPERTIES_LENGTH + properties.len() + payload.len());
        Self { body: batch.take().slice(head..), qos, retain, expires }
    }

    fn topic_field(&self) -> &[u8] {
        let length = self.body.first_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        self.body.get(..2 + length).unwrap_or_default()
    }

    pub(crate) fn topic(&self) -> &str {
        self.topic_field().get(2..).and_then(|topic| std::str::from_utf8(topic).ok()).unwrap_or_default()
    }

    /// The encoded properties, and the payload.
    fn properties_and_payload(&self) -> (&[u8], &[u8]) {
        let rest = self.body.get(self.topic_field().len()..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk() else { return (&[], &[]) };
        rest.split_at_checked(u32::from_be_bytes(*length) as usize).unwrap_or((&[], rest))
    }

    pub(crate) fn payload_is_empty(&self) -> bool {
        self.properties_and_payload().1.is_empty()
    }

    /// Bytes that the message takes.
    pub(crate) fn size(&self) -> usize {
        self.body.len()
    }

    /// Seconds that are left at `now`; `None` if it does not expire, 0 if it has.
    pub(crate) fn remaining(&self, now: Deadline) -> Option<u64> {
        self.expires.map(|expires| expires.saturating_sub(now))
    }

    /// Appends it as a PUBLISH, with `more` properties of this subscriber, and gives its length, 0 if it is beyond `max_bytes`.
    pub(crate) fn write(
        &self,
        out: &mut BytesMut,
        version: Version,
        header: PublishHeader,
        more: &[u8],
        max_bytes: usize,
    ) -> usize {
        let (properties, payload) = self.properties_and_payload();
        let topic = if header.topic_known { &[0, 0] } else { self.topic_field() };
        write_publish(out, version, header, topic, &[properties, more], payload, max_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Envelope = Envelope { qos: QoS::AtMostOnce, retain: false, expires: None };

    #[test]
    fn a_batch_gives_back_its_messages_in_order() {
        let full = Envelope { qos: QoS::ExactlyOnce, retain: true, expires: Some(77) };
        let sent = [Message::new("a", &[], b"1", PLAIN), Message::new("b/c", &[1, 1], b"", full)];
        let mut batch = Batch::default();
        batch.push_message(&sent[0]);
        batch.push("b/c", &[1, 1], b"", full);
        assert_eq!(messages(batch.take()).collect::<Vec<_>>(), sent);
        assert!(batch.is_empty());
    }

    #[test]
    fn a_batch_that_is_cut_off_ends_before() {
        let mut batch = Batch::default();
        batch.push("a", &[], b"1", PLAIN);
        let bytes = batch.take();
        for end in 0..bytes.len() {
            assert_eq!(messages(bytes.slice(..end)).count(), 0, "{end}");
        }
    }

    #[test]
    fn a_message_gives_back_what_it_was_made_of() {
        let message = Message::new("über/x", &[1, 1], b"hello", PLAIN);
        assert_eq!((message.topic(), message.properties_and_payload()), ("über/x", (&[1, 1][..], &b"hello"[..])));
        assert!(Message::new("t", &[], b"", PLAIN).payload_is_empty());
    }

    #[test]
    fn bytes_that_are_no_message_do_no_harm() {
        for bytes in [&b""[..], b"\x00", b"\x00\x09abc", b"\x00\x01a\x00\x00", b"\x00\x01a\xff\xff\xff\xff"] {
            let message =
                Message { body: Bytes::from_static(bytes), qos: QoS::AtMostOnce, retain: false, expires: None };
            let mut out = BytesMut::new();
            let header =
                PublishHeader { duplicate: false, qos: QoS::AtMostOnce, retain: false, id: 0, topic_known: false };
            message.write(&mut out, Version::V5, header, &[], 100);
        }
    }

    #[test]
    fn time_that_is_left_ends_at_zero() {
        let mut message = Message::new("t", &[], b"", PLAIN);
        assert_eq!(message.remaining(5), None);
        message.expires = Some(10);
        assert_eq!((message.remaining(4), message.remaining(12)), (Some(6), Some(0)));
    }
}
