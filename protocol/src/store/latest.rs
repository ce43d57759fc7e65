//! The newest reading of a sensor, and the marks of a reading.

use super::Owner;
use crate::clock::TimeFlag;
use crate::ids::{Seq, StreamId};
use serde::{Deserialize, Serialize};

/// What is to be known of a stored reading beside its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// A value is outside of what its field can be.
    pub outlier: bool,
    /// Its time is not as a clock that was set gave it.
    pub time: Option<TimeFlag>,
}

const OUTLIER: u8 = 1;
const RESTAMPED: u8 = 2;
const UNSET: u8 = 4;

impl Flags {
    /// As a number for a database: 1 outlier, 2 restamped, 4 unset.
    #[must_use]
    pub const fn bits(self) -> u8 {
        let time = match self.time {
            None => 0,
            Some(TimeFlag::Restamped) => RESTAMPED,
            Some(TimeFlag::Unset) => UNSET,
        };
        time | if self.outlier { OUTLIER } else { 0 }
    }

    /// What [`Self::bits`] wrote.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        let time = match (bits & RESTAMPED, bits & UNSET) {
            (0, 0) => None,
            (_, 0) => Some(TimeFlag::Restamped),
            _ => Some(TimeFlag::Unset),
        };
        Self { outlier: bits & OUTLIER != 0, time }
    }

    /// As words, for people and programs: `outlier`, `restamped`, `unset`.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        self.outlier.then_some("outlier").into_iter().chain(self.time.map(TimeFlag::word))
    }
}

/// The newest reading of a sensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// Whose sensor.
    #[serde(flatten)]
    pub owner: Owner,
    /// The use case.
    pub kind: String,
    /// Which sensor.
    pub sensor: String,
    /// When it was measured, in microseconds since 1970.
    pub ts_us: i64,
    /// Its clock, 0 to 999.
    pub clock: u16,
    /// Its stream.
    pub stream: StreamId,
    /// Its sequence number.
    pub seq: Seq,
    /// As [`Flags::bits`].
    #[serde(default)]
    pub flags: u8,
    /// Its fields.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl Latest {
    /// What tells newer from older: the time in the database.
    #[must_use]
    pub const fn order(&self) -> (i64, u16) {
        (self.ts_us, self.clock)
    }

    /// The number in a field, if there is one.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<f64> {
        self.fields.get(field).and_then(serde_json::Value::as_f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_read_back() {
        for outlier in [false, true] {
            for time in [None, Some(TimeFlag::Restamped), Some(TimeFlag::Unset)] {
                let flags = Flags { outlier, time };
                assert_eq!(Flags::from_bits(flags.bits()), flags);
            }
        }
        let all = Flags { outlier: true, time: Some(TimeFlag::Restamped) };
        assert_eq!(all.words().collect::<Vec<_>>(), ["outlier", "restamped"]);
    }
}
