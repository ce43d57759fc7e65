//! Questions of agents about all sensors of a kind.

use super::CloudNode;
use crate::ids::AgentId;
use crate::store::Latest;
use crate::topic::Down;
use crate::usecase::{self, REGISTRY};
use crate::wire::{Message as _, Reply, Request};
use std::collections::BTreeMap;

/// The most sensors of a kind that an answer counts. Further ones are left out, and counted.
const SENSORS_MAX: usize = 50_000;

/// The newest readings of the kinds that may be asked about.
#[derive(Debug, Default)]
pub(super) struct Answers {
    newest: BTreeMap<(&'static str, AgentId, String), Latest>,
}

impl Answers {
    pub(super) fn new(recovered: Vec<Latest>) -> Self {
        let mut answers = Self::default();
        answers.merge(&recovered);
        answers
    }

    /// These are in the store.
    pub(super) fn merge(&mut self, latest: &[Latest]) {
        for row in latest {
            let asked = usecase::find(&row.kind).filter(|usecase| usecase.question().is_some());
            let Some(usecase) = asked else { continue };
            let key = (usecase.kind(), AgentId::from(row.owner.clone()), row.sensor.clone());
            let older = self.newest.get(&key).is_none_or(|known| known.order() <= row.order());
            if older && (self.newest.len() < SENSORS_MAX || self.newest.contains_key(&key)) {
                self.newest.insert(key, row.clone());
            }
        }
    }

    fn answer(&self, what: &str) -> Option<serde_json::Value> {
        let usecase = REGISTRY.into_iter().find(|usecase| usecase.question() == Some(what))?;
        let of_kind = self.newest.iter().filter(|((kind, ..), _)| *kind == usecase.kind());
        Some(usecase.answer(&mut of_kind.map(|(_, latest)| latest)))
    }
}

impl CloudNode {
    /// Answered with the next acknowledgement, which goes out at once; while a write is in flight that would have to wait, and the
    /// answer goes by itself.
    pub(super) fn requested(&mut self, id: &AgentId, request: Request) {
        let Some(body) = self.answers.answer(&request.what) else {
            self.counters.refuse("question");
            return;
        };
        self.counters.take("request");
        let reply = Reply { request: request.request, what: request.what, body };
        if self.committing.is_none() {
            self.agents.owe_reply(id, reply);
        } else {
            self.publish(id, Down::Reply, reply.encode());
        }
    }
}
