//! The file itself: what each command does to it.

use super::REOPENS_AT_PART;
use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{
    Append, Appended, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueFault, QueueLimits, QueueState,
    QueueUsage, Rows, Run, SavedDecision, Segment, SourcePosition,
};
use fogline_protocol::time::Wall;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A reading; shared, so that copies of a queue are cheap.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) time: Wall,
    pub(super) json: Arc<[u8]>,
}

/// What the file holds.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) opening: u64,
    pub(super) next: Seq,
    pub(super) dropped: u64,
    pub(super) damaged: u64,
    pub(super) damaged_at: Option<Wall>,
    pub(super) bytes: u64,
    pub(super) readings: BTreeMap<Seq, Row>,
    pub(super) segments: Vec<Segment>,
    /// First to last.
    pub(super) gaps: BTreeMap<Seq, Seq>,
    pub(super) positions: BTreeMap<String, String>,
    pub(super) decisions: BTreeMap<String, SavedDecision>,
}

impl Default for File {
    fn default() -> Self {
        Self {
            opening: 0,
            next: 1,
            dropped: 0,
            damaged: 0,
            damaged_at: None,
            bytes: 0,
            readings: BTreeMap::new(),
            segments: Vec::new(),
            gaps: BTreeMap::new(),
            positions: BTreeMap::new(),
            decisions: BTreeMap::new(),
        }
    }
}

impl File {
    pub(super) fn open(&mut self) {
        self.opening += 1;
        self.forget_segments();
    }

    pub(super) fn state(&self) -> QueueState {
        let position = |(source, position): (&String, &String)| SourcePosition {
            source: source.clone(),
            position: position.clone(),
        };
        QueueState {
            opening: self.opening,
            segments: self.segments.clone(),
            next: self.next,
            oldest: self.readings.keys().next().copied(),
            gaps: self.gaps.iter().map(|(first, last)| Range::new(*first, *last)).collect(),
            usage: self.usage(),
            decisions: self.decisions.values().cloned().collect(),
            positions: self.positions.iter().map(position).collect(),
        }
    }

    pub(super) fn usage(&self) -> QueueUsage {
        QueueUsage {
            readings: self.readings.len() as u64,
            bytes: self.bytes,
            oldest: self.readings.iter().next().and_then(|(seq, row)| {
                let stamps = self.stamps_of(*seq);
                stamps.tell_age().then(|| stamps.time(row.time))
            }),
            dropped: self.dropped,
            damaged: self.damaged,
            damaged_at: self.damaged_at,
        }
    }

    pub(super) fn execute(&mut self, command: &QueueCommand, limits: &QueueLimits, now: Wall) -> QueueAnswer {
        match command {
            QueueCommand::Append(append) => QueueAnswer::Appended(self.append(append, limits, now)),
            QueueCommand::Load(load) => QueueAnswer::Loaded(Ok(self.load(load))),
            QueueCommand::Free(free) => QueueAnswer::Freed(Ok((free.clone(), self.free(free)))),
            QueueCommand::Settle(settles) => {
                for settle in settles {
                    self.segments.iter_mut().filter(|s| settle.is_of(s)).for_each(|s| s.stamps = settle.stamps);
                }
                QueueAnswer::Settled(Ok(settles.clone()))
            }
            QueueCommand::Drop { through } => QueueAnswer::Dropped(Ok(self.drop_through(*through))),
            QueueCommand::SaveDecision(saved) => {
                self.decisions.insert(saved.decision.key.clone(), saved.clone());
                QueueAnswer::DecisionSaved(Ok(saved.decision.key.clone()))
            }
        }
    }

    pub(super) fn append(&mut self, append: &Append, limits: &QueueLimits, now: Wall) -> Result<Appended, QueueFault> {
        let count: u64 = append.parts.iter().map(|part| part.rows.len() as u64).sum();
        let first_with_rows = append.parts.iter().position(|part| !part.rows.is_empty());
        let begun = append.parts.iter().position(|part| part.segment.is_some());
        if self.segments.is_empty() && first_with_rows.is_some_and(|at| begun.is_none_or(|begun| begun > at)) {
            return Err(QueueFault::Io("the first readings of a queue must begin a segment".to_owned()));
        }
        if SEQ_MAX - (self.next - 1) < count {
            return Err(QueueFault::Io("the queue has given all sequence numbers: start with a new file".to_owned()));
        }
        let first = self.next;
        let mut dropped = RangeSet::new();
        self.drop_oldest(limits, now, &mut dropped);
        let mut open = self.takes_any(limits);
        for part in &append.parts {
            if let Some(head) = part.segment {
                self.segments.retain(|segment| segment.first < self.next);
                self.segments.push(head.at(self.next));
            }
            self.insert(&part.rows, limits, &mut open, &mut dropped);
        }
        self.drop_oldest(limits, now, &mut dropped);
        for position in &append.positions {
            self.positions.insert(position.source.clone(), position.position.clone());
        }
        let dropped = self.record(&dropped);
        Ok(Appended { range: Range::new(first, self.next - 1), dropped, usage: self.usage() })
    }

    /// A person drops what is there up to `through`.
    pub(super) fn drop_through(&mut self, through: Seq) -> Appended {
        let mut dropped = RangeSet::new();
        while let Some(entry) = self.readings.first_entry().filter(|entry| *entry.key() <= through) {
            dropped.insert(Range::new(*entry.key(), *entry.key()));
            self.bytes -= entry.remove().json.len() as u64;
        }
        let dropped = self.record(&dropped);
        Appended { range: Range::new(self.next, self.next - 1), dropped, usage: self.usage() }
    }

