//! Watching the agent's own clock: is it set, which times did it give before, and how long readings wait for it.

use super::interface::ClockConfig;
use crate::clock::{HOLD_CONNECTED, Stamps, UnsetClock};
use crate::queue::{Segment, Settle};
use crate::time::{Monotonic, Now, Wall};
use std::time::Duration;

/// How often to look whether the clock was set, while readings wait for that.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The agent's clock, as far as it was seen.
#[derive(Debug)]
pub(super) struct ClockWatch {
    config: ClockConfig,
    /// The clock that is not set, while it is not.
    unset: Option<UnsetClock>,
    /// The newest clock of this start that was not set. Readings that it stamped may still be on their way from the source.
    last: Option<UnsetClock>,
    /// When a reading could have been sent for the first time.
    opened: Option<Monotonic>,
    now: Now,
}

impl ClockWatch {
    pub(super) fn new(config: ClockConfig, now: Now) -> Self {
        let mut watch = Self { config, unset: None, last: None, opened: None, now };
        watch.look(now);
        watch
    }

    /// Both clocks show this now.
    pub(super) fn look(&mut self, now: Now) {
        self.now = now;
        let seen = UnsetClock::of(self.config.boot, self.uptime(), now.wall);
        // Two looks at one clock differ by a breath: it stays the one that it was.
        if !matches!((&self.unset, &seen), (Some(known), Some(seen)) if known.is(seen)) {
            self.unset = seen;
        }
        self.last = self.unset.or(self.last);
    }

    /// A reading may be sent.
    pub(super) fn may_send(&mut self) {
        self.opened.get_or_insert(self.now.mono);
    }

    pub(super) const fn is_set(&self) -> bool {
        self.unset.is_none()
    }

    /// The clock that gave a time and was not set.
    pub(super) fn unset_clock_of(&self, ts: Wall) -> Option<UnsetClock> {
        let uptime = self.uptime();
        // What a clock that is set shows cannot be told from what another one gave, should they overlap: they do not.
        self.last.filter(|clock| clock.gave(ts, uptime))
    }

    /// What becomes of the times of a segment for which that is open; none while it has to wait.
    pub(super) fn settle(&self, segment: &Segment) -> Option<Settle> {
        let clock = *segment.stamps.open()?;
        let (here, uptime) = (clock.boot == self.config.boot, self.uptime());
        let stamps = match self.unset {
            // The device was started again: nobody knows how long it was off.
            _ if !here => Stamps::Unset,
            None => Stamps::Restamped(clock.shift(uptime, self.now.wall)),
            Some(_) if self.hold_ends().is_some_and(|end| end <= self.now.mono) => Stamps::Unset,
            Some(_) => return None,
        };
        Some(Settle { first: segment.first, clock, stamps })
    }

    /// Until when readings wait for the clock: for ever, as long as they could not be sent anyway.
    pub(super) fn hold_ends(&self) -> Option<Monotonic> {
        let hold = self.config.hold;
        let connected = self.opened? + hold.min(HOLD_CONNECTED);
        Some(connected.max(Monotonic::ZERO + hold.saturating_sub(self.config.uptime)))
    }

    /// How much longer they do.
    pub(super) fn hold_left(&self) -> Option<Duration> {
        self.hold_ends().map(|end| end.since(self.now.mono))
    }

    /// When to look at the clocks again while readings wait: nobody says when a clock is set.
    pub(super) fn next_look(&self) -> Monotonic {
        let next = self.now.mono + LOOK_EVERY;
        self.hold_ends().filter(|end| *end > self.now.mono).map_or(next, |end| end.min(next))
    }

    /// How long the device has been running.
    fn uptime(&self) -> Duration {
        self.config.uptime + self.now.mono.since(Monotonic::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{BootId, HOLD, SET_FROM, Shift};
    use crate::ids::StreamId;

    const BOOT: BootId = BootId::from_bits(7);

    fn at(mono_s: u64, wall_s: i64) -> Now {
        Now { mono: Monotonic::from_us(mono_s * 1_000_000), wall: Wall::from_us(wall_s * 1_000_000) }
    }

    /// The clock of a process that began 100 s after the device, at whose start it showed 1970.
    fn watch() -> ClockWatch {
        let config = ClockConfig { uptime: Duration::from_secs(100), ..ClockConfig::new(BOOT) };
        ClockWatch::new(config, at(0, 100))
    }

    fn segment(boot: BootId) -> Segment {
        let stamps = Stamps::Open(UnsetClock { boot, began_us: 0 });
        Segment { first: 9, stream: StreamId::from_bits(1), clock: 3, stamps }
    }

    fn verdict(watch: &ClockWatch, boot: BootId) -> Option<Stamps> {
        watch.settle(&segment(boot)).map(|settle| settle.stamps)
    }

    #[test]
    fn a_clock_that_is_set_settles_what_this_start_stamped() {
        let mut watch = watch();
        assert_eq!(verdict(&watch, BOOT), None);
        let set = SET_FROM.us() / 1_000_000 + 1000;
        watch.look(at(30, set));
        let Some(Stamps::Restamped(shift)) = verdict(&watch, BOOT) else { panic!("not restamped") };
        assert_eq!(shift.by_us, (set - 130) * 1_000_000, "whoever appended it");
        watch.look(at(31, set + 1));
        assert_eq!(
            verdict(&watch, BOOT),
            Some(Stamps::Restamped(Shift { until_us: shift.until_us + 1_000_000, ..shift }))
        );
    }

    #[test]
    fn what_an_earlier_start_stamped_stays() {
        assert_eq!(verdict(&watch(), BootId::from_bits(8)), Some(Stamps::Unset));
    }

    #[test]
    fn readings_wait_for_the_clock_and_not_for_ever() {
        let mut watch = watch();
        watch.look(at(100_000, 100_100));
        assert_eq!(verdict(&watch, BOOT), None, "nothing could have been sent");
        watch.may_send();
        let end = 100_000 + HOLD_CONNECTED.as_secs();
        watch.look(at(end - 1, i64::try_from(end).unwrap() + 99));
        assert_eq!(verdict(&watch, BOOT), None, "the connection is young");
        assert_eq!(watch.next_look(), at(end, 0).mono);
        watch.look(at(end, i64::try_from(end).unwrap() + 100));
        assert_eq!(verdict(&watch, BOOT), Some(Stamps::Unset));
    }

    #[test]
    fn readings_wait_from_the_start_of_the_device_on() {
        let mut watch = watch();
        watch.may_send();
        let end = HOLD.as_secs() - 100;
        assert_eq!(watch.hold_ends(), Some(at(end, 0).mono));
        watch.look(at(end, i64::try_from(end).unwrap() + 100));
        assert_eq!(verdict(&watch, BOOT), Some(Stamps::Unset));
    }

    #[test]
    fn a_wait_of_nothing_is_none() {
        let config = ClockConfig { hold: Duration::ZERO, ..ClockConfig::new(BOOT) };
        let mut watch = ClockWatch::new(config, at(0, 0));
        watch.may_send();
        assert_eq!(verdict(&watch, BOOT), Some(Stamps::Unset));
    }
}
