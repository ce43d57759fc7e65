//! Cuts packets out of a stream of bytes.

/// The type of a packet that a client may send; the server's own types are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    Unsubscribe,
    PingReq,
    Disconnect,
    /// MQTT 5.0 only.
    Auth,
}

/// One packet: its type, the low four bits of its first byte, and what follows its length.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    pub(crate) body: &'a [u8],
    /// Bytes of the whole packet.
    pub(crate) length: usize,
}

/// Why no packet can be cut, now or ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    /// More bytes than are allowed.
    #[error("a packet of {0} bytes")]
    TooLarge(usize),
    /// Not a packet that a client may send.
    #[error("packet type {0} with flags {1:#06b}")]
    Unexpected(u8, u8),
    /// The length has more than 4 bytes, or more than it needs [MQTT-1.5.5-1 of 5.0].
    #[error("a packet length in too many bytes")]
    Length,
}

/// A fixed header: the first byte, the bytes of the length, the length.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, FrameError> {
    let Some((&first, length)) = bytes.split_first() else { return Ok(None) };
    let mut value = 0;
    for (index, byte) in length.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if *byte == 0 && index > 0 {
            return Err(FrameError::Length);
        }
        if byte & 0x80 == 0 {
            return Ok(Some((first, index + 1, value)));
        }
    }
    if length.len() >= 4 { Err(FrameError::Length) } else { Ok(None) }
}

impl<'a> Frame<'a> {
    /// The first packet in `bytes`, if all of it is there. `max_bytes` bounds the whole packet.
    ///
    /// # Errors
    /// As soon as the fixed header shows that the packet is too large or none that a client may send.
    pub(crate) fn cut(bytes: &'a [u8], max_bytes: usize) -> Result<Option<Self>, FrameError> {
        if let Some(&first) = bytes.first() {
            kind(first)?;
        }
        let Some((first, length_bytes, remaining)) = header(bytes)? else { return Ok(None) };
        let length = 1 + length_bytes + remaining;
        if length > max_bytes {
            return Err(FrameError::TooLarge(length));
        }
        let body = bytes.get(1 + length_bytes..length);
        Ok(body.map(|body| Self { kind: kind_of(first), flags: first & 0x0f, body, length }))
    }
}

/// The type and its flags, which are fixed for all but PUBLISH [MQTT-2.2.2-2].
fn kind(first: u8) -> Result<Kind, FrameError> {
    let (number, flags) = (first >> 4, first & 0x0f);
    let fixed = match number {
        3 => flags,
        6 | 8 | 10 => 0b0010,
        1 | 4 | 5 | 7 | 12 | 14 | 15 => 0,
        _ => return Err(FrameError::Unexpected(number, flags)),
    };
    if flags == fixed { Ok(kind_of(first)) } else { Err(FrameError::Unexpected(number, flags)) }
}

/// Of a first byte that [`kind`] has taken.
fn kind_of(first: u8) -> Kind {
    match first >> 4 {
        1 => Kind::Connect,
        3 => Kind::Publish,
        4 => Kind::PubAck,
        5 => Kind::PubRec,
        6 => Kind::PubRel,
        7 => Kind::PubComp,
        8 => Kind::Subscribe,
        10 => Kind::Unsubscribe,
        12 => Kind::PingReq,
        14 => Kind::Disconnect,
        _ => Kind::Auth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_cut_when_all_of_it_is_there() {
        let bytes = [0x30, 4, 0, 1, b'a', b'x', 0xc0];
        for end in 0..6 {
            assert!(Frame::cut(&bytes[..end], 100).unwrap().is_none(), "{end}");
        }
        let frame = Frame::cut(&bytes, 100).unwrap().unwrap();
        assert_eq!((frame.kind, frame.flags, frame.body, frame.length), (Kind::Publish, 0, &bytes[2..6], 6));
    }

    #[test]
    fn a_packet_that_is_too_large_is_refused_by_its_header() {
        assert_eq!(Frame::cut(&[0x30, 0xff, 0xff, 0xff, 0x7f], 100).unwrap_err(), FrameError::TooLarge(268_435_460));
        assert!(Frame::cut(&[0x30, 98], 100).unwrap().is_none());
        assert_eq!(Frame::cut(&[0x30, 99], 100).unwrap_err(), FrameError::TooLarge(101));
    }

    #[test]
    fn a_length_has_four_bytes_at_most() {
        assert_eq!(Frame::cut(&[0x30, 0x80, 0x80, 0x80, 0x80, 1], 100).unwrap_err(), FrameError::Length);
        assert!(Frame::cut(&[0x30, 0x80, 0x80, 0x80], 100).unwrap().is_none());
        assert_eq!(Frame::cut(&[0x30, 0x84, 0x00], 100).unwrap_err(), FrameError::Length);
    }

    #[test]
    fn flags_and_types_are_checked_at_the_first_byte() {
        for first in [0x00, 0x11, 0x20, 0x41, 0x60, 0x80, 0x90, 0xa0, 0xb0, 0xc1, 0xd0, 0xe1, 0xf1] {
            assert!(matches!(Frame::cut(&[first], 100), Err(FrameError::Unexpected(..))), "{first:#x}");
        }
        for first in [0x10, 0x3d, 0x40, 0x50, 0x62, 0x70, 0x82, 0xa2, 0xc0, 0xe0, 0xf0] {
            assert!(Frame::cut(&[first], 100).unwrap().is_none(), "{first:#x}");
        }
    }
}
