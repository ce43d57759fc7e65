//! A sender and a receiver with a network between them that loses, doubles and reorders, in an order that the bytes say. Each
//! number is taken once, only what is written is freed, and when the network heals all of it arrives.

use super::input::Input;
use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::lanes::Order;
use fogline_protocol::delivery::ranges::{Range, RangeSet};
use fogline_protocol::delivery::receiver::{Accepted, Receiver};
use fogline_protocol::delivery::sender::{OutgoingBatch, Sender};
use fogline_protocol::ids::StreamId;
use fogline_protocol::queue::{Appended, Load, QueueState, QueueUsage, Run, SegmentHead};
use fogline_protocol::time::{Monotonic, Wall};
use fogline_protocol::wire::{Ack, State, StreamAck};

const STREAM: StreamId = StreamId::from_bits(1);
const ROW_BYTES: usize = 100;
/// Messages under way, each way.
const UNDER_WAY_MAX: usize = 64;
/// Rounds in which everything must arrive once the network has healed: each may need a time-out.
const HEALED_ROUNDS: usize = 3_000;

struct World {
    sender: Sender,
    receiver: Receiver,
    now_us: u64,
    /// What the queue holds.
    held: RangeSet,
    next: u64,
    dropped: RangeSet,
    batches: Vec<(OutgoingBatch, u64)>,
    acks: Vec<(Ack, bool)>,
    taken: RangeSet,
    staged: Vec<Range>,
    credit: u64,
}

/// Appends, drops, losses, time-outs, disconnections.
pub fn delivery(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(u64::from(input.byte()));
    while !input.is_over() {
        world.step(&mut input);
    }
    world.heal();
}

impl World {
    fn new(seed: u64) -> Self {
        let state = QueueState {
            opening: 1,
            segments: Vec::new(),
            next: 1,
            oldest: None,
            gaps: Vec::new(),
            usage: QueueUsage::default(),
            decisions: Vec::new(),
            positions: Vec::new(),
        };
        let set = RangeSet::new;
        Self {
            sender: Sender::new(&state, seed, Order::FreshFirst),
            receiver: Receiver::new(None),
            now_us: 1,
            held: set(),
            next: 1,
            dropped: set(),
            batches: Vec::new(),
            acks: Vec::new(),
            taken: set(),
            staged: Vec::new(),
            credit: 1 << 20,
        }
    }

