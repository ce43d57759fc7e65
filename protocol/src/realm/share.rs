//! A share of all regions: share i of n has those whose names' hash, divided by n, leaves i - 1.
//!
//! The hash is part of the protocol: it must be the same in every version and on every machine, or two ingesters would both take
//! a region, or none. It is FNV-1a of 64 bits over the bytes of the name, and then the last step of SplitMix64, without which the
//! lowest bits would follow the lowest bits of the letters.

use std::fmt;
use std::str::FromStr;

/// The most shares: each ingester of a share hears the beats of all others.
pub const SHARES_MAX: u32 = 64;

/// One of equal shares of all regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share {
    /// Which one, from 1.
    number: u32,
    /// Of how many.
    of: u32,
}

/// Why something is not a share.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a share: write NUMBER/OF, for example 2/4 for the second of four, with at most {SHARES_MAX}")]
pub struct ShareError(String);

impl Share {
    /// Share `number` of `of`, counted from 1.
    ///
    /// # Errors
    /// [`ShareError`] unless `1 <= number <= of <= SHARES_MAX`.
    pub fn new(number: u32, of: u32) -> Result<Self, ShareError> {
        let share = Self { number, of };
        if number < 1 || number > of || of > SHARES_MAX { Err(ShareError(share.to_string())) } else { Ok(share) }
    }

    /// The share of so many in which this region is.
    ///
    /// # Errors
    /// [`ShareError`] unless `1 <= of <= SHARES_MAX`.
    pub fn of_region(region: &str, of: u32) -> Result<Self, ShareError> {
        Self::new(1, of)?;
        // The rest is below 64.
        let rest = u32::try_from(hash(region) % u64::from(of)).unwrap_or(0);
        Self::new(rest + 1, of)
    }

    /// Whether this region is in it.
    #[must_use]
    pub fn takes(self, region: &str) -> bool {
        hash(region) % u64::from(self.of) == u64::from(self.number - 1)
    }

    /// Whether some hash is in both: so it is when their numbers leave the same rest by the greatest common divisor.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        let divisor = greatest_common_divisor(self.of, other.of);
        (self.number - 1) % divisor == (other.number - 1) % divisor
    }

    /// Whether it is all.
    #[must_use]
    pub const fn is_all(self) -> bool {
        self.of == 1
    }

    /// The level of the topics in which the ingesters of this share talk: it begins as no name of a region does.
    #[must_use]
    pub fn level(self) -> String {
        format!("_{}of{}", self.number, self.of)
    }

    /// Reads what [`Self::level`] wrote.
    #[must_use]
    pub fn of_level(level: &str) -> Option<Self> {
        let (number, of) = level.strip_prefix('_')?.split_once("of")?;
        Self::new(whole(number)?, whole(of)?).ok().filter(|share| share.level() == level)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Share {
    type Err = ShareError;

    fn from_str(text: &str) -> Result<Self, ShareError> {
        let refused = || ShareError(text.chars().take(20).collect());
        let (number, of) = text.split_once('/').ok_or_else(refused)?;
        let (number, of) = (whole(number).ok_or_else(refused)?, whole(of).ok_or_else(refused)?);
        Self::new(number, of)
    }
}

/// Digits only: no sign, no leading zero.
fn whole(text: &str) -> Option<u32> {
    let digits = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

const fn greatest_common_divisor(mut one: u32, mut another: u32) -> u32 {
    while another != 0 {
        (one, another) = (another, one % another);
    }
    one
}

/// The hash of a region's name.
fn hash(region: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in region.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From another implementation, in `docs/protocol.md`. These numbers must never change.
    const VECTOR: [(&str, u64, u32, u32, u32); 6] = [
        ("a7", 0x8bad_f68c_a93b_dc34, 1, 1, 53),
        ("a8", 0x1a16_3bd8_1e5f_0486, 1, 3, 7),
        ("north", 0x85f3_4330_5927_dc6d, 2, 2, 46),
        ("south", 0x6592_0134_7ad1_d405, 2, 2, 6),
        ("berlin-mitte", 0xf62c_edee_8a7a_e7f1, 2, 2, 50),
        ("r-0001", 0x9ca7_1841_df57_a0ca, 1, 3, 11),
    ];

    #[test]
    fn the_hash_is_the_same_for_ever() {
        for (region, expected, of_2, of_4, of_64) in VECTOR {
            assert_eq!(hash(region), expected, "{region}: {:#018x}", hash(region));
            for (share, of) in [(of_2, 2), (of_4, 4), (of_64, 64)] {
                assert_eq!(Share::of_region(region, of), Share::new(share, of), "{region}");
            }
        }
    }

    #[test]
    fn each_region_is_in_one_share_of_each_number_and_shares_are_about_equal() {
        let patterns: [fn(u32) -> String; 4] = [
            |n| format!("a{n}"),
            |n| format!("region-{n:04}"),
            |n| format!("{n}"),
            |n| {
                format!(
                    "{}-de",
                    char::from(b'a' + u8::try_from(n % 26).unwrap()).to_string().repeat(1 + (n / 26) as usize)
                )
            },
        ];
        for of in [2, 3, 4, 5, 8, 64] {
            let shares: Vec<Share> = (1..=of).map(|number| Share::new(number, of).unwrap()).collect();
            for pattern in patterns {
                let names: Vec<String> = (0..50 * of).map(pattern).filter(|name| name.len() <= 63).collect();
                for name in &names {
                    assert_eq!(shares.iter().filter(|share| share.takes(name)).count(), 1, "{name}");
                }
                let most =
                    shares.iter().map(|share| names.iter().filter(|name| share.takes(name)).count()).max().unwrap();
                let mean = names.len() / of as usize;
                assert!(most <= mean + mean / 2 + 12, "{most} of {mean} in one of {of}: {:?}", names.last());
            }
        }
    }

    #[test]
    fn shares_meet_if_a_region_can_be_in_both() {
        for (one, of) in (1..=8).flat_map(|of| (1..=of).map(move |one| (one, of))) {
            for (another, other) in (1..=8).flat_map(|of| (1..=of).map(move |one| (one, of))) {
                let (share, second) = (Share::new(one, of).unwrap(), Share::new(another, other).unwrap());
                // All rests by all numbers up to 8 are among the first 840 numbers.
                let meets = (0..840).any(|hash| hash % of == one - 1 && hash % other == another - 1);
                assert_eq!(share.meets(second), meets, "{share} {second}");
            }
        }
    }

    #[test]
    fn levels_read_back_and_others_are_none() {
        let share = Share::new(2, 4).unwrap();
        assert_eq!((share.level().as_str(), Share::of_level("_2of4")), ("_2of4", Some(share)));
        for bad in ["", "_", "2of4", "_0of4", "_5of4", "_02of4", "_2of", "_+2of4", "_1of65", "_2of4x"] {
            assert_eq!(Share::of_level(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_share_that_is_none_is_refused_with_the_form() {
        for bad in ["", "2", "0/4", "5/4", "1/65", "1/0", "a/b", "-1/2", "1/2/3", "99999999999/2", "01/2"] {
            assert!(bad.parse::<Share>().unwrap_err().to_string().contains("2/4"), "{bad:?}");
        }
    }
}
