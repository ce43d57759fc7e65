//! The real queue on disk against the simulated one: the same commands, the same answers, the same state after each
//! opening, clean or after a crash. So what the simulator proves of the delivery holds for the file too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a failed expectation is a failed test")]

use fogline_protocol::clock::{BootId, Shift, Stamps, UnsetClock};
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{Name, StreamId, Term};
use fogline_protocol::queue::{
    Append, AppendPart, Free, FullPolicy, Load, QueueAnswer, QueueCommand, QueueLimits, QueueState, Rows,
    SavedDecision, SegmentHead, Settle, SourcePosition,
};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::Decision;
use fogline_runtime::outbox::{Outbox, OutboxConfig, Synchronous, inspect};
use fogline_tests::sim::disk::SimDisk;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Times of readings and the clock begin here.
const START_US: i64 = 1_700_000_000_000_000;
/// What the clock is that is not set.
const UNSET: UnsetClock = UnsetClock { boot: BootId::from_bits(5), began_us: START_US };

#[derive(Debug, Clone)]
struct Part {
    new_segment: bool,
    /// Its times are those of a clock that is not set.
    of_unset_clock: bool,
    /// Age in microseconds and length in bytes of each reading.
    rows: Vec<(i64, usize)>,
}

#[derive(Debug, Clone)]
enum Step {
    Append {
        parts: Vec<Part>,
        position: Option<u8>,
    },
    Load {
        from: u64,
        until: u64,
        max_bytes: usize,
        max_rows: usize,
    },
    Free {
        through: u64,
        gaps: Vec<(u64, u64)>,
    },
    SaveDecision {
        key: u8,
    },
    /// It is known what becomes of the times of a segment.
    Settle {
        which: usize,
        by_us: Option<i64>,
    },
    Drop {
        through: u64,
    },
    /// A reading in the file changes.
    Damage {
        seq: u64,
    },
    ClockMoves {
        us: i64,
    },
    Reopen {
        limits: QueueLimits,
    },
    Crash,
}

fn limits() -> impl Strategy<Value = QueueLimits> {
    let policy = prop_oneof![Just(FullPolicy::DropOldest), Just(FullPolicy::DropNewest), Just(FullPolicy::Block)];
    let readings = prop_oneof![1_u64..30, 64_u64..140, Just(1_000_000)];
    let bytes = prop_oneof![10_u64..400, Just(1_000_000)];
    (readings, bytes, prop::option::weighted(0.3, 0_i64..80), policy)
        .prop_map(|(readings, bytes, max_age_us, policy)| QueueLimits { readings, bytes, max_age_us, policy })
}

fn step() -> impl Strategy<Value = Step> {
    let rows = prop::collection::vec((0_i64..60, 1_usize..20), 0..30);
    let part = (prop::bool::weighted(0.2), prop::bool::weighted(0.3), rows)
        .prop_map(|(new_segment, of_unset_clock, rows)| Part { new_segment, of_unset_clock, rows });
    let append = (prop::collection::vec(part, 0..3), prop::option::weighted(0.3, 0_u8..3))
        .prop_map(|(parts, position)| Step::Append { parts, position });
    let load = (0_u64..300, 0_u64..300, 0_usize..300, 0_usize..20)
        .prop_map(|(from, until, max_bytes, max_rows)| Step::Load { from, until, max_bytes, max_rows });
    let gaps = prop::collection::vec((0_u64..300, 0_u64..40), 0..4);
    let free = (0_u64..300, gaps).prop_map(|(through, gaps)| Step::Free { through, gaps });
    prop_oneof![
        8 => append,
        4 => load,
        4 => free,
        1 => (0_u8..3).prop_map(|key| Step::SaveDecision { key }),
        2 => (0_usize..20, prop::option::of(-100_i64..1_000_000))
            .prop_map(|(which, by_us)| Step::Settle { which, by_us }),
        1 => (0_u64..300).prop_map(|through| Step::Drop { through }),
        2 => (0_u64..300).prop_map(|seq| Step::Damage { seq }),
        2 => (-30_i64..60).prop_map(|us| Step::ClockMoves { us }),
        1 => limits().prop_map(|limits| Step::Reopen { limits }),
        1 => Just(Step::Crash),
    ]
}

