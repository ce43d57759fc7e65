//! What agents are told of their sensors: decided once for each, with the commit of its first reading.

use crate::ids::AgentId;
use crate::register::Issued;
use crate::store::Latest;
use crate::time::{Monotonic, Now};
use crate::usecase::power::Places;
use crate::usecase::{self, UseCase, Verdict};
use crate::wire::TTL_MAX_MS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The most sensors of one message: some 25 KB.
const SENSORS_PER_MESSAGE: usize = 400;
/// The most messages for an agent: with more sensors than this it is told of the first ones only.
const MESSAGES_MAX: usize = 16;
/// A notice is said again before its time runs out. It is for the agent's memory, and what it says stays true.
const RENEW_AFTER: Duration = Duration::from_millis(TTL_MAX_MS / 2);

/// When which notice was issued by this leader.
#[derive(Debug, Default)]
pub(super) struct Notices {
    issued: BTreeMap<(AgentId, String), Monotonic>,
}

impl Notices {
    /// These are in the store: who has sensors of which it was not told is told of them. Gives how many notices that makes.
    pub(super) fn merge(&mut self, latest: &[Latest], places: &Places, issued: &mut Issued, now: Now) -> u64 {
        let mut sensors: BTreeMap<(&'static str, AgentId), BTreeSet<&str>> = BTreeMap::new();
        for row in latest {
            if let Some(usecase) = usecase::find(&row.kind).filter(|usecase| usecase.notices().is_some()) {
                sensors.entry((usecase.kind(), row.owner.clone().into())).or_default().insert(&row.sensor);
            }
        }
        let mut notices = 0;
        for ((kind, agent), sensors) in sensors {
            if let Some(usecase) = usecase::find(kind) {
                notices += self.tell(usecase, &agent, &sensors, places, issued, now);
            }
        }
        notices
    }

    fn tell(
        &mut self,
        usecase: &dyn UseCase,
        agent: &AgentId,
        sensors: &BTreeSet<&str>,
        places: &Places,
        issued: &mut Issued,
        now: Now,
    ) -> u64 {
        let Some(notices) = usecase.notices() else { return 0 };
        let mut untold: BTreeSet<&str> = sensors.clone();
        let mut said = 0;
        for message in 1..=MESSAGES_MAX {
            let key = if message == 1 { notices.key.to_owned() } else { format!("{}-{message}", notices.key) };
            let before = issued.newest_body(agent, &key).and_then(|body| body.get(notices.member)?.as_object());
            let mut told = before.cloned().unwrap_or_default();
            let known = told.len();
            let concerned = untold.iter().any(|sensor| told.contains_key(*sensor));
            untold.retain(|sensor| !told.contains_key(*sensor));
            while told.len() < SENSORS_PER_MESSAGE
                && let Some(sensor) = untold.pop_first()
            {
                told.insert(sensor.to_owned(), usecase.notice(places, agent, sensor));
            }
            let renew = concerned && self.is_old(agent, &key, now.mono);
            if told.len() > known || renew {
                self.issued.insert((agent.clone(), key.clone()), now.mono);
                let body = json!({ notices.member: Value::Object(told) });
                issued.issue(agent, &key, Verdict { ttl_ms: TTL_MAX_MS, body }, now);
                said += 1;
            }
            if untold.is_empty() {
                break;
            }
        }
        said
    }

    /// What another leader said may be as old as it can be.
    fn is_old(&self, agent: &AgentId, key: &str, now: Monotonic) -> bool {
        let issued = self.issued.get(&(agent.clone(), key.to_owned()));
        issued.is_none_or(|issued| now.since(*issued) >= RENEW_AFTER)
    }

    /// Agents that are gone need no memory.
    pub(super) fn forget_all_but(&mut self, mut keep: impl FnMut(&AgentId) -> bool) {
        self.issued.retain(|(agent, _), _| keep(agent));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{Name, StreamId, Term};
    use crate::time::Wall;

    fn latest(n: usize) -> Latest {
        let agent = AgentId { region: Name::new("village").unwrap(), agent: Name::new("hub").unwrap() };
        Latest {
            owner: (&agent).into(),
            kind: "power".to_owned(),
            sensor: format!("house-{n}"),
            ts_us: 1,
            clock: 0,
            stream: StreamId::from_bits(1),
            seq: 1,
            flags: 0,
            fields: serde_json::Map::new(),
        }
    }

    #[test]
    fn each_household_is_told_its_postcode_once_and_again_before_that_is_forgotten() {
        let (places, mut notices) = (Places::default(), Notices::default());
        let term = Term { counter: 1, ingester: Name::new("a").unwrap() };
        let at = |s| Now { mono: Monotonic::ZERO + Duration::from_secs(s), wall: Wall::from_us(1_000_000_000) };
        let mut issued = Issued::new(term, Vec::new(), at(0));
        let agent = AgentId::from(latest(1).owner);
        let mut merge = |rows: &[Latest], s| notices.merge(rows, &places, &mut issued, at(s));
        let many: Vec<Latest> = (0..401).map(latest).collect();
        assert_eq!([merge(&many, 0), merge(&many, 10), merge(&[latest(401)], 20)], [2, 0, 1]);
        assert_eq!(merge(&many, 12 * 3600), 1, "the second was said later");
        let body = issued.newest_body(&agent, "notice/postcode").unwrap();
        assert_eq!(body["households"].as_object().unwrap().len(), SENSORS_PER_MESSAGE);
        let postcode = body["households"]["house-1"]["postcode"].as_str().unwrap();
        assert_eq!(postcode, places.postcode(&agent, "house-1"));
        assert_eq!(
            issued.newest_body(&agent, "notice/postcode-2").unwrap()["households"].as_object().unwrap().len(),
            2
        );
    }
}
