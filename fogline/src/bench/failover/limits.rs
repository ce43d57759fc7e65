//! Whether the limit in force on an agent ever goes back.

use fogline_agent::status::StatusReport;
use fogline_protocol::ids::Term;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was seen of the limits of all agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Limits {
    /// Limits that came into force while it was looked.
    pub(crate) seen: u64,
    /// How many of these were older than the one before.
    pub(crate) went_back: u64,
    /// Term and number of the last, by agent.
    #[serde(skip)]
    pub(super) last: BTreeMap<usize, (Term, u64)>,
}

impl Limits {
    /// Takes note of the limit in force on an agent.
    pub(super) fn look(&mut self, agent: usize, report: &StatusReport) {
        let Some(limit) = report.in_force.iter().find(|decision| decision.key == "limit") else { return };
        let now = (limit.term.clone(), limit.seq);
        let before = self.last.insert(agent, now.clone());
        if before.as_ref() != Some(&now) {
            self.seen += 1;
            self.went_back += u64::from(before.is_some_and(|before| now < before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(counter: u64, seq: u64) -> StatusReport {
        let limit = serde_json::json!({
            "v": 1, "running": true, "acknowledged": 0, "streams": 0, "gaps": [], "live": null,
            "queue": {"readings": 0, "bytes": 0, "oldest_us": null, "dropped": 0, "file_bytes": null},
            "in_force": [{"v": 1, "key": "limit", "term": {"counter": counter, "ingester": "a"}, "seq": seq, "ttl_ms": 1, "body": {}}],
        });
        serde_json::from_value(limit).unwrap()
    }

    #[test]
    fn an_older_limit_is_noticed_and_the_same_again_is_not_counted() {
        let mut limits = Limits::default();
        for (agent, counter, seq) in [(0, 1, 7), (0, 1, 7), (0, 2, 1), (1, 1, 1)] {
            limits.look(agent, &report(counter, seq));
        }
        assert_eq!((limits.seen, limits.went_back), (3, 0));
        limits.look(0, &report(1, 8));
        assert_eq!((limits.seen, limits.went_back), (4, 1));
    }
}
