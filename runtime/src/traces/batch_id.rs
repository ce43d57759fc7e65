//! Who a batch is: its stream and its first number, which make the ids of its trace.

use fogline_protocol::ids::{Seq, StreamId};
use serde::de::IgnoredAny;

/// A batch. The same readings sent again with another beginning are another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchId {
    /// Its stream.
    pub stream: StreamId,
    /// The sequence number of its first reading.
    pub first: Seq,
}

#[derive(serde::Deserialize)]
struct Head {
    stream: StreamId,
    first: Seq,
    #[serde(rename = "readings")]
    _readings: IgnoredAny,
}

impl BatchId {
    /// The id of a batch as it is on the wire; none when it is none.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<Self> {
        let head: Head = serde_json::from_slice(payload).ok()?;
        Some(Self { stream: head.stream, first: head.first })
    }

    /// The id of its trace: 16 bytes, as 32 hexadecimal digits. The stream is random, so it is unique.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{}{:016x}", self.stream, self.first)
    }

    /// The id of its span of this name: 8 bytes, as 16 hexadecimal digits, never 0.
    #[must_use]
    pub fn span_id(&self, name: &str) -> String {
        // FNV-1a, then mixed with the batch: all sides find the same without having spoken of it.
        let name = name
            .bytes()
            .fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3));
        format!("{:016x}", mix(self.mixed() ^ name).max(1))
    }

    /// Whether it is among the share `ratio` of all.
    #[must_use]
    pub fn is_sampled(&self, ratio: f64) -> bool {
        // The upper 53 bits: as many as a float holds exactly.
        #[allow(clippy::cast_precision_loss, reason = "53 bits")]
        let place = (self.mixed() >> 11) as f64 / (1_u64 << 53) as f64;
        place < ratio
    }

    const fn mixed(&self) -> u64 {
        mix(self.stream.bits() ^ self.first.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

/// The end of `SplitMix64`: each bit of the input changes half of the output's.
const fn mix(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn batch(first: Seq) -> BatchId {
        BatchId { stream: StreamId::from_bits(0xABC), first }
    }

    #[test]
    fn ids_follow_from_what_is_on_the_wire() {
        let payload =
            br#"{"v":1,"stream":"0000000000000abc","floor":1,"first":7,"gaps":[],"clock":0,"readings":[{"x":1}]}"#;
        assert_eq!(BatchId::of(payload), Some(batch(7)));
        assert_eq!(BatchId::of(b"nonsense"), None);
        assert_eq!(batch(7).trace_id(), "0000000000000abc0000000000000007");
        assert_ne!(batch(7).span_id("store"), batch(7).span_id("publish"));
        assert_ne!(batch(7).span_id("store"), batch(8).span_id("store"));
        assert_eq!(batch(7).span_id("store").len(), 16);
    }

    #[test]
    fn a_share_is_a_share() {
        let sampled = (1..=10_000).filter(|first| batch(*first).is_sampled(0.1)).count();
        assert!((800..1200).contains(&sampled), "{sampled}");
        assert!((1..100).all(|first| batch(first).is_sampled(1.0) && !batch(first).is_sampled(0.0)));
    }
}
