//! The short packets: PUBACK, PUBREC, PUBREL, PUBCOMP and DISCONNECT.

use bytes::{BufMut, BytesMut};

use super::{
    Kind, Version,
    properties::{self, Property, REASON_STRING, SESSION_EXPIRY, USER},
    reader::{Malformed, Reader},
    reason::Reason,
};

/// What a PUBACK, PUBREC, PUBREL or PUBCOMP says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) id: u16,
    /// False if its reason code is an error, 0x80 or above. 3.1.1 has no reason codes.
    pub(crate) success: bool,
}

impl Ack {
    pub(crate) fn read(body: &[u8], version: Version) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let id = reader.packet_id()?;
        let mut success = true;
        if version == Version::V5 && !reader.is_empty() {
            success = reader.u8()? < 0x80;
            if !reader.is_empty() {
                properties::skip(&mut reader, &[REASON_STRING, USER])?;
            }
        }
        reader.finish()?;
        Ok(Self { id, success })
    }
}

/// Appends an acknowledgement. The reason is left out where it is success, and always in 3.1.1.
pub(crate) fn write_ack(out: &mut BytesMut, version: Version, kind: Kind, id: u16, reason: Reason) {
    let first = match kind {
        Kind::PubRec => 0x50,
        Kind::PubRel => 0x62,
        Kind::PubComp => 0x70,
        _ => 0x40,
    };
    if version == Version::V311 || reason == Reason::Success {
        out.put_slice(&[first, 2]);
        out.put_u16(id);
    } else {
        out.put_slice(&[first, 3]);
        out.put_u16(id);
        out.put_u8(reason as u8);
    }
}

/// A client's DISCONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Disconnect {
    /// The will is to be published all the same (5.0, reason 0x04 and every error).
    pub(crate) with_will: bool,
    /// A new value for the session's life after the connection, in seconds.
    pub(crate) session_expiry: Option<u32>,
}

impl Disconnect {
    pub(crate) fn read(body: &[u8], version: Version) -> Result<Self, Malformed> {
        let mut reader = Reader::new(body);
        let mut read = Self { with_will: false, session_expiry: None };
        if version == Version::V5 && !reader.is_empty() {
            read.with_will = reader.u8()? != 0;
            if !reader.is_empty() {
                properties::read(&mut reader, &[SESSION_EXPIRY, REASON_STRING, USER], |property| {
                    if let Property::Four(SESSION_EXPIRY, seconds) = property {
                        read.session_expiry = Some(seconds);
                    }
                    Ok(())
                })?;
            }
        }
        reader.finish()?;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_are_read() {
        assert_eq!(Ack::read(&[1, 2], Version::V311), Ok(Ack { id: 0x0102, success: true }));
        assert_eq!(Ack::read(&[1, 2, 0x10], Version::V5), Ok(Ack { id: 0x0102, success: true }));
        assert_eq!(Ack::read(&[1, 2, 0x87, 0], Version::V5), Ok(Ack { id: 0x0102, success: false }));
        for (body, version) in [
            (&[0, 0][..], Version::V311),
            (&[1], Version::V311),
            (&[1, 2, 0], Version::V311),
            (&[1, 2, 0, 9], Version::V5),
        ] {
            assert!(Ack::read(body, version).is_err(), "{body:?}");
        }
    }

    #[test]
    fn disconnects_are_read() {
        let plain = Disconnect { with_will: false, session_expiry: None };
        assert_eq!(Disconnect::read(&[], Version::V311), Ok(plain));
        assert_eq!(Disconnect::read(&[0], Version::V5), Ok(plain));
        assert!(Disconnect::read(&[4], Version::V5).unwrap().with_will);
        assert_eq!(Disconnect::read(&[0, 5, 0x11, 0, 0, 0, 9], Version::V5).unwrap().session_expiry, Some(9));
        assert!(Disconnect::read(&[0], Version::V311).is_err());
    }

    #[test]
    fn acknowledgements_are_written() {
        let mut out = BytesMut::new();
        write_ack(&mut out, Version::V311, Kind::PubAck, 7, Reason::NotAuthorized);
        write_ack(&mut out, Version::V5, Kind::PubRec, 8, Reason::NotAuthorized);
        write_ack(&mut out, Version::V5, Kind::PubRel, 9, Reason::Success);
        assert_eq!(&out[..], [0x40, 2, 0, 7, 0x50, 3, 0, 8, 0x87, 0x62, 2, 0, 9]);
    }
}