/// Both queues, and what is yet to be answered.
struct Pair {
    folder: tempfile::TempDir,
    path: PathBuf,
    config: OutboxConfig,
    real: Option<Outbox>,
    model: SimDisk,
    clock: Arc<AtomicI64>,
    next: u64,
    streams: u64,
    /// Where segments of a clock that is not set began.
    unset: Vec<u64>,
    crashes: u32,
    frees_expected: VecDeque<QueueAnswer>,
}

impl Pair {
    fn new(limits: QueueLimits, delete_rows: u64, free_within: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("queue-0.db");
        let clock = Arc::new(AtomicI64::new(START_US));
        let mut config = OutboxConfig::new(&path, limits);
        let told = Arc::clone(&clock);
        config.clock = Arc::new(move || Wall::from_us(told.load(Ordering::SeqCst)));
        config.synchronous = Synchronous::Normal;
        config.delete_rows = delete_rows;
        config.free_within = free_within;
        let model = SimDisk::new(limits);
        let mut pair = Self {
            folder,
            path,
            config,
            real: None,
            model,
            clock,
            next: 1,
            streams: 0,
            unset: Vec::new(),
            crashes: 0,
            frees_expected: VecDeque::new(),
        };
        pair.open();
        pair
    }

    fn open(&mut self) {
        self.config.path = self.path.clone();
        let real = Outbox::open(self.config.clone()).unwrap();
        let expected = self.model.open();
        assert_eq!(real.state, expected);
        self.next = expected.next;
        self.real = Some(real);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Append { parts, position } => self.append(parts, *position),
            Step::Load { from, until, max_bytes, max_rows } => {
                let (from, until) = (self.number(*from), self.number(*until));
                self.command(QueueCommand::Load(Load { from, until, max_bytes: *max_bytes, max_rows: *max_rows }));
            }
            Step::Free { through, gaps } => {
                let gap = |(first, length): &(u64, u64)| {
                    let first = self.number(*first);
                    Range::new(first, first + length)
                };
                let gaps = gaps.iter().map(gap).collect();
                self.command(QueueCommand::Free(Free { through: self.number(*through), gaps }));
            }
            Step::SaveDecision { key } => self.command(QueueCommand::SaveDecision(decision(*key, self.next))),
            Step::Settle { which, by_us } => self.settle(*which, *by_us),
            Step::Drop { through } => self.command(QueueCommand::Drop { through: self.number(*through) }),
            Step::Damage { seq } => self.damage(self.number(*seq)),
            Step::ClockMoves { us } => {
                self.clock.fetch_add(*us, Ordering::SeqCst);
            }
            Step::Reopen { limits } => {
                self.close();
                self.config.limits = *limits;
                self.model.set_limits(*limits);
                self.open();
            }
            Step::Crash => self.crash(),
        }
    }

    fn settle(&mut self, which: usize, by_us: Option<i64>) {
        let Some(first) = self.unset.get(which % self.unset.len().max(1)).copied() else { return };
        let now = self.clock.load(Ordering::SeqCst);
        let shift = |by_us| Stamps::Restamped(Shift { from_us: now - 30, until_us: now, by_us });
        let stamps = by_us.map_or(Stamps::Unset, shift);
        self.command(QueueCommand::Settle(vec![Settle { first, clock: UNSET, stamps }]));
    }

    /// Changes the body of a row, behind the queue's back, and not its length.
    fn damage(&mut self, seq: u64) {
        let beside = rusqlite::Connection::open(&self.path).unwrap();
        beside.busy_timeout(Duration::from_secs(5)).unwrap();
        beside.execute("UPDATE readings SET body = replace(body, '7', '8') WHERE seq = ?1", [seq]).unwrap();
        self.model.damage([seq]);
    }

    /// A number somewhere in the queue, or just outside.
    fn number(&self, raw: u64) -> u64 {
        raw % (self.next + 3)
    }

    fn append(&mut self, parts: &[Part], position: Option<u8>) {
        let now = self.clock.load(Ordering::SeqCst);
        let mut next = self.next;
        let parts = parts.iter().map(|part| {
            let mut rows = Rows::default();
            for (age, length) in &part.rows {
                let ts = now - age;
                rows.push(Wall::from_us(ts), |json| {
                    json.extend_from_slice(format!("{{\"ts_us\":{ts},").as_bytes());
                    json.extend(std::iter::repeat_n(b'7', *length));
                });
            }
            self.streams += u64::from(part.new_segment);
            let stamps = if part.of_unset_clock { Stamps::Open(UNSET) } else { Stamps::Given };
            let stream = StreamId::from_bits(self.streams << 40);
            let segment = part.new_segment.then_some(SegmentHead { stream, clock: 7, stamps });
            self.unset.extend(segment.filter(|_| part.of_unset_clock).map(|_| next));
            next += part.rows.len() as u64;
            AppendPart { segment, rows }
        });
        let parts = parts.collect();
        let at = |source: u8| SourcePosition { source: format!("csv:{source}"), position: self.next.to_string() };
        let append = Append { parts, positions: position.map(at).into_iter().collect() };
        self.command(QueueCommand::Append(Arc::new(append)));
    }

    /// Gives both the command, and compares the answers that come for it.
    fn command(&mut self, command: QueueCommand) {
        let now = Wall::from_us(self.clock.load(Ordering::SeqCst));
        let (is_free, is_load) = (matches!(command, QueueCommand::Free(_)), matches!(command, QueueCommand::Load(_)));
        let expected = self.model.execute(command.clone(), now);
        self.real.as_ref().unwrap().handle.send(command);
        if let QueueAnswer::Appended(Ok(appended)) = &expected {
            self.next = appended.range.last + 1;
        }
        if is_free {
            self.frees_expected.push_back(expected);
            if self.config.free_within > Duration::ZERO {
                return;
            }
            self.next_free();
        } else {
            while !is_load && !self.frees_expected.is_empty() {
                self.next_free();
            }
            assert_eq!(self.answer(), expected);
        }
        if !is_load {
            self.model.sync();
        }
    }

    fn next_free(&mut self) {
        assert_eq!(Some(self.answer()), self.frees_expected.pop_front());
    }

    fn answer(&mut self) -> QueueAnswer {
        self.real.as_mut().unwrap().answers.blocking_recv().unwrap()
    }

    /// Stops both in good order: frees that waited are done and answered.
    fn close(&mut self) {
        let mut real = self.real.take().unwrap();
        real.handle.close().unwrap();
        while let Some(answer) = real.answers.blocking_recv() {
            assert_eq!(Some(answer), self.frees_expected.pop_front());
        }
        assert!(self.frees_expected.is_empty());
        self.model.sync();
    }

    /// What the disk holds while the queue is open is all that is left: as after a SIGKILL.
    fn crash(&mut self) {
        self.crashes += 1;
        let path = self.folder.path().join(format!("queue-{}.db", self.crashes));
        copy(&self.path, &path, "");
        copy(&self.path, &path, "-wal");
        // Only saves making it anew.
        std::fs::rename(beside(&self.path, ".reserve"), beside(&path, ".reserve")).unwrap();
        drop(self.real.take());
        self.path = path;
        self.frees_expected.clear();
        self.model.crash();
        self.open();
    }

    /// The state as an onlooker sees it.
    fn seen(&self) -> QueueState {
        inspect(&self.path).unwrap().state
    }
}

fn copy(from: &Path, to: &Path, suffix: &str) {
    if beside(from, suffix).exists() {
        std::fs::copy(beside(from, suffix), beside(to, suffix)).unwrap();
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

fn decision(key: u8, seq: u64) -> SavedDecision {
    let term = Term { counter: 3, ingester: Name::new("site-a").unwrap() };
    let body = serde_json::json!({ "max_speed_kmh": 90 + key });
    let decision = Decision { key: format!("limit{key}"), term, seq, decided_us: START_US, ttl_ms: 60_000, body };
    SavedDecision { decision, received: Wall::from_us(START_US) }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_file_and_the_model_answer_alike(
        limits in limits(),
        delete_rows in prop_oneof![Just(1_u64), 2_u64..20, Just(4_096)],
        put_off in any::<bool>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let free_within = if put_off { Duration::from_secs(3_600) } else { Duration::ZERO };
        let mut pair = Pair::new(limits, delete_rows, free_within);
        for step in &steps {
            pair.step(step);
        }
        pair.close();
        let seen = pair.seen();
        let mut reopened = pair.model.open();
        reopened.opening = seen.opening;
        prop_assert_eq!(seen, reopened);
    }
}
