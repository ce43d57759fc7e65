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

mod file;

use file::{File, Row};
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::ids::Seq;
use fogline_protocol::queue::{Load, QueueAnswer, QueueCommand, QueueLimits, QueueState, QueueUsage, Run};
use fogline_protocol::time::Wall;
use std::collections::BTreeSet;

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
