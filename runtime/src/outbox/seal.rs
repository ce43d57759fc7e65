//! Seals: a CRC-32 over all of a row, by which damage is found before it is sent or believed.
//!
//! SQLite finds a page that is no page any more; it does not find a digit that became another one. CRC-32 finds every change
//! of up to 32 bits in a row, and misses one in four thousand million of the others. It keeps out chance, not forgers: who
//! can write the file can seal what he wrote.

use crc32fast::Hasher;
use fogline_protocol::ids::{Seq, StreamId};

/// The seal of a reading, in bytes: checksum, stream, clock.
pub(super) const READING_SEAL_BYTES: usize = 14;
const CHECKSUM_BYTES: usize = 4;

/// Which segment a reading belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) stream: StreamId,
    pub(super) clock: u16,
}

impl Origin {
    fn bytes(self) -> [u8; READING_SEAL_BYTES - CHECKSUM_BYTES] {
        let mut bytes = [0; READING_SEAL_BYTES - CHECKSUM_BYTES];
        let (stream, clock) = bytes.split_at_mut(8);
        stream.copy_from_slice(&self.stream.bits().to_be_bytes());
        clock.copy_from_slice(&self.clock.to_be_bytes());
        bytes
    }
}

/// The seal of a reading.
pub(super) fn of_reading(seq: Seq, ts_us: i64, body: &[u8], origin: Origin) -> [u8; READING_SEAL_BYTES] {
    let mut seal = [0; READING_SEAL_BYTES];
    let (checksum, rest) = seal.split_at_mut(CHECKSUM_BYTES);
    rest.copy_from_slice(&origin.bytes());
    checksum.copy_from_slice(&reading_checksum(seq, ts_us, body, rest).to_be_bytes());
    seal
}

/// Which segment a reading belongs to, if all of it is as it was sealed.
pub(super) fn origin_of(seq: Seq, ts_us: i64, body: &[u8], seal: &[u8]) -> Option<Origin> {
    let (checksum, rest) = seal.split_at_checked(CHECKSUM_BYTES)?;
    let (stream, clock) = rest.split_first_chunk::<8>()?;
    let origin = Origin {
        stream: StreamId::from_bits(u64::from_be_bytes(*stream)),
        clock: u16::from_be_bytes(clock.try_into().ok()?),
    };
    (reading_checksum(seq, ts_us, body, rest).to_be_bytes() == checksum).then_some(origin)
}

fn reading_checksum(seq: Seq, ts_us: i64, body: &[u8], origin: &[u8]) -> u32 {
    let mut head = [0; 17];
    head[0] = b'R';
    head[1..9].copy_from_slice(&seq.to_be_bytes());
    head[9..17].copy_from_slice(&ts_us.to_be_bytes());
    let mut hasher = Hasher::new();
    hasher.update(&head);
    hasher.update(origin);
    hasher.update(body);
    hasher.finalize()
}

/// A row of another table than the readings. Its name is part of the seal, so that no row passes for one of another table.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sealed<'a> {
    Segment { first: Seq, stream: &'a str, clock: u16, stamps: Option<&'a str> },
    Gap { first: Seq, last: Seq },
    Told { first: Seq, last: Seq },
    Owner { agent: &'a str },
    Position { source: &'a str, position: &'a str, seq: Seq },
    Decision { key: &'a str, received_us: i64, decision: &'a str },
    Counters([u64; 8]),
}

impl Sealed<'_> {
    /// Its seal.
    pub(super) fn seal(self) -> u32 {
        let mut hasher = Hasher::new();
        let mut number = |value: u64| hasher.update(&value.to_be_bytes());
        match self {
            Self::Segment { first, stream, clock, stamps } => {
                [u64::from(b'S'), first, u64::from(clock)].into_iter().for_each(number);
                hasher.update(stream.as_bytes());
                hasher.update(stamps.unwrap_or_default().as_bytes());
            }
            Self::Gap { first, last } => [u64::from(b'G'), first, last].into_iter().for_each(number),
            Self::Told { first, last } => [u64::from(b'T'), first, last].into_iter().for_each(number),
            Self::Owner { agent } => {
                number(u64::from(b'O'));
                hasher.update(agent.as_bytes());
            }
            Self::Position { source, position, seq } => {
                [u64::from(b'P'), source.len() as u64, seq].into_iter().for_each(number);
                hasher.update(source.as_bytes());
                hasher.update(position.as_bytes());
            }
            Self::Decision { key, received_us, decision } => {
                [u64::from(b'D'), key.len() as u64, received_us.cast_unsigned()].into_iter().for_each(number);
                hasher.update(key.as_bytes());
                hasher.update(decision.as_bytes());
            }
            Self::Counters(values) => [u64::from(b'C')].into_iter().chain(values).for_each(number),
        }
        hasher.finalize()
    }

    /// True when the row is as it was sealed, or was never sealed.
    pub(super) fn fits(self, seal: Option<u32>) -> bool {
        seal.is_none_or(|seal| seal == self.seal())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_breaks_the_seal() {
        let origin = Origin { stream: StreamId::from_bits(0x0123_4567_89ab_cdef), clock: 417 };
        let (seq, ts_us, body) = (9_u64, 1_577_145_601_420_000_i64, *br#"{"speed_kmh":97.2}"#);
        let seal = of_reading(seq, ts_us, &body, origin);
        assert_eq!(origin_of(seq, ts_us, &body, &seal), Some(origin));
        for bit in 0..64 {
            assert_eq!(origin_of(seq ^ (1 << bit), ts_us, &body, &seal), None);
            assert_eq!(origin_of(seq, ts_us ^ (1 << bit), &body, &seal), None);
        }
        for bit in 0..body.len() * 8 {
            let mut changed = body;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(origin_of(seq, ts_us, &changed, &seal), None);
        }
        for bit in 0..seal.len() * 8 {
            let mut changed = seal;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(origin_of(seq, ts_us, &body, &changed), None);
        }
        assert_eq!(origin_of(seq, ts_us, &body, &seal[..13]), None);
        assert_eq!(origin_of(seq, ts_us, &body, &[]), None);
    }

    #[test]
    fn a_row_does_not_pass_for_one_of_another_table() {
        let gap = Sealed::Gap { first: 3, last: 9 }.seal();
        assert!(Sealed::Gap { first: 3, last: 9 }.fits(Some(gap)));
        assert!(!Sealed::Told { first: 3, last: 9 }.fits(Some(gap)));
        assert!(!Sealed::Gap { first: 3, last: 8 }.fits(Some(gap)));
        let cut = |source, position| Sealed::Position { source, position, seq: 1 }.seal();
        assert_ne!(cut("ab", "c"), cut("a", "bc"));
        assert!(Sealed::Owner { agent: "a7/lane-1" }.fits(None), "layout 1 had no seals");
    }
}
