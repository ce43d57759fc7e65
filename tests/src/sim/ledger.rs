//! The truth that the run is held against: every reading that was ever durable on a disk, and what became of it.
//!
//! This file follows the disks of the agents; [`super::checks`] follows the store and what is said about it.

use super::checks::{Check, Violation, require};
use super::source::row_of;
use super::stamps::ClockBook;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::{AgentId, Seq, StreamId};
use fogline_protocol::queue::{Append, Appended, Free, QueueState, Run, Segment, SegmentHead};
use fogline_protocol::reading::{Readings, parse_reading};
use fogline_protocol::store::Progress;
use fogline_protocol::time::Wall;
use std::collections::{BTreeMap, BTreeSet};

/// Names a reading for ever: what its source offered, whichever stream it came to lie in.
pub type Serial = u64;

/// A reading as it lies on a disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What its source offered.
    pub serial: Serial,
    /// Its time.
    pub ts: Wall,
    /// The clock of its segment.
    pub clock: u16,
    /// The speed, for readings that steer a limit.
    pub speed_kmh: Option<f64>,
}

/// All that is known of one stream.
#[derive(Debug, Default)]
pub struct StreamBook {
    /// What was ever durable in it. Entries stay when rows leave the disk.
    pub rows: BTreeMap<Seq, Row>,
    /// Rows that went with a disk.
    pub perished: RangeSet,
    /// Rows that a full queue dropped, or that damage struck.
    pub dropped: RangeSet,
    /// What was published.
    pub sent: RangeSet,
    /// The time under which each reading was published first: it keeps it for ever.
    pub times: BTreeMap<Seq, Wall>,
    /// What was delivered to the ingester.
    pub received: RangeSet,
    /// What is in the database.
    pub stored: RangeSet,
    /// What is in the dead letters.
    pub dead: RangeSet,
    /// What was recorded as gap.
    pub gaps: RangeSet,
    /// The floor of each batch as the agent said it, by the batch's first number.
    pub floors: BTreeMap<Seq, Seq>,
    /// The highest floor that was delivered to the ingester of a site since it took over: the watermark has to follow it.
    pub floor: BTreeMap<usize, Seq>,
    /// The saved progress, in each state.
    pub saved: BTreeMap<usize, Progress>,
    /// The highest watermark that was acknowledged.
    pub acknowledged: Seq,
}

impl StreamBook {
    /// True when nothing more has to happen to `seq`: it is in the store, in the dead letters or in a recorded gap.
    #[must_use]
    pub fn accounts_for(&self, seq: Seq) -> bool {
        self.stored.contains(seq) || self.dead.contains(seq) || self.gaps.contains(seq)
    }

    /// A row with the time under which it was published first: the one that it keeps.
    #[must_use]
    pub fn sent_row(&self, seq: Seq) -> Option<Row> {
        let row = self.rows.get(&seq)?;
        Some(Row { ts: self.times.get(&seq).copied().unwrap_or(row.ts), ..row.clone() })
    }

    /// The rows of `range` that are nowhere, and did not go with a disk.
    pub fn missing(&self, range: Range) -> impl Iterator<Item = Seq> + '_ {
        let rows = (!range.is_empty()).then(|| self.rows.range(range.first..=range.last));
        let seqs = rows.into_iter().flatten().map(|(seq, _)| *seq);
        seqs.filter(|seq| !self.accounts_for(*seq) && !self.perished.contains(*seq))
    }
}

/// What lies on the disk of one agent now.
#[derive(Debug, Default)]
pub struct DiskBook {
    /// The rows and their streams.
    pub held: BTreeMap<Seq, StreamId>,
    /// The numbers of gaps that are not acknowledged, and their streams.
    pub gaps: BTreeMap<Seq, StreamId>,
    /// What was ever durable on any disk of the agent.
    pub durable: BTreeSet<Serial>,
    segment: Option<SegmentHead>,
}

/// Everything that is known.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By the number of the agent.
    pub disks: Vec<DiskBook>,
    /// By agent and stream.
    pub streams: BTreeMap<(usize, StreamId), StreamBook>,
    /// Where each reading lies in the store.
    pub contents: BTreeMap<Serial, (usize, StreamId, Seq)>,
    /// What is known of the agents' clocks.
    pub clocks: Vec<ClockBook>,
    agents: BTreeMap<AgentId, usize>,
}

impl Ledger {
    /// An empty ledger for these agents.
    #[must_use]
    pub fn new(agents: &[AgentId]) -> Self {
        let numbered = agents.iter().cloned().enumerate().map(|(index, id)| (id, index));
        Self {
            disks: agents.iter().map(|_| DiskBook::default()).collect(),
            clocks: agents.iter().map(|_| ClockBook::default()).collect(),
            agents: numbered.collect(),
            ..Self::default()
        }
    }

    /// The number of an agent.
    #[must_use]
    pub fn agent(&self, id: &AgentId) -> usize {
        self.agents.get(id).copied().unwrap_or(usize::MAX)
    }

    /// How many readings of an agent are in the store or in the dead letters.
    #[must_use]
    pub fn written(&self, agent: usize) -> u64 {
        let books = self.streams.iter().filter(|((of, _), _)| *of == agent).map(|(_, book)| book);
        books.flat_map(|book| book.stored.iter().chain(book.dead.iter())).map(Range::count).sum()
    }

    /// What is known of a stream.
    pub fn stream(&mut self, agent: usize, stream: StreamId) -> &mut StreamBook {
        self.streams.entry((agent, stream)).or_default()
    }

