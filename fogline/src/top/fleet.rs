//! The fleet at one moment, as the API tells it, and what is made of two moments.

use crate::analyst::api::{AnalystError, Answer, Api};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The most agents that are asked for: what a person can look through, and some 20 MB.
pub(crate) const AGENTS_MAX: usize = 5_000;
/// Agents of one answer: with all their streams and gaps they stay below the megabyte that an answer may have.
const PAGE: usize = 200;
/// The same where agents have very many gaps.
const PAGE_OF_GAPS: usize = 20;

/// One agent, as it is shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Agent {
    pub(crate) region: String,
    pub(crate) agent: String,
    /// None: no status was ever heard.
    pub(crate) online: Option<bool>,
    /// Readings a second that were stored between this moment and the one before.
    pub(crate) per_s: Option<f64>,
    /// Readings in its queue.
    pub(crate) queued: u64,
    /// The age of the oldest of them, in milliseconds.
    pub(crate) lag_ms: u64,
    /// Readings that a full queue had to drop, or that damage took.
    pub(crate) dropped: u64,
    /// Readings in gaps.
    pub(crate) lost: u64,
    /// The newest speed limit.
    pub(crate) limit_kmh: Option<f64>,
    /// Whether the agent has answered it.
    pub(crate) acknowledged: Option<bool>,
    pub(crate) clock_ahead_ms: Option<i64>,
    /// How many milliseconds ago its status was heard.
    pub(crate) heard_ms_ago: Option<u64>,
    pub(crate) broker: Option<String>,
    /// Readings of all its streams that are dealt with.
    pub(crate) through: u64,
    pub(crate) streams: usize,
    /// Its newest decisions: what, and what became of it.
    pub(crate) decisions: Vec<(String, String)>,
}

/// The ingester.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Health {
    pub(crate) ingester: String,
    /// Who leads, as far as it knows.
    pub(crate) leader: Option<String>,
    pub(crate) connected: Vec<String>,
    pub(crate) brokers: Vec<String>,
    pub(crate) store_down: Option<String>,
    pub(crate) readings_per_s: f64,
    pub(crate) duplicates_total: u64,
    pub(crate) dead_total: u64,
    pub(crate) latency_ms: Option<Latency>,
}

/// From a reading's time to the store, of the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Everything at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Fleet {
    pub(crate) health: Health,
    pub(crate) agents: Vec<Agent>,
    /// There are more agents than are shown.
    pub(crate) more: bool,
}

#[derive(Debug, Deserialize)]
struct Page {
    agents: Vec<Row>,
}

#[derive(Debug, Deserialize)]
struct Row {
    region: String,
    agent: String,
    heard_us: Option<i64>,
    status: Option<Status>,
    clock_ahead_ms: Option<i64>,
    broker: Option<String>,
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    decisions: Vec<Decision>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    online: bool,
    queued: u64,
    oldest_us: Option<i64>,
    dropped: u64,
    damaged: u64,
}

#[derive(Debug, Deserialize)]
struct Stream {
    through: u64,
    lost: u64,
}

#[derive(Debug, Deserialize)]
struct Decision {
    key: String,
    body: serde_json::Value,
    fate: String,
    acknowledged: bool,
}

impl Row {
    fn shown(self, now_us: i64) -> Agent {
        let ms_since = |us: i64| u64::try_from((now_us - us) / 1000).unwrap_or(0);
        let limit = self.decisions.iter().find(|decision| decision.key == "limit");
        let status = self.status.as_ref();
        Agent {
            online: status.map(|status| status.online),
            per_s: None,
            queued: status.map_or(0, |status| status.queued),
            lag_ms: status.filter(|status| status.queued > 0).and_then(|status| status.oldest_us).map_or(0, ms_since),
            dropped: status.map_or(0, |status| status.dropped.saturating_add(status.damaged)),
            lost: self.streams.iter().fold(0, |sum, stream| sum.saturating_add(stream.lost)),
            limit_kmh: limit.and_then(|limit| limit.body.get("limit_kmh")?.as_f64()),
            acknowledged: limit.map(|limit| limit.acknowledged),
            clock_ahead_ms: self.clock_ahead_ms,
            heard_ms_ago: self.heard_us.map(ms_since),
            through: self.streams.iter().fold(0, |sum, stream| sum.saturating_add(stream.through)),
            streams: self.streams.len(),
            decisions: self
                .decisions
                .into_iter()
                .map(|decision| (format!("{} {}", decision.key, decision.body), decision.fate))
                .collect(),
            broker: self.broker,
            region: self.region,
            agent: self.agent,
        }
    }
}

