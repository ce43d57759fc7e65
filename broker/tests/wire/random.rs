//! Numbers that look random and come again with the same seed.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

/// SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// Different streams of one seed have nothing to do with each other.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[self.below(items.len())]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low byte is what is wanted")]
    pub(crate) fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    #[expect(clippy::cast_possible_truncation, reason = "the low bytes are what is wanted")]
    pub(crate) fn id(&mut self) -> u16 {
        self.next() as u16
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}

/// `FOGLINE_HOSTILE_SEED`, or another one each time.
pub(crate) fn seed() -> u64 {
    match env::var("FOGLINE_HOSTILE_SEED") {
        Ok(seed) => seed.parse().expect("FOGLINE_HOSTILE_SEED is a number"),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
    }
}