    fn now(&self) -> Monotonic {
        Monotonic::from_us(self.now_us)
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 | 1 => self.append(1 + input.below(50), 0),
            2 => self.append(input.below(5), input.below(20)),
            3 => self.say_ack(true),
            4 => self.commit(),
            5 => self.sender.close(),
            6 => self.wait(input.below(3_000) * 1_000),
            7 => self.credit = 200 << input.below(13),
            8 => self.deliver_batch(input),
            9 => self.deliver_ack(input),
            10 => drop((!self.batches.is_empty()).then(|| self.batches.remove(at(input, self.batches.len())))),
            _ => drop((!self.acks.is_empty()).then(|| self.acks.remove(at(input, self.acks.len())))),
        }
        self.send();
        self.free();
    }

    /// Appends rows, and drops the oldest ones.
    fn append(&mut self, count: u64, drops: u64) {
        let first = self.next;
        let mut dropped = Vec::new();
        let oldest: Vec<u64> =
            self.held.iter().flat_map(|range| range.first..=range.last).take(drops as usize).collect();
        for seq in oldest {
            self.held.remove(Range::new(seq, seq));
            self.dropped.insert(Range::new(seq, seq));
            dropped.push(Range::new(seq, seq));
        }
        self.sender
            .extend((first == 1).then_some(SegmentHead { stream: STREAM, clock: 0, stamps: Stamps::Given }), count);
        self.next += count;
        let range = Range::new(first, self.next - 1);
        self.held.insert(range);
        self.sender.settle_append(&Appended { range, dropped, usage: QueueUsage::default() }, self.now());
    }

    fn wait(&mut self, us: u64) {
        self.now_us += us;
        self.sender.handle_timeout(self.now());
    }

    fn send(&mut self) {
        while let Some(load) = self.sender.poll_load(self.now()) {
            let run = self.run(load);
            if let Some(batch) = self.sender.loaded(run, self.now()) {
                let rows = (batch.readings.len() / ROW_BYTES) as u64;
                if self.batches.len() < UNDER_WAY_MAX {
                    self.batches.push((batch, rows));
                }
            }
            let ((_, bytes), (credit, _)) = (self.sender.in_flight(), self.sender.credit());
            let most = credit.max(self.sent_before()).max(ROW_BYTES as u64);
            assert!(bytes <= most, "UNBOUNDED: {bytes} bytes in flight, {credit} allowed");
        }
    }

    /// A credit that shrinks does not call back what is under way.
    const fn sent_before(&self) -> u64 {
        1 << 20
    }

    fn run(&self, load: Load) -> Option<Run> {
        let range = self.held.next_from(load.from).filter(|range| range.first <= load.until)?;
        let fits = (load.max_bytes / ROW_BYTES).max(1).min(load.max_rows) as u64;
        let count = (range.last.min(load.until) - range.first + 1).min(fits) as usize;
        Some(Run { first: range.first, json: vec![b'x'; count * ROW_BYTES], times: vec![Wall::from_us(1); count] })
    }

    fn deliver_batch(&mut self, input: &mut Input<'_>) {
        if self.batches.is_empty() {
            return;
        }
        let place = at(input, self.batches.len());
        let (batch, rows) = if input.below(4) == 0 {
            let (batch, rows) = &self.batches[place];
            let again = OutgoingBatch { header: batch.header.clone(), readings: Vec::new() };
            (again, *rows)
        } else {
            self.batches.remove(place)
        };
        self.take(&batch, rows);
    }

    fn take(&mut self, batch: &OutgoingBatch, rows: u64) {
        let first = batch.header.first;
        for gap in &batch.header.gaps {
            assert_eq!(self.dropped.missing(*gap), [], "FALSE GAP");
        }
        if let Accepted::Fresh(fresh) = self.receiver.accept(&batch.header, Range::new(first, first + rows - 1)) {
            for range in &fresh {
                assert_eq!(self.taken.missing(*range), [*range], "TWICE");
                self.taken.insert(*range);
            }
            self.staged.extend(fresh);
        }
    }

    fn commit(&mut self) {
        let staged = std::mem::take(&mut self.staged);
        self.receiver.stage(&staged);
        self.receiver.stage_progress();
        self.receiver.commit();
        self.say_ack(false);
    }

    fn say_ack(&mut self, answers_hello: bool) {
        for open in self.sender.open_streams().iter().filter(|_| answers_hello) {
            self.receiver.adopt(open.floor, &open.gaps);
        }
        let written = self.receiver.written();
        let streams = vec![StreamAck { stream: STREAM, through: written.through, ranges: written.ranges }];
        let ack =
            Ack { hello: answers_hello.then_some(1), credit: self.credit, state: State::Ok, streams, reply: None };
        if self.acks.len() < UNDER_WAY_MAX {
            self.acks.push((ack, answers_hello));
        }
    }

    fn deliver_ack(&mut self, input: &mut Input<'_>) {
        if !self.acks.is_empty() {
            let (ack, answers_hello) = self.acks.remove(at(input, self.acks.len()));
            self.sender.acknowledge(&ack, answers_hello, self.now());
        }
    }

    fn free(&mut self) {
        while let Some(free) = self.sender.poll_free() {
            let written = self.receiver.written();
            for seq in self.held.iter().flat_map(|range| range.first..=range.last).filter(|seq| *seq <= free.through) {
                let kept = seq <= written.through || written.ranges.iter().any(|range| range.contains(seq));
                assert!(kept, "LOST: {seq} is freed and not written");
            }
            self.held.remove_through(free.through);
            self.sender.freed(&free);
        }
    }

    /// Everything arrives from here on.
    fn heal(&mut self) {
        self.credit = 1 << 20;
        for _ in 0..HEALED_ROUNDS {
            if self.held.is_empty() && self.sender.gaps().is_empty() {
                return;
            }
            self.say_ack(true);
            for (ack, answers_hello) in std::mem::take(&mut self.acks) {
                self.sender.acknowledge(&ack, answers_hello, self.now());
            }
            self.send();
            for (batch, rows) in std::mem::take(&mut self.batches) {
                self.take(&batch, rows);
            }
            self.commit();
            for (ack, answers_hello) in std::mem::take(&mut self.acks) {
                self.sender.acknowledge(&ack, answers_hello, self.now());
            }
            self.free();
            self.wait(500_000);
        }
        panic!("NOT LIVE: {:?} is not freed, {:?} not acknowledged", self.held, self.sender.gaps());
    }
}

fn at(input: &mut Input<'_>, len: usize) -> usize {
    input.below(len as u64) as usize
}