/// Asks again and again, and knows what was before.
pub(crate) struct Asker {
    api: Api,
    before: BTreeMap<(String, String), u64>,
    asked: Option<Instant>,
}

impl Asker {
    pub(crate) fn new(api: Api) -> Self {
        Self { api, before: BTreeMap::new(), asked: None }
    }

    /// The fleet now, with rates if it was asked before. Blocks until all pages are there.
    pub(crate) fn ask(&mut self) -> Result<Fleet, AnalystError> {
        let now = Instant::now();
        let health = self.get("/api/v1/health")?;
        let (mut agents, more) = self.agents()?;
        if let Some(asked) = self.asked {
            rates(&mut agents, &self.before, now - asked);
        }
        self.before = agents.iter().map(|agent| ((agent.region.clone(), agent.agent.clone()), agent.through)).collect();
        self.asked = Some(now);
        Ok(Fleet { health, agents, more })
    }

    fn agents(&self) -> Result<(Vec<Agent>, bool), AnalystError> {
        let mut found: Vec<Agent> = Vec::new();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_us = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        while found.len() < AGENTS_MAX {
            let path = |limit| format!("/api/v1/agents?limit={limit}&offset={}", found.len());
            let (page, limit): (Page, usize) = match self.get(&path(PAGE)) {
                Ok(page) => (page, PAGE),
                Err(AnalystError::Ask(_)) => (self.get(&path(PAGE_OF_GAPS))?, PAGE_OF_GAPS),
                Err(error) => return Err(error),
            };
            let last = page.agents.len() < limit;
            found.extend(page.agents.into_iter().map(|row| row.shown(now_us)));
            if last {
                return Ok((found, false));
            }
        }
        found.truncate(AGENTS_MAX);
        Ok((found, true))
    }

    fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, AnalystError> {
        match self.api.get(path)? {
            Answer::Found(value) => {
                serde_json::from_value(value).map_err(|error| AnalystError::Unexpected(error.to_string()))
            }
            Answer::Nothing => Err(AnalystError::Unexpected("204".to_owned())),
        }
    }
}

/// A stream that ended takes its numbers along: then there is no rate for a moment, and never a negative one.
#[allow(clippy::cast_precision_loss, reason = "rates are shown with one digit")]
fn rates(agents: &mut [Agent], before: &BTreeMap<(String, String), u64>, over: Duration) {
    for agent in agents {
        let before = before.get(&(agent.region.clone(), agent.agent.clone()));
        let since = before.and_then(|before| agent.through.checked_sub(*before));
        agent.per_s = since.map(|since| since as f64 / over.as_secs_f64().max(0.001));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_api_says_is_understood() {
        let row: Row = serde_json::from_value(json!({
            "region": "north", "agent": "lane-1", "heard_us": 9_000_000, "clock_ahead_ms": -3, "broker": "b:1883",
            "status": {"online": true, "connection": [1, 2], "ts_us": 1, "queued": 7, "queued_bytes": 9, "oldest_us": 8_500_000, "dropped": 2},
            "streams": [{"stream": "00", "through": 40, "ranges": 0, "lost": 3, "gaps": []}, {"stream": "01", "through": 2, "lost": 0}],
            "decisions": [{"key": "limit", "term": 1, "seq": 2, "body": {"limit_kmh": 80.0}, "decided_us": 1, "ttl_ms": 1, "fate": "applied", "acknowledged": true}],
        }))
        .unwrap();
        let agent = row.shown(10_000_000);
        assert_eq!((agent.online, agent.queued, agent.lag_ms, agent.dropped), (Some(true), 7, 1_500, 2));
        assert_eq!((agent.lost, agent.through, agent.streams), (3, 42, 2));
        assert_eq!((agent.limit_kmh, agent.acknowledged), (Some(80.0), Some(true)));
        assert_eq!((agent.heard_ms_ago, agent.clock_ahead_ms), (Some(1_000), Some(-3)));
    }

    #[test]
    fn rates_are_of_what_was_stored_in_between() {
        let agent = |name: &str, through| Agent { agent: name.to_owned(), through, ..Agent::default() };
        let mut agents = vec![agent("a", 30), agent("b", 5), agent("new", 9)];
        let before = BTreeMap::from([((String::new(), "a".to_owned()), 10), ((String::new(), "b".to_owned()), 50)]);
        rates(&mut agents, &before, Duration::from_secs(2));
        let found: Vec<Option<f64>> = agents.iter().map(|agent| agent.per_s).collect();
        assert_eq!(found, [Some(10.0), None, None]);
    }
}
