//! Decisions on their way: a client of each broker hears what ingesters send and what agents answer.
//!
//! It misses what passes while it is not connected: counts come from the ingesters' books. What it is for is order: an agent
//! that says it has applied a decision must never before have said so of a newer one.

use crate::LabError;
use fogline_protocol::ids::Term;
use fogline_protocol::wire::{Decision, DecisionAck, Outcome};
use fogline_runtime::link::{BrokerAddress, Link, LinkConfig, LinkEvent};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinHandle;

/// The most complaints that are kept; they are counted beyond that.
const COMPLAINTS_MAX: usize = 20;
/// What is heard.
const FILTERS: [&str; 2] = ["fogline/v1/+/+/down/limit", "fogline/v1/+/+/up/ack"];

/// By which way something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Witness {
    /// An answer, through the broker on this port.
    Broker(u16),
    /// The agent's status.
    Status,
}

/// What was heard of decisions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// Decisions sent, repeats included.
    pub(crate) sent: u64,
    /// Answers of agents, repeats included.
    pub(crate) answered: u64,
    /// Applications of an older decision over a newer one.
    pub(crate) backwards: u64,
    /// They, for a person.
    pub(crate) complaints: Vec<String>,
    /// By who says so, agent and register: what is said by different ways may overtake each other.
    applied: BTreeMap<(Witness, String, String), (Term, u64)>,
}

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    heard: Arc<Mutex<Heard>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Listens at these ports on loopback. Must be called on a Tokio runtime.
    ///
    /// # Errors
    /// [`LabError::Machine`] when a client cannot be started.
    pub(crate) fn start(ports: &[u16], seed: u64) -> Result<Self, LabError> {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let tasks = ports.iter().map(|port| listen(*port, seed, Arc::clone(&heard))).collect::<Result<_, _>>()?;
        Ok(Self { heard, tasks })
    }

    /// What was heard until now.
    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An agent shows this decision as the one in force.
    pub(crate) fn in_force(&self, agent: &str, key: &str, term: &Term, seq: u64) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.apply(Witness::Status, agent, key, (term.clone(), seq));
    }

    /// An agent has lost its memory: what it had applied counts no longer.
    pub(crate) fn forget(&self, agent: &str) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.applied.retain(|(_, name, _), _| name != agent);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn listen(port: u16, seed: u64, heard: Arc<Mutex<Heard>>) -> Result<JoinHandle<()>, LabError> {
    let failed = |error: &dyn std::fmt::Display| LabError::machine("a client that listens for decisions", error);
    let address: BrokerAddress = format!("127.0.0.1:{port}").parse().map_err(|error| failed(&error))?;
    let mut config = LinkConfig::new(vec![address], "fogline-lab", seed);
    config.subscriptions = FILTERS.map(str::to_owned).to_vec();
    let (link, mut events) = Link::start(config, |_| None).map_err(|error| failed(&error))?;
    Ok(tokio::spawn(async move {
        // The link lives as long as its handle.
        let _link = link;
        while let Some(event) = events.recv().await {
            if let LinkEvent::Message { topic, payload } = event {
                heard.lock().unwrap_or_else(PoisonError::into_inner).hear(port, &topic, &payload);
            }
        }
    }))
}

impl Heard {
    fn hear(&mut self, port: u16, topic: &str, payload: &[u8]) {
        let levels: Vec<&str> = topic.split('/').collect();
        match levels.as_slice() {
            [_, _, _, _, "down", "limit"] if serde_json::from_slice::<Decision>(payload).is_ok() => self.sent += 1,
            [_, _, _, agent, "up", "ack"] => {
                let Ok(ack) = serde_json::from_slice::<DecisionAck>(payload) else { return };
                self.answered += 1;
                if ack.outcome == Outcome::Applied {
                    self.apply(Witness::Broker(port), agent, &ack.key, (ack.term, ack.seq));
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, witness: Witness, agent: &str, key: &str, order: (Term, u64)) {
        let place = (witness, agent.to_owned(), key.to_owned());
        let newest = self.applied.get(&place);
        if let Some(newest) = newest.filter(|newest| **newest > order) {
            self.backwards += 1;
            if self.complaints.len() < COMPLAINTS_MAX {
                let ((old, seq), (new, newer)) = (&order, newest);
                let how = if witness == Witness::Status { "shows in force" } else { "says that it has applied" };
                self.complaints.push(format!(
                    "{agent} {how} {key} {}.{seq} of {}, and had {}.{newer} of {} before",
                    old.counter, old.ingester, new.counter, new.ingester
                ));
            }
            return;
        }
        self.applied.insert(place, order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::Name;

    fn ack(term: u64, seq: u64, outcome: &str) -> Vec<u8> {
        format!(
            r#"{{"v":1,"key":"limit","term":{{"counter":{term},"ingester":"a"}},"seq":{seq},"outcome":"{outcome}"}}"#
        )
        .into_bytes()
    }

    #[test]
    fn an_older_decision_over_a_newer_one_is_a_finding() {
        let mut heard = Heard::default();
        let topic = "fogline/v1/north/lane-1/up/ack";
        for (term, seq) in [(1, 1), (1, 2), (1, 2), (2, 1)] {
            heard.hear(1, topic, &ack(term, seq, "applied"));
        }
        heard.hear(1, topic, &ack(1, 9, "superseded"));
        assert_eq!((heard.answered, heard.backwards), (5, 0));
        heard.hear(1, topic, &ack(1, 9, "applied"));
        assert_eq!((heard.backwards, heard.complaints.len()), (1, 1));
    }

    #[test]
    fn agents_are_judged_each_by_itself() {
        let mut heard = Heard::default();
        heard.hear(1, "fogline/v1/north/lane-1/up/ack", &ack(5, 1, "applied"));
        heard.hear(1, "fogline/v1/north/lane-2/up/ack", &ack(1, 1, "applied"));
        let older = (Term { counter: 4, ingester: Name::new("a").unwrap() }, 1);
        // What a status shows may overtake what comes through a broker.
        heard.apply(Witness::Status, "lane-1", "limit", older.clone());
        heard.apply(Witness::Broker(2), "lane-1", "limit", older.clone());
        assert_eq!(heard.backwards, 0);
        heard.apply(Witness::Broker(1), "lane-1", "limit", older);
        assert_eq!(heard.backwards, 1);
    }
}
