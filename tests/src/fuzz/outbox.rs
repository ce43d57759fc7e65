//! The queue on disk and its model: the same commands, the same answers, the same state when it is opened again.

use super::input::Input;
use crate::sim::disk::SimDisk;
use fogline_protocol::clock::Stamps;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::StreamId;
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, Rows, SegmentHead,
};
use fogline_protocol::time::Wall;
use fogline_runtime::outbox::{Outbox, OutboxConfig, Synchronous};
use std::sync::Arc;
use std::time::Duration;

const NOW: Wall = Wall::from_us(1_700_000_000_000_000);
/// Commands of one input: each is a transaction on a disk.
const COMMANDS_MAX: usize = 40;

struct Pair {
    config: OutboxConfig,
    real: Outbox,
    model: SimDisk,
    next: u64,
    streams: u64,
}

/// Appends, loads, frees and openings.
pub fn outbox(data: &[u8]) {
    let mut input = Input::new(data);
    let folder = tempfile::tempdir().unwrap();
    let policy = [FullPolicy::DropOldest, FullPolicy::DropNewest, FullPolicy::Block][input.below(3) as usize];
    let bytes = [100, 1_000, 1_000_000][input.below(3) as usize];
    let limits = QueueLimits { readings: 1 + input.below(130), bytes, max_age_us: None, policy };
    let mut config = OutboxConfig::new(folder.path().join("queue.db"), limits);
    config.clock = Arc::new(|| NOW);
    config.synchronous = Synchronous::Normal;
    config.free_within = Duration::ZERO;
    config.delete_rows = 1 + input.below(20);
    let (real, mut model) = (Outbox::open(config.clone()).unwrap(), SimDisk::new(limits));
    let state = model.open();
    assert_eq!(real.state, state);
    let mut pair = Pair { config, real, model, next: state.next, streams: 0 };
    for _ in 0..COMMANDS_MAX {
        if input.is_over() {
            break;
        }
        pair = pair.step(&mut input);
    }
    pair.reopen();
}

impl Pair {
    fn step(mut self, input: &mut Input<'_>) -> Self {
        match input.below(8) {
            0..=2 => self.append(input),
            3 | 4 => {
                let (from, until) = (self.number(input), self.number(input));
                let (max_bytes, max_rows) = (input.below(300) as usize, input.below(20) as usize);
                self.command(QueueCommand::Load(Load { from, until, max_bytes, max_rows }));
            }
            5 | 6 => {
                let first = self.number(input);
                let gaps = vec![Range::new(first, first + input.below(30))];
                let through = self.number(input);
                self.command(QueueCommand::Free(Free { through, gaps }));
            }
            _ => return self.reopen(),
        }
        self
    }

    fn number(&self, input: &mut Input<'_>) -> u64 {
        input.below(300) % (self.next + 3)
    }

    fn append(&mut self, input: &mut Input<'_>) {
        let mut rows = Rows::default();
        for _ in 0..input.below(30) {
            let length = 1 + input.below(20) as usize;
            rows.push(NOW, |json| json.extend(std::iter::repeat_n(b'7', length)));
        }
        let begins = self.streams == 0 || input.below(5) == 0;
        self.streams += u64::from(begins);
        let stream = StreamId::from_bits(self.streams << 40);
        let segment = begins.then_some(SegmentHead { stream, clock: 7, stamps: Stamps::Given });
        self.command(QueueCommand::Append(Arc::new(Append {
            parts: vec![AppendPart { segment, rows }],
            positions: Vec::new(),
        })));
    }

    fn command(&mut self, command: QueueCommand) {
        let expected = self.model.execute(command.clone(), NOW);
        self.real.handle.send(command);
        if let QueueAnswer::Appended(Ok(appended)) = &expected {
            self.next = appended.range.last + 1;
        }
        assert_eq!(self.real.answers.blocking_recv(), Some(expected));
        self.model.sync();
    }

    fn reopen(mut self) -> Self {
        self.real.handle.close().unwrap();
        assert_eq!(self.real.answers.blocking_recv(), None);
        let (real, expected) = (Outbox::open(self.config.clone()).unwrap(), self.model.open());
        assert_eq!(real.state, expected);
        Self { real, next: expected.next, ..self }
    }
}
