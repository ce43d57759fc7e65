//! Spans of batches, seen from the ingester: within `publish` of the agent.
//!
//! | span | from | to |
//! |---|---|---|
//! | `receive` | the batch was heard | the commit that it goes into began |
//! | `store` | that | the store has it |
//! | `acknowledge` | that | the acknowledgement was handed to the link |

use fogline_protocol::ids::AgentId;
use fogline_protocol::node::{SiteEffect, SiteInput};
use fogline_protocol::store::{Commit, StoreAnswer, StoreCommand};
use fogline_protocol::time::Wall;
use fogline_protocol::topic::{Down, Topic, Up};
use fogline_runtime::settings::TracesSettings;
use fogline_runtime::traces::{BatchId, Traces, TracesError, Value, span};
use std::collections::VecDeque;

/// Batches that are followed at the same time; the oldest gives way.
const FOLLOWED_MAX: usize = 4_096;

/// Follows what is sampled; does nothing without a collector.
#[derive(Debug, Default)]
pub(crate) struct Traced {
    traces: Option<Traces>,
    followed: VecDeque<Followed>,
}

#[derive(Debug)]
struct Followed {
    agent: AgentId,
    batch: BatchId,
    heard: Wall,
    committing: Option<(u64, Wall)>,
    stored: Option<Wall>,
}

impl Traced {
    /// As the settings ask for it; `name` is who this is.
    pub(crate) fn start(settings: &TracesSettings, name: &str) -> Result<Self, TracesError> {
        Ok(Self { traces: Traces::start(settings, "fogline-ingest", name)?, ..Self::default() })
    }

    /// The node is told this.
    pub(crate) fn told(&mut self, input: &SiteInput, now: impl Fn() -> Wall) {
        let Some(traces) = &self.traces else { return };
        let now = now();
        match input {
            SiteInput::Message { topic, payload, .. } => {
                let Ok(Topic::Up(agent, Up::Readings)) = Topic::parse(topic) else { return };
                let Some(batch) = BatchId::of(payload).filter(|batch| traces.wants(batch)) else { return };
                // What is sent again is the same batch: the first one counts.
                if self.followed.iter().any(|known| known.batch == batch) {
                    return;
                }
                if self.followed.len() >= FOLLOWED_MAX {
                    self.followed.pop_front();
                }
                self.followed.push_back(Followed { agent, batch, heard: now, committing: None, stored: None });
            }
            SiteInput::Store(StoreAnswer::Committed(id, Ok(_))) => {
                let of_commit = |known: &&mut Followed| known.committing.is_some_and(|(commit, _)| commit == *id);
                self.followed.iter_mut().filter(of_commit).for_each(|known| known.stored = Some(now));
            }
            _ => {}
        }
    }

    /// The node has asked for this.
    pub(crate) fn asked(&mut self, effect: &SiteEffect, now: impl Fn() -> Wall) {
        if self.traces.is_none() {
            return;
        }
        let now = now();
        match effect {
            SiteEffect::Store(StoreCommand::Commit(commit)) => self.begins(commit, now),
            SiteEffect::Publish { publish, .. } => {
                if let Ok(Topic::Down(agent, Down::Ack)) = Topic::parse(&publish.topic) {
                    self.acknowledges(&agent, now);
                }
            }
            _ => {}
        }
    }

    fn begins(&mut self, commit: &Commit, now: Wall) {
        for known in self.followed.iter_mut().filter(|known| known.committing.is_none()) {
            let is = |stream, first| known.batch == BatchId { stream, first };
            if commit.points.iter().any(|points| is(points.stream, points.first)) {
                known.committing = Some((commit.id, now));
            }
        }
    }

    fn acknowledges(&mut self, agent: &AgentId, now: Wall) {
        let Some(traces) = self.traces.clone() else { return };
        self.followed.retain(|known| {
            let (Some((_, began)), Some(stored)) = (known.committing, known.stored.filter(|_| known.agent == *agent))
            else {
                return true;
            };
            let agent = Value::Text(agent.to_string());
            traces.record([
                span(known.batch, "receive", Some("publish"), known.heard, began).with("fogline.agent", agent),
                span(known.batch, "store", Some("publish"), began, stored),
                span(known.batch, "acknowledge", Some("publish"), stored, now),
            ]);
            false
        });
    }
}
