//! What is true of the times of readings: when each was taken, and what its agent's clock was then.

use super::clocks::EPOCH_US;
use super::ledger::{Ledger, Serial};
use fogline_protocol::clock::{BootId, TimeFlag};
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::QueueState;
use fogline_protocol::time::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

/// How far off a time may be that was moved: what clocks go wrong within a run...
const DRIFT: Duration = Duration::from_millis(500);
/// ...and where somebody moved the clock as well, back or forth: five times half a minute.
const LEAPS: Duration = Duration::from_secs(150);

/// How a reading was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// The true time, in microseconds since the beginning.
    pub true_us: u64,
    /// Which start of the device that was.
    pub boot: Option<BootId>,
    /// The clock was not set.
    pub unset: bool,
}

/// The clock of one agent, and the readings that it stamped.
#[derive(Debug, Default)]
pub struct ClockBook {
    /// Somebody moved it.
    pub leaped: bool,
    taken: BTreeMap<Serial, Taken>,
    /// In these starts of the device it was set before readings had waited long enough.
    in_time: BTreeSet<BootId>,
}

impl ClockBook {
    /// Readings were taken.
    pub fn took(&mut self, serials: Range<Serial>, taken: Taken) {
        self.taken.extend(serials.map(|serial| (serial, taken)));
    }

    /// The clock was set in this start, in time for all that wait.
    pub fn set_in_time(&mut self, boot: BootId) {
        self.in_time.insert(boot);
    }

    /// The power is cut: what was not settled before stays as it is.
    pub fn lost(&mut self) {
        self.in_time.clear();
    }

    /// A reading with the time `was` on the disk is sent with the time `ts`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn sends(&self, serial: Serial, was: Wall, ts: Wall, flag: Option<TimeFlag>) -> Result<(), &'static str> {
        let Some(taken) = self.taken.get(&serial) else { return Ok(()) };
        let right = Wall::from_us(EPOCH_US) + Duration::from_micros(taken.true_us);
        let far = if self.leaped { LEAPS } else { DRIFT };
        let near = ts.since(right).max(right.since(ts)) <= far;
        match flag {
            None if taken.unset => Err("UNFLAGGED"),
            Some(TimeFlag::Unset) if taken.boot.is_some_and(|boot| self.in_time.contains(&boot)) => {
                Err("NOT RESTAMPED")
            }
            Some(TimeFlag::Restamped) if !near => Err("WRONG TIME"),
            None | Some(TimeFlag::Unset) if was != ts => Err("CHANGED"),
            None | Some(TimeFlag::Unset | TimeFlag::Restamped) => Ok(()),
        }
    }
}

impl Ledger {
    /// An old copy of a queue came back: it does not know what became of times after it was made. Nobody could.
    pub(super) fn forget_times(&mut self, agent: usize, state: &QueueState) {
        let ends = state.segments.iter().skip(1).map(|segment| segment.first).chain([Seq::MAX]);
        for (segment, end) in state.segments.iter().zip(ends) {
            if segment.stamps.open().is_some() {
                self.stream(agent, segment.stream).times.retain(|seq, _| !(segment.first..end).contains(seq));
            }
        }
    }
}
