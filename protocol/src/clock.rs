//! Wall clocks that were never set, and what becomes of the times that they gave.
//!
//! A device without a battery for its clock starts in 1970, and is right once somebody tells it the time. Two clocks count
//! on meanwhile, and how far they are apart changes only when one of them is set: the wall clock, and the time since the
//! device started. So what was stamped before can be stamped anew as long as the device has not started again: the
//! difference of the two distances is what has to be added.

use crate::time::Wall;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// A wall clock before this (2024-01-01) was never set: Fogline is younger. Devices that begin at the date of their system's
/// image, or where they were when they were switched off, are not found out by it if that is later.
pub const SET_FROM: Wall = Wall::from_us(1_704_067_200_000_000);
/// A wall clock that moves by more than this against the time since the start was set. Less is the time between the two looks.
const STEP_US: i64 = 100_000;
/// How far beyond what the clock shows a time may be that it gave: the time is taken in one place and looked at in another.
const SLACK_US: i64 = 1_000_000;
/// How long readings wait for the clock at most, unless configured otherwise: a device that reaches a time server is right
/// within a minute.
pub const HOLD: Duration = Duration::from_secs(600);
/// How long they wait at least from the first connection on, if they may wait so long at all: the time server may have become
/// reachable with it.
pub const HOLD_CONNECTED: Duration = Duration::from_secs(60);

/// Which start of a device it is: random, and another one after each. 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootId(u128);

impl BootId {
    /// The start with these random bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Reads what [`BootId`] writes, or a UUID, as Linux does in `/proc/sys/kernel/random/boot_id`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|digit| *digit != '-').collect();
        let hex = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(&digits, 16).ok().filter(|_| hex).map(Self)
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for BootId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BootId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a boot id is 32 hexadecimal digits"))
    }
}

/// A wall clock that is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsetClock {
    /// Which start of the device.
    pub boot: BootId,
    /// What it showed when the device started, in microseconds since 1970: from there on it counts right.
    pub began_us: i64,
}

impl UnsetClock {
    /// The clock that shows `wall` after `uptime`, if it is not set.
    #[must_use]
    pub fn of(boot: BootId, uptime: Duration, wall: Wall) -> Option<Self> {
        // Beyond the last time that a reading may have it is no better.
        let is_set = (SET_FROM..=Wall::MAX).contains(&wall);
        (!is_set).then(|| Self { boot, began_us: began(uptime, wall) })
    }

    /// True when this is the clock that showed `other`, and nobody has moved it since.
    #[must_use]
    pub const fn is(&self, other: &Self) -> bool {
        self.boot.0 == other.boot.0 && self.began_us.abs_diff(other.began_us) <= STEP_US.unsigned_abs()
    }

    /// True when it may have given this time: it lies between the start of the device and `uptime` after it. What a file says
    /// of another year does not.
    #[must_use]
    pub fn gave(&self, ts: Wall, uptime: Duration) -> bool {
        let [from, until] = self.gives(uptime);
        (from..=until).contains(&ts)
    }

    /// What is to be done with the times that it gave, now that the clock is set and shows `wall` after `uptime`.
    #[must_use]
    pub fn shift(&self, uptime: Duration, wall: Wall) -> Shift {
        let [from, until] = self.gives(uptime).map(Wall::us);
        Shift { from_us: from, until_us: until, by_us: began(uptime, wall).saturating_sub(self.began_us) }
    }

    fn gives(&self, uptime: Duration) -> [Wall; 2] {
        let began = Wall::from_us(self.began_us);
        let slack = Duration::from_micros(SLACK_US.unsigned_abs());
        [began - slack, began + uptime + slack]
    }
}

/// What a wall clock that shows `wall` after `uptime` showed at the start.
fn began(uptime: Duration, wall: Wall) -> i64 {
    (wall - uptime).us()
}

/// Times from `from_us` to `until_us` become others. In microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// The first of them.
    pub from_us: i64,
    /// The last. Times outside were not given by the clock: they stay.
    pub until_us: i64,
    /// What is added.
    pub by_us: i64,
}

/// How the times of a segment came about, and what is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamps {
    /// By a clock that was set, or by a source that has times of its own: they are right, for all that the agent knows.
    #[default]
    Given,
    /// By a clock that was not set, and it is open what becomes of them. None of the segment was ever sent.
    Open(UnsetClock),
    /// By a clock that was not set, and they stay as they are.
    Unset,
    /// By a clock that was not set, and they are moved when they are sent.
    Restamped(Shift),
}

/// What a batch says of the times of its readings when they are not as a clock that was set gave them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFlag {
    /// The clock was set after they were taken, and they were moved by as much.
    Restamped,
    /// The clock was not set: nobody knows when they were taken.
    Unset,
}

impl TimeFlag {
    /// Its word on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Restamped => "restamped",
            Self::Unset => "unset",
        }
    }
}

impl Stamps {
    /// What a batch says of them.
    #[must_use]
    pub const fn flag(&self) -> Option<TimeFlag> {
        match self {
            Self::Given | Self::Open(_) => None,
            Self::Unset => Some(TimeFlag::Unset),
            Self::Restamped(_) => Some(TimeFlag::Restamped),
        }
    }

    /// The clock, while it is open what becomes of the times that it gave.
    #[must_use]
    pub const fn open(&self) -> Option<&UnsetClock> {
        match self {
            Self::Open(clock) => Some(clock),
            Self::Given | Self::Unset | Self::Restamped(_) => None,
        }
    }

    /// True when the times say how old a reading is.
    #[must_use]
    pub const fn tell_age(&self) -> bool {
        matches!(self, Self::Given | Self::Restamped(_))
    }