    pub(super) fn insert(&mut self, rows: &Rows, limits: &QueueLimits, open: &mut bool, dropped: &mut RangeSet) {
        for (time, json) in rows.iter() {
            let bytes = json.len() as u64;
            let fits = (self.readings.len() as u64) < limits.readings && self.bytes + bytes <= limits.bytes;
            *open = *open && (limits.policy != FullPolicy::DropNewest || fits);
            if *open {
                self.readings.insert(self.next, Row { time, json: json.into() });
                self.bytes += bytes;
            } else {
                dropped.insert(Range::new(self.next, self.next));
            }
            self.next += 1;
        }
    }

    /// False when the queue was full and has not room enough yet to take readings again.
    pub(super) fn takes_any(&self, limits: &QueueLimits) -> bool {
        let room = |limit: u64| limit - limit / REOPENS_AT_PART;
        let roomy = self.readings.len() as u64 <= room(limits.readings) && self.bytes <= room(limits.bytes);
        let newest_dropped = self.gaps.values().next_back() == Some(&(self.next - 1));
        limits.policy != FullPolicy::DropNewest || roomy || !newest_dropped
    }

    pub(super) fn drop_oldest(&mut self, limits: &QueueLimits, now: Wall, dropped: &mut RangeSet) {
        while let Some((seq, row)) = self.readings.first_key_value() {
            let seq = *seq;
            let bytes = row.json.len() as u64;
            let stamps = self.stamps_of(seq);
            let age = now.us().saturating_sub(stamps.time(row.time).us());
            let too_old = stamps.tell_age() && limits.max_age_us.is_some_and(|max| age > max);
            let too_much = self.readings.len() as u64 > limits.readings || self.bytes > limits.bytes;
            let gives_way = too_old || (too_much && limits.policy == FullPolicy::DropOldest);
            if !gives_way {
                break;
            }
            self.readings.remove(&seq);
            self.bytes -= bytes;
            dropped.insert(Range::new(seq, seq));
        }
    }

    pub(super) fn record(&mut self, dropped: &RangeSet) -> Vec<Range> {
        let mut pieces = Vec::new();
        for range in dropped.iter() {
            let mut first = range.first;
            for segment in &self.segments {
                if first < segment.first && segment.first <= range.last {
                    pieces.push(Range::new(first, segment.first - 1));
                    first = segment.first;
                }
            }
            pieces.push(Range::new(first, range.last));
        }
        for piece in &pieces {
            self.add_gap(*piece);
        }
        self.dropped += dropped.count();
        pieces
    }

    /// Joined with the gaps of its segment that it touches.
    pub(super) fn add_gap(&mut self, gap: Range) {
        let begins = |seq: Seq| self.segments.iter().any(|segment| segment.first == seq);
        let mut joined = gap;
        let before = self.gaps.range(..gap.first).next_back().map(|(first, last)| Range::new(*first, *last));
        if let Some(before) = before.filter(|before| before.last + 1 == gap.first && !begins(gap.first)) {
            joined.first = before.first;
        }
        if !begins(gap.last + 1)
            && let Some(last) = self.gaps.remove(&(gap.last + 1))
        {
            joined.last = last;
        }
        self.gaps.insert(joined.first, joined.last);
    }

    pub(super) fn free(&mut self, free: &Free) -> QueueUsage {
        while let Some(entry) = self.readings.first_entry().filter(|entry| *entry.key() <= free.through) {
            self.bytes -= entry.remove().json.len() as u64;
        }
        for gap in &free.gaps {
            self.remove_gap(*gap);
        }
        self.forget_segments();
        self.usage()
    }

    pub(super) fn remove_gap(&mut self, range: Range) {
        let touched = |(first, last): &(&Seq, &Seq)| **first <= range.last && **last >= range.first;
        let hit: Vec<(Seq, Seq)> = self.gaps.iter().filter(touched).map(|(first, last)| (*first, *last)).collect();
        for (first, last) in hit {
            self.gaps.remove(&first);
            if first < range.first {
                self.gaps.insert(first, range.first - 1);
            }
            if last > range.last {
                self.gaps.insert(range.last + 1, last);
            }
        }
    }

    /// Those before the first that still has a reading or a gap; never the newest.
    pub(super) fn forget_segments(&mut self) {
        let row = self.readings.keys().next();
        let needed = row.into_iter().chain(self.gaps.keys().next()).min().copied().unwrap_or(self.next);
        let keep = self.segments.iter().rposition(|segment| segment.first <= needed).unwrap_or(0);
        self.segments.drain(..keep);
    }

    pub(super) fn stamps_of(&self, seq: Seq) -> Stamps {
        let segment = self.segments.iter().rev().find(|segment| segment.first <= seq);
        segment.map_or(Stamps::Given, |segment| segment.stamps)
    }

    /// Damage took a reading.
    pub(super) fn lose(&mut self, seq: Seq, now: Wall) {
        let Some(row) = self.readings.remove(&seq) else { return };
        self.bytes -= row.json.len() as u64;
        self.damaged += 1;
        self.damaged_at = Some(now);
        self.add_gap(Range::new(seq, seq));
    }

    pub(super) fn load(&self, load: &Load) -> Option<Run> {
        if load.from > load.until {
            return None;
        }
        let mut run: Option<Run> = None;
        for (seq, row) in self.readings.range(load.from..=load.until).take(load.max_rows) {
            let (time, json) = self.stamps_of(*seq).apply(row.time, &row.json);
            let Some(run) = &mut run else {
                run = Some(Run { first: *seq, json: json.into_owned(), times: vec![time] });
                continue;
            };
            if *seq != run.range().last + 1 || run.json.len() + 1 + json.len() > load.max_bytes {
                break;
            }
            run.json.push(b',');
            run.json.extend_from_slice(&json);
            run.times.push(time);
        }
        run
    }
}
