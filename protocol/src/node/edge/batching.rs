//! Readings on their way into the queue: gathered, encoded once, and committed in groups.

use super::clock::ClockWatch;
use crate::clock::Stamps;
use crate::ids::StreamId;
use crate::queue::{Append, AppendPart, Rows, SegmentHead, SourcePosition};
use crate::reading::Readings;
use crate::rng::Rng;
use crate::time::{Monotonic, Now, Wall};
use crate::wire::CLOCK_MAX;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The most readings that wait for a commit before sources have to.
const WAITING_READINGS_MAX: usize = 8192;
/// The most bytes that do.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// With this share of either waiting, a commit does not wait for its time.
const HURRY_DIVISOR: usize = 4;
/// How much longer than a commit took the disk rests after it; at most so many times the usual interval.
const REST: u32 = 3;
/// The most sensors whose last time is remembered; one more begins a new clock.
const SENSORS_MAX: usize = 10_000;

/// A segment that begins with a part, if one does, and the part's rows.
type PartShape = (Option<SegmentHead>, u64);

/// An append that is done.
pub(super) struct Done {
    pub(super) append: Option<Arc<Append>>,
    pub(super) parts: Vec<PartShape>,
    pub(super) tickets: Vec<u64>,
}

#[derive(Debug)]
struct Committing {
    append: Arc<Append>,
    tickets: Vec<u64>,
    started: Monotonic,
    /// After a fault: when to try again.
    retry_at: Option<Monotonic>,
}

/// The last time of a sensor: as given, and as kept.
#[derive(Debug, Clone, Copy)]
struct LastTime {
    given: Wall,
    kept: Wall,
    /// A clock gave it that was not set: it may be moved.
    movable: bool,
}

#[derive(Debug)]
pub(super) struct Batching {
    rng: Rng,
    commit_every: Duration,
    /// The stream of this opening, minted with its first reading.
    stream: Option<StreamId>,
    clock: u16,
    /// How the times of the newest segment come about.
    stamps: Stamps,
    times: BTreeMap<String, LastTime>,
    waiting: Append,
    tickets: Vec<u64>,
    readings: usize,
    bytes: usize,
    committing: Option<Committing>,
    /// When the next commit may start.
    due: Option<Monotonic>,
    moved_times: u64,
}

impl Batching {
    /// `last_clock` is that of the queue's newest segment: this opening's is the next.
    pub(super) const fn commit_every(&mut self, commit_every: Duration) {
        self.commit_every = commit_every;
    }

    pub(super) fn new(seed: u64, last_clock: Option<u16>, commit_every: Duration) -> Self {
        let mut rng = Rng::new(seed);
        let clocks = u64::from(CLOCK_MAX) + 1;
        // The clock of a new file is drawn, so that a replaced disk does not repeat the old one's points.
        let drawn = u16::try_from(rng.below(clocks)).unwrap_or(0);
        Self {
            rng,
            commit_every,
            stream: None,
            clock: last_clock.map_or(drawn, next_clock),
            stamps: Stamps::Given,
            times: BTreeMap::new(),
            waiting: Append::default(),
            tickets: Vec::new(),
            readings: 0,
            bytes: 0,
            committing: None,
            due: None,
            moved_times: 0,
        }
    }

    pub(super) const fn has_room(&self) -> bool {
        self.readings < WAITING_READINGS_MAX && self.bytes < WAITING_BYTES_MAX
    }

    /// Readings that have no number yet.
    pub(super) fn waiting_readings(&self) -> u64 {
        let committing = self.committing.iter().flat_map(|c| &c.append.parts).map(|part| part.rows.len() as u64);
        self.readings as u64 + committing.sum::<u64>()
    }

    /// Their bytes.
    pub(super) fn waiting_bytes(&self) -> u64 {
        let committing = self.committing.iter().flat_map(|c| &c.append.parts).map(|part| part.rows.bytes() as u64);
        self.bytes as u64 + committing.sum::<u64>()
    }

    /// How many readings had the same time as the one before of their sensor, and were moved by a microsecond.
    pub(super) const fn moved_times(&self) -> u64 {
        self.moved_times
    }

    pub(super) fn add(
        &mut self,
        ticket: u64,
        mut readings: Readings,
        position: Option<SourcePosition>,
        watch: &ClockWatch,
    ) {
        for index in 0..readings.len() {
            let Some(reading) = readings.get(index) else { break };
            let (sensor, given) = (reading.sensor(), reading.ts());
            let unset = watch.unset_clock_of(given);
            let stamps = match unset {
                Some(clock) => Stamps::Open(clock),
                None if watch.is_set() => Stamps::Given,
                // Times of its own, between others: a segment for each turn would be one for each reading.
                None => self.stamps,
            };
            self.keep_stamps(stamps);
            let kept = self.keep_time(sensor, given, unset.is_some());
            if kept != given {
                self.moved_times += 1;
                readings.set_ts(index, kept);
            }
            if let Some(reading) = readings.get(index) {
                self.append_row(kept, |out| reading.write_json(out));
            }
        }
        if let Some(position) = position {
            self.waiting.positions.retain(|known| known.source != position.source);
            self.waiting.positions.push(position);
        }
        self.tickets.push(ticket);
    }

