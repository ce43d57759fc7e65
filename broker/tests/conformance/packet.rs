//! Control packets as bytes: their frame, their primitive fields, and the small ones whole.

/// The first bytes, with the flags that the standard sets.
pub(crate) const CONNACK: u8 = 0x20;
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;
pub(crate) const SUBACK: u8 = 0x90;
pub(crate) const UNSUBACK: u8 = 0xb0;

pub(crate) const PINGREQ: [u8; 2] = [0xc0, 0];
pub(crate) const PINGRESP: [u8; 2] = [0xd0, 0];
pub(crate) const DISCONNECT: [u8; 2] = [0xe0, 0];

/// A packet as it came: the first byte (type and flags) and what follows its remaining length.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) first: u8,
    pub(crate) body: Vec<u8>,
}

impl Packet {
    /// Its bytes again.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        frame(self.first, &self.body)
    }

    pub(crate) fn is_publish(&self) -> bool {
        self.first >> 4 == 3
    }
}

impl std::fmt::Debug for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x} {:02x?} ({})", self.first, self.body, self.body.escape_ascii())
    }
}

/// A whole packet: `first`, the length of `body`, `body`.
pub(crate) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    bytes.extend(variable(body.len()));
    bytes.extend(body);
    bytes
}

/// A variable byte integer in its shortest form (3.1.1: 2.2.3, 5.0: 1.5.5).
pub(crate) fn variable(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = (value % 128) as u8;
        value /= 128;
        if value == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A variable byte integer at the start of `bytes`, and its length; none if it is not whole yet.
pub(crate) fn read_variable(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.iter().enumerate() {
        assert!(index < 4, "a variable byte integer of more than 4 bytes: {bytes:02x?}");
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// A string or binary data: two bytes of length, then itself.
pub(crate) fn text(content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut bytes = (content.len() as u16).to_be_bytes().to_vec();
    bytes.extend(content);
    bytes
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP or UNSUBACK with nothing but a packet identifier.
pub(crate) fn ack(first: u8, id: u16) -> Vec<u8> {
    frame(first, &id.to_be_bytes())
}

/// MQTT 3.1.1's SUBSCRIBE of filters with their options (the requested QoS).
pub(crate) fn subscribe(id: u16, filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    frame(0x82, &body)
}

/// MQTT 3.1.1's SUBACK with its return codes.
pub(crate) fn suback(id: u16, codes: &[u8]) -> Vec<u8> {
    frame(SUBACK, &[&id.to_be_bytes(), codes].concat())
}

/// MQTT 3.1.1's UNSUBSCRIBE.
pub(crate) fn unsubscribe(id: u16, filters: &[&str]) -> Vec<u8> {
    let mut body = id.to_be_bytes().to_vec();
    filters.iter().for_each(|filter| body.extend(text(filter)));
    frame(0xa2, &body)
}

/// A successful CONNACK of MQTT 3.1.1.
pub(crate) fn connack(session_present: bool) -> Vec<u8> {
    frame(0x20, &[u8::from(session_present), 0])
}
