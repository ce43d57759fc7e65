//! A message on its way from its publisher to all that receive it: encoded once, and shared.

use bytes::{BufMut, Bytes, BytesMut};

use crate::packet::{PublishHeader, QoS, Version, write_publish};

/// Seconds since the broker started, by a clock that never goes back; when a message is of no use any more.
pub(crate) type Deadline = u64;

/// Bytes in front of the properties: their length. A packet is limited to 16 MiB, and so are they.
const PROPERTIES_LENGTH: usize = 4;

/// A message, cheap to clone.
///
/// ```text
/// body: [topic length: 2][topic][properties length: 4][properties][payload]
/// ```
/// The first two fields are those of a PUBLISH, so that writing one is copying. It is a copy of its own, of just the right size: a part of the
/// buffer that it was read into would keep the whole buffer in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    body: Bytes,
    /// As published.
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Deadline>,
}

impl Message {
    /// A message for `topic`, which has been checked; `properties` are encoded.
    #[expect(clippy::cast_possible_truncation, reason = "topics have 65,535 bytes at most, packets 16 MiB")]
    pub(crate) fn new(topic: &str, properties: &[u8], payload: &[u8]) -> Self {
        let size = 2 + topic.len() + PROPERTIES_LENGTH + properties.len() + payload.len();
        let mut body = BytesMut::with_capacity(size);
        body.put_u16(topic.len() as u16);
        body.put_slice(topic.as_bytes());
        body.put_u32(properties.len() as u32);
        body.put_slice(properties);
        body.put_slice(payload);
        Self { body: body.freeze(), qos: QoS::AtMostOnce, retain: false, expires: None }
    }

    /// One that a router has carried.
    pub(crate) fn from_body(body: Bytes) -> Self {
        Self { body, qos: QoS::AtMostOnce, retain: false, expires: None }
    }

    /// What a router carries.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
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

    #[test]
    fn a_message_gives_back_what_it_was_made_of() {
        let message = Message::new("über/x", &[1, 1], b"hello");
        assert_eq!((message.topic(), message.properties_and_payload()), ("über/x", (&[1, 1][..], &b"hello"[..])));
        assert_eq!(Message::from_body(message.body().clone()), message);
        assert!(Message::new("t", &[], b"").payload_is_empty());
    }

    #[test]
    fn bytes_that_are_no_message_do_no_harm() {
        for bytes in [&b""[..], b"\x00", b"\x00\x09abc", b"\x00\x01a\x00\x00", b"\x00\x01a\xff\xff\xff\xff"] {
            let message = Message::from_body(Bytes::from_static(bytes));
            let mut out = BytesMut::new();
            let header =
                PublishHeader { duplicate: false, qos: QoS::AtMostOnce, retain: false, id: 0, topic_known: false };
            message.write(&mut out, Version::V5, header, &[], 100);
        }
    }

    #[test]
    fn time_that_is_left_ends_at_zero() {
        let mut message = Message::new("t", &[], b"");
        assert_eq!(message.remaining(5), None);
        message.expires = Some(10);
        assert_eq!((message.remaining(4), message.remaining(12)), (Some(6), Some(0)));
    }
}
