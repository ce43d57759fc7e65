//! When the rows of a recording are due.

use clap::ValueEnum;
use fogline_protocol::time::{Monotonic, Now, Wall};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::str::FromStr;
use std::time::Duration;

/// How fast a recording is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as the queue takes it.
    Max,
    /// So many times as fast as it was recorded: 0.001 to 1,000,000.
    Times(f64),
}

impl FromStr for Pace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            _ => text.parse().map(Self::Times).map_err(|_| format!("{text:?} is no pace: give a number, or max")),
        }
    }
}

impl Serialize for Pace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Max => serializer.serialize_str("max"),
            Self::Times(speed) => serializer.serialize_f64(*speed),
        }
    }
}

impl<'de> Deserialize<'de> for Pace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a pace is a number, or \"max\"")]
        enum Written {
            Number(f64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Number(speed) => Ok(Self::Times(speed)),
            Written::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// What times the readings of a recording get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Times {
    /// Those of the data
    #[default]
    #[value(alias = "recorded")]
    #[serde(alias = "recorded")]
    Original,
    /// Those at which they are played, for which a pace is needed
    Played,
}

/// Plays rows relative to the first one, from the moment at which that is read.
#[derive(Debug)]
pub(in crate::source) struct Pacer {
    pace: Pace,
    times: Times,
    anchor: Option<(Now, Wall)>,
}

impl Pacer {
    pub(in crate::source) fn new(pace: Pace, times: Times) -> Self {
        Self { pace, times, anchor: None }
    }

    /// When a row of this time is due. Rows that go back in time are due at once.
    pub(in crate::source) fn due(&mut self, ts: Wall, now: Now) -> Monotonic {
        let Pace::Times(speed) = self.pace else { return now.mono };
        let (start, first) = *self.anchor.get_or_insert((now, ts));
        start.mono + ts.since(first).div_f64(speed)
    }

    /// The time that a reading gets.
    pub(in crate::source) fn time(&self, ts: Wall) -> Wall {
        let (Times::Played, Pace::Times(speed), Some((start, first))) = (self.times, self.pace, self.anchor) else {
            return ts;
        };
        let played = |span: Duration| span.div_f64(speed);
        if ts >= first { start.wall + played(ts.since(first)) } else { start.wall - played(first.since(ts)) }
    }

    pub(in crate::source) fn changes_times(&self) -> bool {
        self.times == Times::Played
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(us: u64) -> Now {
        Now { mono: Monotonic::from_us(us), wall: Wall::from_us(9_000_000) }
    }

    #[test]
    fn rows_are_due_in_proportion() {
        let mut pacer = Pacer::new(Pace::Times(60.0), Times::Played);
        assert_eq!(pacer.due(Wall::from_us(500), now(1000)).us(), 1000);
        assert_eq!(pacer.due(Wall::from_us(60_000_500), now(2000)).us(), 1_001_000);
        assert_eq!(pacer.due(Wall::from_us(0), now(3000)).us(), 1000);
        assert_eq!(pacer.time(Wall::from_us(60_000_500)).us(), 10_000_000);
        assert_eq!(pacer.time(Wall::from_us(440)).us(), 8_999_999);
    }

    #[test]
    fn without_a_pace_all_is_due() {
        let mut pacer = Pacer::new(Pace::Max, Times::Original);
        assert_eq!(pacer.due(Wall::MAX, now(5)).us(), 5);
        assert_eq!(pacer.time(Wall::MAX), Wall::MAX);
    }
}
