//! A simulated queue on disk: the commands, answers and rules of the real one (`fogline_runtime::outbox`, against which
//! `tests/outbox_model.rs` holds it), in memory, and with a durability that a test controls.
//!
//! - [`SimDisk::open`]: what an agent does first after a start. Counts the opening, which is durable at once.
//! - [`SimDisk::execute`]: executes a command at once and returns its answer. What it changed is *not durable yet*.
//! - [`SimDisk::sync`]: all executed so far becomes durable. The real queue answers after that, so a simulator syncs before it
//!   hands an answer to the node (but for `Loaded`, which changes nothing). It may also sync and crash before the answer:
//!   then the commit happened and nobody was told.
//! - [`SimDisk::crash`]: what was not synced is gone. Then `open` again.
//! - [`SimDisk::lose`]: the disk is replaced by an empty one. Then `open` again.
//! - [`SimDisk::damage`]: readings become unreadable. The queue finds out when it is to load them.
//! - [`SimDisk::copy`], [`SimDisk::restore`]: an old copy of the (durable) file comes back. Then `open` again.
//!
//! The real queue may answer a `Free` up to a second later than the commands after it: a simulator is free to hold such an
//! answer back, in the order of frees, and to sync up to the last command that it has answered. A disk that is full or
//! refuses is played without this type: answer with a fault, and do not execute.

use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{SEQ_MAX, Seq};
use fogline_protocol::queue::{
    Append, Appended, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueFault, QueueLimits, QueueState,
    QueueUsage, Rows, Run, SavedDecision, Segment, SourcePosition,
};
use fogline_protocol::time::Wall;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A full queue that drops new readings takes some again once this part of it is free.
const REOPENS_AT_PART: u64 = 64;

/// A queue on a disk that can crash, be lost, and come back old.
#[derive(Debug)]
pub struct SimDisk {
    limits: QueueLimits,
    /// What the running agent sees.
    seen: File,
    /// What a crash leaves.
    durable: File,
    /// Executed on `seen` and not yet on `durable`, with the time of execution.
    unsynced: Vec<(QueueCommand, Wall)>,
    /// Readings that cannot be read any more, and of which nobody knows that yet.
    unreadable: BTreeSet<Seq>,
    /// It does not look, and hands out what damage has left.
    careless: bool,
}

/// What was durable when [`SimDisk::copy`] took it.
#[derive(Debug, Clone)]
pub struct DiskCopy(File);

impl SimDisk {
    /// An empty disk: the queue is made by the first opening.
    #[must_use]
    pub fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            seen: File::default(),
            durable: File::default(),
            unsynced: Vec::new(),
            unreadable: BTreeSet::new(),
            careless: false,
        }
    }

    /// Opens the queue, as a start of the agent does, with what is durable. What was not synced is gone.
    pub fn open(&mut self) -> QueueState {
        self.crash();
        self.durable.open();
        self.seen = self.durable.clone();
        self.seen.state()
    }

    /// The bounds that the next commands are executed under: they may change from one opening to the next.
    pub fn set_limits(&mut self, limits: QueueLimits) {
        self.sync();
        self.limits = limits;
    }

    /// These readings cannot be read from now on, those of them that are durable. The queue finds out when it is to load them: then they are gaps, durably.
    pub fn damage(&mut self, numbers: impl IntoIterator<Item = Seq>) {
        let there = |seq: &Seq| self.seen.readings.contains_key(seq) && self.durable.readings.contains_key(seq);
        let numbers: Vec<Seq> = numbers.into_iter().filter(there).collect();
        self.unreadable.extend(numbers);
    }

    /// A queue without seals: it does not find damage, and changed readings are loaded like others.
    pub const fn set_careless(&mut self, careless: bool) {
        self.careless = careless;
    }

    /// Makes gaps of the readings from the first that `load` asks for to the first that can be read; says which.
    pub fn find_damage(&mut self, load: &Load, now: Wall) -> RangeSet {
        let mut lost = RangeSet::new();
        if self.careless || load.max_rows == 0 || load.from > load.until {
            return lost;
        }
        for seq in self.seen.readings.range(load.from..=load.until).map(|(seq, _)| *seq) {
            if !self.unreadable.contains(&seq) {
                break;
            }
            lost.insert(Range::new(seq, seq));
        }
        for seq in lost.iter().flat_map(|range| range.first..=range.last) {
            self.unreadable.remove(&seq);
            self.seen.lose(seq, now);
            self.durable.lose(seq, now);
        }
        lost
    }

    /// Executes a command at `now`, by the agent's clock.
    pub fn execute(&mut self, command: QueueCommand, now: Wall) -> QueueAnswer {
        if let QueueCommand::Load(mut load) = command {
            self.find_damage(&load, now);
            if self.careless {
                let run = self.seen.load(&Load { max_rows: load.max_rows.min(1), ..load });
                return QueueAnswer::Loaded(Ok(run.map(|run| self.changed(run))));
            }
            // A run ends before the next reading that cannot be read.
            let next = self.unreadable.range(load.from..).find(|seq| self.seen.readings.contains_key(seq));
            load.until = next.map_or(load.until, |next| load.until.min(next - 1));
            return QueueAnswer::Loaded(Ok(self.seen.load(&load)));
        }
        let answer = self.seen.execute(&command, &self.limits, now);
        self.unsynced.push((command, now));
        answer
    }

    /// A run of one reading as damage has left it: its time ends with another digit.
    fn changed(&self, mut run: Run) -> Run {
        let end = run.json.iter().position(|byte| *byte == b',');
        if let Some(digit) =
            end.filter(|_| self.unreadable.contains(&run.first)).and_then(|end| run.json.get_mut(end - 1))
        {
            *digit ^= 1;
        }
        run
    }

    /// Makes all that was executed durable.
    pub fn sync(&mut self) {
        for (command, now) in self.unsynced.drain(..) {
            // Executed on `seen` before, with this very result.
            drop(self.durable.execute(&command, &self.limits, now));
        }
    }

    /// The power fails: what was not synced is gone.
    pub fn crash(&mut self) {
        if !self.unsynced.is_empty() {
            self.unsynced.clear();
            self.seen = self.durable.clone();
        }
    }

    /// The disk is replaced by an empty one.
    pub fn lose(&mut self) {
        self.restore(&DiskCopy(File::default()));
    }

    /// A copy of what is durable now.
    #[must_use]
    pub fn copy(&self) -> DiskCopy {
        DiskCopy(self.durable.clone())
    }

    /// The file becomes what it was when `copy` was taken.
    pub fn restore(&mut self, copy: &DiskCopy) {
        self.unsynced.clear();
        self.unreadable.clear();
        self.durable = copy.0.clone();
        self.seen = copy.0.clone();
    }

    /// How full the queue is, as the running agent sees it.
    #[must_use]
    pub fn usage(&self) -> QueueUsage {
        self.seen.usage()
    }

    /// All readings one by one, whether the queue could read them or not.
    #[must_use]
    pub fn runs(&self) -> Vec<Run> {
        let run = |(seq, row): (&Seq, &Row)| Run { first: *seq, json: row.json.to_vec(), times: vec![row.time] };
        self.seen.readings.iter().map(run).collect()
    }

    /// The numbers of the readings in the queue, as the running agent sees it.
    pub fn numbers(&self) -> impl Iterator<Item = Seq> + '_ {
        self.seen.readings.keys().copied()
    }

    /// The gaps that are not acknowledged, as the running agent sees it.
    pub fn gaps(&self) -> impl Iterator<Item = Range> + '_ {
        self.seen.gaps.iter().map(|(first, last)| Range::new(*first, *last))
    }
}