    /// Within one clock a sensor's times only grow, so that no two of its readings are the same point. An equal time is
    /// moved; an earlier one begins a new clock. So does a time that may be moved later after one that stays, and the other way
    /// round: moved, it might be the same.
    fn keep_time(&mut self, sensor: &str, given: Wall, movable: bool) -> Wall {
        let known = self.times.len();
        match self.times.get_mut(sensor) {
            // At the end of time there is nothing to move to.
            Some(last) if given >= last.given && last.kept < Wall::MAX && last.movable == movable => {
                let kept = given.max(last.kept + Duration::from_micros(1));
                *last = LastTime { given, kept, movable };
                return kept;
            }
            Some(_) => self.begin_clock(),
            None if known >= SENSORS_MAX => self.begin_clock(),
            None => {}
        }
        self.times.insert(sensor.to_owned(), LastTime { given, kept: given, movable });
        given
    }

    /// A segment's times are moved together or not at all: those of another clock are in another segment.
    fn keep_stamps(&mut self, stamps: Stamps) {
        if self.stamps == stamps {
            return;
        }
        self.stamps = stamps;
        if self.stream.is_some() {
            self.begin_clock();
        }
    }

    fn begin_clock(&mut self) {
        self.clock = next_clock(self.clock);
        self.times.clear();
        if let Some(stream) = self.stream {
            self.begin_segment(stream);
        }
    }

    fn begin_segment(&mut self, stream: StreamId) {
        // One without a reading gives way.
        self.waiting.parts.pop_if(|part| part.rows.is_empty());
        let (clock, stamps) = (self.clock, self.stamps);
        self.begin_part(Some(SegmentHead { stream, clock, stamps }));
    }

    fn begin_part(&mut self, segment: Option<SegmentHead>) {
        self.waiting.parts.push(AppendPart { segment, rows: Rows::default() });
    }

    fn append_row(&mut self, ts: Wall, write: impl FnOnce(&mut Vec<u8>)) {
        if self.stream.is_none() {
            let stream = StreamId::from_bits(self.rng.next_u64());
            self.stream = Some(stream);
            self.begin_segment(stream);
        } else if self.waiting.parts.is_empty() {
            self.begin_part(None);
        }
        if let Some(part) = self.waiting.parts.last_mut() {
            let before = part.rows.bytes();
            part.rows.push(ts, write);
            self.readings += 1;
            self.bytes += part.rows.bytes() - before;
        }
    }

    /// What to commit now, if it is time.
    pub(super) fn poll_append(&mut self, now: Now) -> Option<Arc<Append>> {
        if let Some(committing) = &mut self.committing {
            committing.retry_at.filter(|at| *at <= now.mono)?;
            committing.retry_at = None;
            return Some(committing.append.clone());
        }
        if self.tickets.is_empty() || !(self.hurries() || self.due.is_none_or(|due| due <= now.mono)) {
            return None;
        }
        let append = Arc::new(std::mem::take(&mut self.waiting));
        self.readings = 0;
        self.bytes = 0;
        self.due = Some(now.mono + self.commit_every);
        let tickets = std::mem::take(&mut self.tickets);
        self.committing = Some(Committing { append: append.clone(), tickets, started: now.mono, retry_at: None });
        Some(append)
    }

    /// The append is durable. A disk that is slow, or shared by many, rests for a while in proportion to what it has worked:
    /// larger commits then take less of it than more commits would.
    pub(super) fn appended(&mut self, now: Monotonic) -> Done {
        let Some(Committing { append, tickets, started, .. }) = self.committing.take() else {
            return Done { append: None, parts: Vec::new(), tickets: Vec::new() };
        };
        let rest = (now.since(started) * REST).min(self.commit_every * REST);
        self.due = self.due.max(Some(now + rest));
        let parts = append.parts.iter().map(|part| (part.segment, part.rows.len() as u64)).collect();
        Done { append: Some(append), parts, tickets }
    }

    /// The append failed: the same again at `retry_at`.
    pub(super) fn failed(&mut self, retry_at: Monotonic) {
        if let Some(committing) = &mut self.committing {
            committing.retry_at = Some(retry_at);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        match &self.committing {
            Some(committing) => committing.retry_at,
            None if self.tickets.is_empty() => None,
            None => self.due,
        }
    }

    const fn hurries(&self) -> bool {
        self.readings >= WAITING_READINGS_MAX / HURRY_DIVISOR || self.bytes >= WAITING_BYTES_MAX / HURRY_DIVISOR
    }
}

const fn next_clock(clock: u16) -> u16 {
    if clock >= CLOCK_MAX { 0 } else { clock + 1 }
}

#[cfg(test)]
mod tests;