    /// True when readings are sent just as they were appended.
    #[must_use]
    pub const fn are_final(&self) -> bool {
        matches!(self, Self::Given | Self::Unset)
    }

    /// A reading's time and JSON as they are sent. The time of what is no reading of ours stays.
    #[must_use]
    pub fn apply<'a>(&self, ts: Wall, json: &'a [u8]) -> (Wall, Cow<'a, [u8]>) {
        let (as_it_is, moved) = ((ts, Cow::Borrowed(json)), self.time(ts));
        if moved == ts {
            return as_it_is;
        }
        let head = format!("{{\"ts_us\":{}", ts.us());
        let rest = json.strip_prefix(head.as_bytes()).filter(|rest| !rest.first().is_some_and(u8::is_ascii_digit));
        let Some(rest) = rest else { return as_it_is };
        let mut out = format!("{{\"ts_us\":{}", moved.us()).into_bytes();
        out.extend_from_slice(rest);
        (moved, Cow::Owned(out))
    }

    /// A reading's time as it is sent.
    #[must_use]
    pub fn time(&self, ts: Wall) -> Wall {
        match self {
            Self::Restamped(shift) if (shift.from_us..=shift.until_us).contains(&ts.us()) => {
                let moved = ts.us().saturating_add(shift.by_us);
                Wall::from_us(moved.clamp(Wall::MIN.us(), Wall::MAX.us()))
            }
            Self::Given | Self::Open(_) | Self::Unset | Self::Restamped(_) => ts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId::from_bits(7);
    const RIGHT: Wall = Wall::from_us(1_795_000_000_000_000);

    fn seconds(s: i64) -> Wall {
        Wall::from_us(s * 1_000_000)
    }

    fn up(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_clock_is_unset_before_fogline_was() {
        assert_eq!(UnsetClock::of(BOOT, up(30), SET_FROM), None);
        assert_eq!(UnsetClock::of(BOOT, up(30), Wall::MAX), None);
        let before = SET_FROM - Duration::from_micros(1);
        let clock = UnsetClock { boot: BOOT, began_us: before.us() - 30_000_000 };
        assert_eq!(UnsetClock::of(BOOT, up(30), before), Some(clock));
    }

    #[test]
    fn a_clock_stays_the_same_until_it_is_moved() {
        let clock = UnsetClock::of(BOOT, up(30), seconds(40)).unwrap();
        let later = |wall: i64| UnsetClock::of(BOOT, up(90), Wall::from_us(wall)).unwrap();
        assert!(clock.is(&later(100_020_000)), "the two clocks are read one after the other");
        assert!(!clock.is(&later(101_000_000)));
        assert!(!clock.is(&UnsetClock { boot: BootId::from_bits(8), ..clock }));
    }

    #[test]
    fn what_it_gave_lies_between_the_start_and_now() {
        let clock = UnsetClock::of(BOOT, up(30), seconds(100)).unwrap();
        for (ts, gave) in [(68, false), (69, true), (100, true), (101, true), (102, false), (1_577_145_601, false)] {
            assert_eq!(clock.gave(seconds(ts), up(30)), gave, "{ts}");
        }
    }

    #[test]
    fn times_move_by_what_the_clock_was_wrong() {
        let clock = UnsetClock::of(BOOT, up(30), seconds(100)).unwrap();
        // The clock is set 50 s later, a reading was taken at the first look.
        let stamps = Stamps::Restamped(clock.shift(up(80), RIGHT));
        assert_eq!(stamps.time(seconds(100)), RIGHT - up(50));
        let of_a_file = seconds(1_577_145_601);
        assert_eq!(stamps.time(of_a_file), of_a_file);
        assert_eq!(Stamps::Unset.time(seconds(100)), seconds(100));
    }

    #[test]
    fn the_text_says_the_time_that_is_sent() {
        let stamps = Stamps::Restamped(Shift { from_us: 0, until_us: 99, by_us: 1000 });
        let apply = |ts: i64, json: &str| {
            let (ts, json) = stamps.apply(Wall::from_us(ts), json.as_bytes());
            (ts.us(), String::from_utf8(json.into_owned()).unwrap())
        };
        assert_eq!(apply(7, r#"{"ts_us":7,"sensor":"s"}"#), (1007, r#"{"ts_us":1007,"sensor":"s"}"#.to_owned()));
        assert_eq!(apply(100, r#"{"ts_us":100}"#), (100, r#"{"ts_us":100}"#.to_owned()));
        assert_eq!(apply(7, r#"{"ts_us":77}"#), (7, r#"{"ts_us":77}"#.to_owned()), "not the time that the row has");
        assert_eq!(apply(7, "77"), (7, "77".to_owned()));
    }

    #[test]
    fn boot_ids_read_as_linux_writes_them() {
        let id = BootId::parse("6e7d9f3a-0001-4c5e-8b1d-2f3a4b5c6d7e\n").unwrap();
        assert_eq!(id.to_string(), "6e7d9f3a00014c5e8b1d2f3a4b5c6d7e");
        assert_eq!(BootId::parse(&id.to_string()), Some(id));
        assert_eq!(BootId::parse("+e7d9f3a00014c5e8b1d2f3a4b5c6d7e"), None);
    }

    #[test]
    fn stamps_read_as_they_were_written() {
        let shift = Shift { from_us: -5, until_us: 9, by_us: 1_795_000_000_000_000 };
        let open = Stamps::Open(UnsetClock { boot: BOOT, began_us: -3 });
        for stamps in [Stamps::Given, open, Stamps::Unset, Stamps::Restamped(shift)] {
            let text = serde_json::to_string(&stamps).unwrap();
            assert_eq!(serde_json::from_str::<Stamps>(&text).unwrap(), stamps, "{text}");
        }
    }
}
