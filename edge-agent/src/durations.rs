//! Durations as people write them: `50ms`, `10s`, `7d`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Units and their milliseconds, the largest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// A duration that is written with its unit: `50ms`, `10s`, `5m`, `12h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(
    /// The duration.
    pub Duration,
);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(digits).unwrap_or_default();
        let scale = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, ms)| *ms);
        let ms = number.parse::<u64>().ok().zip(scale).and_then(|(number, ms)| number.checked_mul(ms));
        let ms = ms.ok_or_else(|| {
            format!("{text:?} is no duration: write a whole number and its unit, as in 50ms, 10s, 5m, 12h, 7d")
        })?;
        Ok(Self(Duration::from_millis(ms)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = |unit: &&(&str, u64)| ms >= unit.1 && ms.is_multiple_of(unit.1);
        let (name, scale) = UNITS.iter().find(whole).copied().unwrap_or(("ms", 1));
        write!(f, "{}{name}", ms / scale)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        for (text, ms) in [
            ("50ms", 50),
            ("1500ms", 1500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("7d", 604_800_000),
            ("0ms", 0),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(ms))));
            assert_eq!(Span(Duration::from_millis(ms)).to_string(), text);
        }
        for bad in ["", "50", "ms", "-1s", "1.5s", "1w", "99999999999999999999d", "999999999999999d"] {
            assert!(bad.parse::<Span>().is_err(), "{bad:?}");
        }
    }
}
