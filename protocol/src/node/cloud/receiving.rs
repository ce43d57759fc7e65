//! Taking batches: what is new of them waits for the next commit.

use super::agent::Stream;
use super::committing::Waiting;
use super::{BATCH_KEEP, CloudNode, FUTURE_AFTER, billing, concealing};
use crate::clock::TimeFlag;
use crate::delivery::receiver::Accepted;
use crate::ids::AgentId;
use crate::store::Points;
use crate::time::Now;
use crate::wire::{Batch, BatchHeader, PAYLOAD_MAX_BYTES};
use std::sync::Arc;

/// The credits that may be held of one agent when memory is short: what it has under way, with headers and [`BATCH_KEEP`], and
/// as much again for a credit that was larger when it was granted.
const CREDITS_HELD_MAX: u64 = 2;

impl CloudNode {
    pub(super) fn batch(&mut self, id: &AgentId, batch: Batch, bytes: u64, now: Now) {
        self.counters.readings += batch.readings.len() as u64;
        self.agents.activate(id);
        if !self.has_room(id, bytes) {
            self.counters.refuse("memory");
            self.agents.turn_away(id);
            return;
        }
        let stream = batch.header.stream;
        match self.agents.stream(id, stream) {
            Some(Stream::Known(_)) => self.take(id, batch, bytes, now),
            Some(Stream::Recalling(waiting)) => {
                waiting.push((batch, bytes));
                self.agents.hold(id, bytes);
            }
            None => self.open_stream(id, batch, bytes),
        }
    }

    /// The first half of the memory is whoever's comes first. The second is kept for those who keep to their credit: one that
    /// does not must not shut out the others.
    fn has_room(&self, id: &AgentId, bytes: u64) -> bool {
        let (held, most) = (self.agents.held_bytes() + bytes, self.config.memory_bytes);
        let share = (CREDITS_HELD_MAX * self.agents.credit()).max(PAYLOAD_MAX_BYTES as u64 + BATCH_KEEP);
        held <= most && (held <= most / 2 || self.agents.held_for(id) + bytes <= share)
    }

    /// A batch of a stream that is not in memory: the store may know where it stands.
    fn open_stream(&mut self, id: &AgentId, batch: Batch, bytes: u64) {
        let stream = batch.header.stream;
        if self.agents.open_stream(id, stream, vec![(batch, bytes)]) {
            self.agents.hold(id, bytes);
            self.recall(id, stream);
        } else {
            self.counters.refuse("too_many_streams");
            self.agents.turn_away(id);
        }
    }

    /// A batch of a stream that is known.
    pub(super) fn take(&mut self, id: &AgentId, batch: Batch, bytes: u64, now: Now) {
        if billing::is_billed(&batch.readings) && !self.takes_bills(id, &batch) {
            return;
        }
        let Some(Stream::Known(receiver)) = self.agents.stream(id, batch.header.stream) else { return };
        let range = batch.range();
        let accepted = receiver.accept(&batch.header, range);
        if receiver.has_moved() {
            self.pending.moved(id, batch.header.stream);
        }
        match accepted {
            Accepted::Fresh(fresh) => {
                self.counters.take("readings");
                let fresh_count: u64 = fresh.iter().map(|range| range.count()).sum();
                self.counters.duplicates += range.count() - fresh_count;
                self.count_times(&batch, fresh_count, now);
                let Batch { header, readings } = batch;
                let BatchHeader { stream, clock, time, first, .. } = header;
                let mut points =
                    Points { agent: id.clone(), stream, clock, time, first, readings: Arc::new(readings), fresh };
                let bills = self.ledger.enter(&points);
                if let Some(concealed) = concealing::conceal(&points.readings, self.plate_key) {
                    points.readings = Arc::new(concealed);
                }
                self.pending.push(Waiting { points, bytes, bills });
                self.agents.hold(id, bytes);
            }
            Accepted::Duplicate => {
                self.counters.take("readings");
                self.counters.duplicates += range.count();
                self.agents.owe_ack(id);
            }
            Accepted::TooScattered => {
                self.counters.refuse("too_scattered");
                self.agents.turn_away(id);
            }
        }
    }

    /// Counts the new readings whose times are not as a clock that was set gave them, and those from the future.
    fn count_times(&mut self, batch: &Batch, fresh: u64, now: Now) {
        match batch.header.time {
            Some(TimeFlag::Restamped) => self.counters.restamped += fresh,
            Some(TimeFlag::Unset) => self.counters.unset += fresh,
            None => {}
        }
        let most = now.wall + FUTURE_AFTER;
        let early = batch.readings.iter().filter(|reading| reading.ts() > most).count() as u64;
        self.counters.future += early.min(fresh);
    }
}