/// A reading; shared, so that copies of a queue are cheap.
#[derive(Debug, Clone)]
struct Row {
    time: Wall,
    json: Arc<[u8]>,
}

#[derive(Debug, Clone)]
struct File {
    opening: u64,
    next: Seq,
    dropped: u64,
    damaged: u64,
    damaged_at: Option<Wall>,
    bytes: u64,
    readings: BTreeMap<Seq, Row>,
    segments: Vec<Segment>,
    /// First to last.
    gaps: BTreeMap<Seq, Seq>,
    positions: BTreeMap<String, String>,
    decisions: BTreeMap<String, SavedDecision>,
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
    fn open(&mut self) {
        self.opening += 1;
        self.forget_segments();
    }

    fn state(&self) -> QueueState {
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

    fn usage(&self) -> QueueUsage {
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

    fn execute(&mut self, command: &QueueCommand, limits: &QueueLimits, now: Wall) -> QueueAnswer {
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

    fn append(&mut self, append: &Append, limits: &QueueLimits, now: Wall) -> Result<Appended, QueueFault> {
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
    fn drop_through(&mut self, through: Seq) -> Appended {
        let mut dropped = RangeSet::new();
        while let Some(entry) = self.readings.first_entry().filter(|entry| *entry.key() <= through) {
            dropped.insert(Range::new(*entry.key(), *entry.key()));
            self.bytes -= entry.remove().json.len() as u64;
        }
        let dropped = self.record(&dropped);
        Appended { range: Range::new(self.next, self.next - 1), dropped, usage: self.usage() }
    }

    fn insert(&mut self, rows: &Rows, limits: &QueueLimits, open: &mut bool, dropped: &mut RangeSet) {
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
    fn takes_any(&self, limits: &QueueLimits) -> bool {
        let room = |limit: u64| limit - limit / REOPENS_AT_PART;
        let roomy = self.readings.len() as u64 <= room(limits.readings) && self.bytes <= room(limits.bytes);
        let newest_dropped = self.gaps.values().next_back() == Some(&(self.next - 1));
        limits.policy != FullPolicy::DropNewest || roomy || !newest_dropped
    }

    fn drop_oldest(&mut self, limits: &QueueLimits, now: Wall, dropped: &mut RangeSet) {
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

    fn record(&mut self, dropped: &RangeSet) -> Vec<Range> {
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
    fn add_gap(&mut self, gap: Range) {
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

    fn free(&mut self, free: &Free) -> QueueUsage {
        while let Some(entry) = self.readings.first_entry().filter(|entry| *entry.key() <= free.through) {
            self.bytes -= entry.remove().json.len() as u64;
        }
        for gap in &free.gaps {
            self.remove_gap(*gap);
        }
        self.forget_segments();
        self.usage()
    }

    fn remove_gap(&mut self, range: Range) {
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
    fn forget_segments(&mut self) {
        let row = self.readings.keys().next();
        let needed = row.into_iter().chain(self.gaps.keys().next()).min().copied().unwrap_or(self.next);
        let keep = self.segments.iter().rposition(|segment| segment.first <= needed).unwrap_or(0);
        self.segments.drain(..keep);
    }

    fn stamps_of(&self, seq: Seq) -> Stamps {
        let segment = self.segments.iter().rev().find(|segment| segment.first <= seq);
        segment.map_or(Stamps::Given, |segment| segment.stamps)
    }

    /// Damage took a reading.
    fn lose(&mut self, seq: Seq, now: Wall) {
        let Some(row) = self.readings.remove(&seq) else { return };
        self.bytes -= row.json.len() as u64;
        self.damaged += 1;
        self.damaged_at = Some(now);
        self.add_gap(Range::new(seq, seq));
    }

    fn load(&self, load: &Load) -> Option<Run> {
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
