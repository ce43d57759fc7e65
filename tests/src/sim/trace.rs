//! What happened, as a hash and, if wanted, as lines on the standard output.

use std::fmt;

/// As in FNV-1a, 64 bits, eight bytes at a time: short, and stable over machines and versions of Rust, which `std`'s
/// hasher does not promise.
const FNV_OFFSET: u64 = 0xCBF2_9CE4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01B3;
/// The most bytes of a message that a printed line shows: enough for any header.
const SHOWN_BYTES_MAX: usize = 240;

/// The trace of one run. Two runs of one seed must have the same hash.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    lines: u64,
    print: bool,
}

impl Trace {
    /// An empty trace; `print` shows each line as it is noted.
    #[must_use]
    pub const fn new(print: bool) -> Self {
        Self { hash: FNV_OFFSET, lines: 0, print }
    }

    /// The hash of everything noted so far.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How many lines were noted.
    #[must_use]
    pub const fn lines(&self) -> u64 {
        self.lines
    }

    /// Notes that `who` did or met `what` at `now_us`; `detail` may be a payload.
    pub fn note(&mut self, now_us: u64, who: impl fmt::Display, what: &str, detail: &[u8]) {
        self.lines += 1;
        self.mix(&now_us.to_le_bytes());
        self.mix(what.as_bytes());
        self.mix(detail);
        if self.print {
            let shown = detail.get(..SHOWN_BYTES_MAX.min(detail.len())).unwrap_or_default();
            let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
            println!("{seconds:>4}.{micros:06} {who:<8} {what} {}", String::from_utf8_lossy(shown));
        }
    }

    fn mix(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_le_bytes(*word));
        for piece in words.chain(rest.iter().map(|byte| u64::from(*byte))) {
            self.hash = (self.hash ^ piece).wrapping_mul(FNV_PRIME);
        }
    }
}
