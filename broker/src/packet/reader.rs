//! Reads the fields of a packet from its bytes, and never beyond them.

/// Why bytes are not the packet they claim to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed packet: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

/// What is left to read of a packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// All that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed("a field goes beyond the packet"))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        let (byte, rest) = self.rest.split_first().ok_or(Malformed("a field goes beyond the packet"))?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    /// A packet identifier, never 0 [MQTT-2.3.1-1].
    pub(crate) fn packet_id(&mut self) -> Result<u16, Malformed> {
        match self.u16()? {
            0 => Err(Malformed("packet identifier 0")),
            id => Ok(id),
        }
    }

    /// A variable byte integer of at most 4 bytes, and of no more than it needs [MQTT-1.5.5-1 of 5.0].
    pub(crate) fn variable(&mut self) -> Result<usize, Malformed> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.u8()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte == 0 && shift > 0 {
                return Err(Malformed("a length in more bytes than it needs"));
            }
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed("a length of more than 4 bytes"))
    }

    /// Bytes after their 16-bit length.
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// UTF-8 after its 16-bit length, without U+0000 [MQTT-1.5.3-1, MQTT-1.5.3-2].
    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| Malformed("a text that is not UTF-8"))?;
        if text.as_bytes().contains(&0) {
            return Err(Malformed("a text with U+0000"));
        }
        Ok(text)
    }

    /// Nothing may follow the last field.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(Malformed("bytes after the last field")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_in_order() {
        let mut reader = Reader::new(&[7, 1, 2, 0, 0, 0, 9, 0, 2, b'h', b'i']);
        assert_eq!((reader.u8(), reader.u16(), reader.u32(), reader.string()), (Ok(7), Ok(0x0102), Ok(9), Ok("hi")));
        assert_eq!(reader.finish(), Ok(()));
    }

    #[test]
    fn a_field_never_goes_beyond_the_packet() {
        assert!(Reader::new(&[]).u8().is_err());
        assert!(Reader::new(&[1]).u16().is_err());
        assert!(Reader::new(&[0, 3, b'h', b'i']).string().is_err());
        assert!(Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x01]).variable().is_err());
        assert!(Reader::new(&[0xff]).variable().is_err());
        assert!(Reader::new(&[0x81, 0x00]).variable().is_err());
    }

    #[test]
    fn texts_are_utf8_without_nul() {
        assert!(Reader::new(&[0, 1, 0xff]).string().is_err());
        assert!(Reader::new(&[0, 3, 0xed, 0xa0, 0x80]).string().is_err(), "a surrogate");
        assert!(Reader::new(&[0, 1, 0]).string().is_err());
        assert_eq!(Reader::new("\0\u{3}\u{feff}".as_bytes()).string(), Ok("\u{feff}"), "a BOM stays [MQTT-1.5.3-3]");
    }

    #[test]
    fn variable_lengths_are_read() {
        for (bytes, value) in
            [(&[0x00][..], 0), (&[0x7f], 127), (&[0x80, 0x01], 128), (&[0xff, 0xff, 0xff, 0x7f], 268_435_455)]
        {
            assert_eq!(Reader::new(bytes).variable(), Ok(value));
        }
    }
}
