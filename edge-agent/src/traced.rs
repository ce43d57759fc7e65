//! Spans of batches, seen from the agent: its queue, its way out, and back.
//!
//! | span | from | to |
//! |---|---|---|
//! | `reading` | the time of the batch's oldest reading | freed |
//! | `append` | the same | the commit of its first reading |
//! | `publish` | handed to the link, the first time | the acknowledgement that covers it |
//! | `free` | that | gone from the queue |

use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::Seq;
use fogline_protocol::node::{EdgeEffect, EdgeInput};
use fogline_protocol::queue::QueueAnswer;
use fogline_protocol::time::Wall;
use fogline_protocol::topic::{Down, Topic, Up};
use fogline_protocol::wire::{Ack, Batch, Message};
use fogline_runtime::settings::TracesSettings;
use fogline_runtime::traces::{BatchId, Span, Traces, TracesError, Value, span};
use std::collections::VecDeque;

/// Batches that are followed at the same time. The oldest gives way: with a long backlog its end is far.
const FOLLOWED_MAX: usize = 256;
/// Commits whose time is remembered: some minutes of an agent that commits twenty times a second.
const COMMITS_MAX: usize = 4_096;

/// Follows what is sampled; does nothing without a collector.
#[derive(Debug, Default)]
pub(crate) struct Traced {
    traces: Option<Traces>,
    commits: VecDeque<(Range, Wall)>,
    followed: VecDeque<Followed>,
}

#[derive(Debug)]
struct Followed {
    batch: BatchId,
    last: Seq,
    readings: u64,
    sampled: Wall,
    appended: Option<Wall>,
    published: Wall,
    acknowledged: Option<Wall>,
}

impl Traced {
    /// As the settings ask for it; `name` is who this is.
    pub(crate) fn start(settings: &TracesSettings, name: &str) -> Result<Self, TracesError> {
        Ok(Self { traces: Traces::start(settings, "fogline-agent", name)?, ..Self::default() })
    }

    /// The node has asked for this.
    pub(crate) fn asked(&mut self, effect: &EdgeEffect, now: impl Fn() -> Wall) {
        let (Some(traces), EdgeEffect::Publish(publish)) = (&self.traces, effect) else { return };
        let now = now();
        if !matches!(Topic::parse(&publish.topic), Ok(Topic::Up(_, Up::Readings))) {
            return;
        }
        let wanted = BatchId::of(&publish.payload).filter(|batch| traces.wants(batch));
        let Some(batch) = wanted.filter(|batch| self.followed.iter().all(|known| known.batch != *batch)) else {
            return;
        };
        let Ok(whole) = Batch::decode(&publish.payload) else { return };
        let readings = whole.readings.len() as u64;
        let appended = self.commits.iter().find(|(range, _)| (range.first..=range.last).contains(&batch.first));
        if self.followed.len() >= FOLLOWED_MAX {
            self.followed.pop_front();
        }
        self.followed.push_back(Followed {
            batch,
            last: batch.first + readings.saturating_sub(1),
            readings,
            sampled: whole.readings.iter().map(|reading| reading.ts()).min().unwrap_or(now),
            appended: appended.map(|(_, at)| *at),
            published: now,
            acknowledged: None,
        });
    }

    /// The node is told this.
    pub(crate) fn told(&mut self, input: &EdgeInput, now: impl Fn() -> Wall) {
        if self.traces.is_none() {
            return;
        }
        let now = now();
        match input {
            EdgeInput::Queue(QueueAnswer::Appended(Ok(appended))) if appended.range.first <= appended.range.last => {
                if self.commits.len() >= COMMITS_MAX {
                    self.commits.pop_front();
                }
                self.commits.push_back((appended.range, now));
            }
            EdgeInput::Queue(QueueAnswer::Freed(Ok((free, _)))) => self.freed(free.through, now),
            EdgeInput::Message { topic, payload } => {
                if matches!(Topic::parse(topic), Ok(Topic::Down(_, Down::Ack)))
                    && let Ok(ack) = Ack::decode(payload)
                {
                    self.acknowledged(&ack, now);
                }
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, ack: &Ack, now: Wall) {
        for known in self.followed.iter_mut().filter(|known| known.acknowledged.is_none()) {
            let of_stream = ack.streams.iter().find(|stream| stream.stream == known.batch.stream);
            let covers = |range: &Range| range.first <= known.batch.first && known.last <= range.last;
            if of_stream.is_some_and(|ack| ack.through >= known.last || ack.ranges.iter().any(covers)) {
                known.acknowledged = Some(now);
            }
        }
    }

    fn freed(&mut self, through: Seq, now: Wall) {
        let Some(traces) = self.traces.clone() else { return };
        self.followed.retain(|known| {
            let Some(acknowledged) = known.acknowledged.filter(|_| known.last <= through) else { return true };
            traces.record(known.spans(acknowledged, now));
            false
        });
    }
}

impl Followed {
    fn spans(&self, acknowledged: Wall, freed: Wall) -> Vec<Span> {
        let root =
            span(self.batch, "reading", None, self.sampled, freed).with("fogline.readings", Value::Int(self.readings));
        let publish = span(self.batch, "publish", Some("reading"), self.published, acknowledged);
        let free = span(self.batch, "free", Some("reading"), acknowledged, freed);
        let append = self.appended.map(|at| span(self.batch, "append", Some("reading"), self.sampled, at));
        [Some(root), append, Some(publish), Some(free)].into_iter().flatten().collect()
    }
}
