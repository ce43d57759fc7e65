//! The speed limit that holds, and who is told of it: a local MQTT broker (`sign`), a command (`command`).
//!
//! The limit is the newest decision of the register `limit` while that is in force, and the default limit otherwise. Who is told
//! gets the newest one: a limit that was replaced before it could be shown is never shown.

mod command;
mod sign;

pub use sign::{SignConfig, SignTopic};

use crate::calendar::utc;
use fogline_protocol::time::{Monotonic, Now, Wall};
use fogline_protocol::wire::Decision;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The register that holds it.
pub(crate) const KEY: &str = "limit";
/// No road has a higher one, and no sensor of `road` measures more.
pub(crate) const LIMIT_MAX_KMH: f64 = 400.0;
/// What holds when nothing else does: the advisory speed of the Autobahn.
pub const DEFAULT_LIMIT_KMH: f64 = 130.0;
/// For a command that runs and a sign that is being told when the agent stops.
const STOP_DEADLINE: Duration = Duration::from_secs(3);

/// The speed limit that holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// In km/h, above 0 and at most 400.
    pub limit_kmh: f64,
    /// True when no decision is in force.
    pub default: bool,
    /// When the decision's time is over, in microseconds since 1970 by the agent's clock; none for the default.
    pub until_us: Option<i64>,
}

impl Limit {
    /// The limit that holds when no decision is in force.
    #[must_use]
    pub const fn by_default(limit_kmh: f64) -> Self {
        Self { limit_kmh, default: true, until_us: None }
    }

    /// The limit of a decision that is in force until then; none when it says none.
    pub(crate) fn of(decision: &Decision, until: Wall) -> Option<Self> {
        let limit_kmh = decision.body.get("limit_kmh")?.as_f64().filter(|kmh| is_limit(*kmh))?;
        Some(Self { limit_kmh, default: false, until_us: Some(until.us()) })
    }

    /// Whether a driver would see the same.
    fn looks_like(&self, other: &Self) -> bool {
        (self.limit_kmh, self.default) == (other.limit_kmh, other.default)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} km/h ", self.limit_kmh)?;
        match self.until_us {
            Some(us) => write!(f, "(until {})", utc(Wall::from_us(us))),
            None => f.write_str("(default)"),
        }
    }
}

/// Whether a limit can be so high.
pub(crate) fn is_limit(kmh: f64) -> bool {
    kmh > 0.0 && kmh <= LIMIT_MAX_KMH
}

/// Who is told of the limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitSinks {
    /// A local broker.
    pub sign: Option<SignConfig>,
    /// A command for `sh -c`.
    pub command: Option<String>,
}

/// The limit now, for whoever is told of it.
#[derive(Debug)]
pub(crate) struct LimitWatch {
    default_kmh: f64,
    now: watch::Sender<Limit>,
}

impl LimitWatch {
    pub(crate) fn new(default_kmh: f64) -> Self {
        Self { default_kmh, now: watch::Sender::new(Limit::by_default(default_kmh)) }
    }

    /// What holds from now on when nothing else does.
    pub(crate) const fn set_default(&mut self, default_kmh: f64) {
        self.default_kmh = default_kmh;
    }

    /// The register holds another decision now, which is in force until then, or none any more.
    pub(crate) fn decided(&self, decision: Option<(&Decision, Monotonic)>, now: Now) {
        let limit = decision.map(|(decision, expires)| {
            let limit = Limit::of(decision, now.wall + expires.since(now.mono));
            // An operator who takes back what he had set says that nothing is decided.
            if limit.is_none() && decision.body.get("limit_kmh").is_none_or(|limit| !limit.is_null()) {
                tracing::warn!(body = %decision.body, "a decision without a limit_kmh from 0 to 400: the default limit holds");
            }
            limit
        });
        let limit = limit.flatten().unwrap_or(Limit::by_default(self.default_kmh));
        let changed = self.now.send_if_modified(|now| std::mem::replace(now, limit) != limit);
        if changed {
            tracing::debug!(%limit, "the limit");
        }
    }

    pub(crate) fn get(&self) -> Limit {
        *self.now.borrow()
    }
}

/// Those who are told, each by a task of its own: none of them can hold the agent up.
#[derive(Debug)]
pub(crate) struct Told(JoinSet<()>);

impl Told {
    /// Tells them of the limit now and of each to come, until `limits` is dropped. `agent` is what the client id of the link begins with.
    pub(crate) fn start(sinks: LimitSinks, agent: &str, limits: &LimitWatch) -> anyhow::Result<Self> {
        let mut tasks = JoinSet::new();
        if let Some(config) = sinks.sign {
            let (link, events) = sign::connect(&config, agent)?;
            tasks.spawn(sign::show(link, events, config.topic, limits.now.subscribe()));
        }
        if let Some(command) = sinks.command {
            tasks.spawn(command::run(command, limits.now.subscribe()));
        }
        Ok(Self(tasks))
    }

    /// Waits a little for what is under way. To be called when the limits are dropped.
    pub(crate) async fn stop(mut self) {
        let all = async { while self.0.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_DEADLINE, all).await.is_err() {
            tracing::warn!("stopped while a limit was still being shown");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::{Name, Term};

    pub(super) fn decision(body: serde_json::Value) -> Decision {
        let term = Term { counter: 1, ingester: Name::new("ingest-1").unwrap() };
        Decision { key: KEY.to_owned(), term, seq: 1, decided_us: 7, ttl_ms: 1000, body }
    }

    fn at(ms: u64) -> Now {
        let wall = Wall::from_us(1_577_145_601_000_000 + i64::try_from(ms).unwrap() * 1000);
        Now { mono: Monotonic::from_us(5_000_000 + ms * 1000), wall }
    }

    #[test]
    fn a_decision_holds_until_its_time_is_over() {
        let watch = LimitWatch::new(130.0);
        assert_eq!(watch.get().to_string(), "130 km/h (default)");
        watch.decided(Some((&decision(serde_json::json!({ "limit_kmh": 80 })), at(30_000).mono)), at(0));
        assert_eq!(watch.get().to_string(), "80 km/h (until 2019-12-24T00:00:31Z)");
        let json = serde_json::to_string(&watch.get()).unwrap();
        assert_eq!(json, r#"{"limit_kmh":80.0,"default":false,"until_us":1577145631000000}"#);
        watch.decided(None, at(30_000));
        assert_eq!(watch.get(), Limit::by_default(130.0));
    }

    #[test]
    fn a_decision_without_a_limit_is_none() {
        for body in [
            serde_json::json!({}),
            serde_json::json!({ "limit_kmh": "80" }),
            serde_json::json!({ "limit_kmh": 0 }),
            serde_json::json!({ "limit_kmh": -80 }),
            serde_json::json!({ "limit_kmh": 400.1 }),
            serde_json::json!(80),
        ] {
            let watch = LimitWatch::new(100.0);
            watch.decided(Some((&decision(body.clone()), at(9).mono)), at(0));
            assert_eq!(watch.get(), Limit::by_default(100.0), "{body}");
        }
        assert!(is_limit(400.0) && is_limit(0.5) && !is_limit(f64::NAN) && !is_limit(f64::INFINITY));
    }
}