    /// A queue was opened: `runs` are all its rows, one each. They must be what was durable, and perhaps more whose commit was not
    /// reported before the crash; after a disk was exchanged, they may be anything that once was on it.
    ///
    /// # Errors
    /// A durable row is gone, or a number came to mean another reading.
    pub fn opened(&mut self, agent: usize, state: &QueueState, runs: &[Run], exchanged: bool) -> Check {
        if exchanged {
            self.forget_times(agent, state);
        }
        let mut before = std::mem::take(&mut self.disks[agent].held);
        before.append(&mut self.disks[agent].gaps);
        let segment_of = |seq: Seq| state.segments.iter().rev().find(|segment| segment.first <= seq);
        for (seq, row) in runs.iter().map(|run| (run.first, parse_row(&run.json))) {
            let segment = segment_of(seq).ok_or_else(|| Violation::new(format!("row {seq} has no segment")))?;
            self.hold(agent, segment.stream, seq, Row { clock: segment.clock, ..row? })?;
        }
        let gaps = state.gaps.iter().flat_map(|gap| gap.first..=gap.last);
        let gaps = gaps.filter_map(|seq| segment_of(seq).map(|segment| (seq, segment.stream)));
        let gaps: BTreeMap<Seq, StreamId> = gaps.collect();
        for (seq, stream) in before {
            let still = [&self.disks[agent].held, &gaps].iter().any(|there| there.get(&seq) == Some(&stream));
            require(still || exchanged, || format!("LOST: agent {agent} {stream} {seq} was durable and is gone"))?;
            if !still {
                self.stream(agent, stream).perished.insert(Range::new(seq, seq));
            }
        }
        let disk = &mut self.disks[agent];
        disk.gaps = gaps;
        disk.segment = state.segments.last().map(Segment::head);
        Ok(())
    }

    /// A commit of rows became durable.
    ///
    /// # Errors
    /// A number came to mean another reading.
    pub fn appended(&mut self, agent: usize, append: &Append, appended: &Appended) -> Check {
        let mut seq = appended.range.first;
        for part in &append.parts {
            self.disks[agent].segment = part.segment.or(self.disks[agent].segment);
            let head = self.disks[agent].segment;
            let (stream, clock) = head.map_or((StreamId::from_bits(0), 0), |head| (head.stream, head.clock));
            for (_, json) in part.rows.iter() {
                self.hold(agent, stream, seq, Row { clock, ..parse_row(json)? })?;
                seq += 1;
            }
        }
        for seq in appended.dropped.iter().flat_map(|range| range.first..=range.last) {
            let Some(stream) = self.disks[agent].held.remove(&seq) else { continue };
            self.disks[agent].gaps.insert(seq, stream);
            self.stream(agent, stream).dropped.insert(Range::new(seq, seq));
        }
        Ok(())
    }

    /// Damage strikes these readings: they may rightly become gaps.
    pub fn struck(&mut self, agent: usize, numbers: &[Seq]) {
        for seq in numbers {
            if let Some(stream) = self.disks[agent].held.get(seq).copied() {
                self.stream(agent, stream).dropped.insert(Range::new(*seq, *seq));
            }
        }
    }

    /// The disk found damaged readings, and keeps gaps in their place.
    pub fn damaged(&mut self, agent: usize, lost: &RangeSet) {
        for seq in lost.iter().flat_map(|range| range.first..=range.last) {
            if let Some(stream) = self.disks[agent].held.remove(&seq) {
                self.disks[agent].gaps.insert(seq, stream);
            }
        }
    }

    /// Rows and gaps left the disk, because they were acknowledged.
    ///
    /// # Errors
    /// One of them is not in the store, in the dead letters or in a recorded gap.
    pub fn freed(&mut self, agent: usize, free: &Free) -> Check {
        let rest = self.disks[agent].held.split_off(&(free.through + 1));
        let rows = std::mem::replace(&mut self.disks[agent].held, rest);
        let gap_seqs = free.gaps.iter().flat_map(|gap| gap.first..=gap.last);
        let gaps = gap_seqs.filter_map(|seq| self.disks[agent].gaps.remove(&seq).map(|stream| (seq, stream)));
        let left: Vec<(Seq, StreamId)> = rows.into_iter().chain(gaps).collect();
        for (seq, stream) in left {
            let accounted = self.stream(agent, stream).accounts_for(seq);
            require(accounted, || format!("LOST: agent {agent} freed {stream} {seq}, which is not in the store"))?;
        }
        Ok(())
    }

    /// The agent told its source that these readings are safe.
    ///
    /// # Errors
    /// One of them never was durable.
    pub fn accepted(&self, agent: usize, mut serials: std::ops::Range<Serial>) -> Check {
        let unsafe_one = serials.find(|serial| !self.disks[agent].durable.contains(serial));
        match unsafe_one {
            Some(serial) => {
                Err(Violation::new(format!("agent {agent} accepted reading {serial}, which is not durable")))
            }
            None => Ok(()),
        }
    }

    fn hold(&mut self, agent: usize, stream: StreamId, seq: Seq, row: Row) -> Check {
        self.disks[agent].durable.insert(row.serial);
        self.disks[agent].held.insert(seq, stream);
        let book = self.stream(agent, stream);
        book.perished.remove(Range::new(seq, seq));
        let known = book.rows.entry(seq).or_insert_with(|| row.clone());
        require(*known == row, || format!("REUSED: agent {agent} {stream} {seq} meant {known:?} and now means {row:?}"))
    }
}

fn parse_row(json: &[u8]) -> Result<Row, Violation> {
    let mut readings = Readings::new();
    let parsed = parse_reading(json, &mut readings);
    parsed.map_err(|error| Violation::new(format!("a row on a disk is not a reading: {error}")))?;
    let row = readings.get(0).map(|reading| row_of(reading, 0));
    row.ok_or_else(|| Violation::new("a row on a disk holds no reading".to_owned()))
}
