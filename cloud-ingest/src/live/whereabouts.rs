//! At which broker each agent was heard last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The most agents of which it is known; above that all is forgotten, and known again within seconds, with their next messages.
const AGENTS_KEPT: usize = 20_000;

/// The places of brokers in their list, by region and agent as one text. Cheap to share.
#[derive(Debug, Clone, Default)]
pub(crate) struct Whereabouts(Arc<Mutex<BTreeMap<Box<str>, usize>>>);

impl Whereabouts {
    /// A message came. A status may be one that the other broker kept, and says nothing.
    pub(crate) fn heard(&self, topic: &str, broker: usize) {
        let Some((agent, channel)) = agent_of(topic) else { return };
        if channel == "status" {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get_mut(agent) {
            Some(at) => *at = broker,
            None => {
                if known.len() >= AGENTS_KEPT {
                    known.clear();
                }
                known.insert(agent.into(), broker);
            }
        }
    }

    /// Where an agent was heard last, since this ingester leads.
    pub(crate) fn of(&self, region: &str, agent: &str) -> Option<usize> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(format!("{region}/{agent}").as_str()).copied()
    }
}

/// `REGION/AGENT` and the last level of what an agent says.
fn agent_of(topic: &str) -> Option<(&str, &str)> {
    topic.strip_prefix("fogline/v1/")?.split_once("/up/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_where_it_spoke_last() {
        let known = Whereabouts::default();
        known.heard("fogline/v1/north/r1/up/readings", 1);
        known.heard("fogline/v1/north/r1/up/hello", 0);
        known.heard("fogline/v1/north/r1/up/status", 1);
        known.heard("fogline/v1/north/ingest/i1/beat", 1);
        assert_eq!((known.of("north", "r1"), known.of("north", "r2")), (Some(0), None));
        assert_eq!(known.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn made_up_names_fill_nothing() {
        let known = Whereabouts::default();
        for n in 0..=AGENTS_KEPT {
            known.heard(&format!("fogline/v1/north/a{n}/up/hello"), 0);
        }
        assert_eq!(known.0.lock().unwrap().len(), 1);
    }
}
