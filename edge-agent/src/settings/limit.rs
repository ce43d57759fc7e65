//! The settings of the speed limit: what holds without a decision, and who is told.

use crate::limit::{DEFAULT_LIMIT_KMH, LimitSinks, SignConfig, SignTopic, is_limit};
use clap::Args;
use fogline_protocol::ids::AgentId;
use fogline_runtime::link::BrokerAddress;
use serde::{Deserialize, Serialize};

/// What is said about the limit, each part optional.
#[derive(Debug, Clone, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitSettings {
    /// The speed limit that holds while no decision is in force, above 0 and at most 400 [default: 130]
    #[arg(long, value_name = "KM/H", env = "FOGLINE_AGENT_DEFAULT_LIMIT", help_heading = "Speed limit")]
    pub default_limit: Option<f64>,
    /// Publish the limit, retained, at this broker too: the one that the vehicle's or the gantry's sign listens to
    #[arg(long, value_name = "HOST:PORT", env = "FOGLINE_AGENT_LOCAL_BROKER", help_heading = "Speed limit")]
    pub local_broker: Option<String>,
    /// The topic there [default: fogline/{region}/{agent}/limit]
    #[arg(long, value_name = "TOPIC", env = "FOGLINE_AGENT_LIMIT_TOPIC", help_heading = "Speed limit")]
    pub limit_topic: Option<String>,
    /// Run this by `sh -c` at the start and when the limit changes, with FOGLINE_LIMIT_KMH, FOGLINE_LIMIT_DEFAULT and
    /// FOGLINE_LIMIT_UNTIL_US in its environment; killed after 10 s
    #[arg(long, value_name = "COMMAND", env = "FOGLINE_AGENT_ON_LIMIT", help_heading = "Speed limit")]
    pub on_limit: Option<String>,
}

impl LimitSettings {
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            default_limit: self.default_limit.or(other.default_limit),
            local_broker: self.local_broker.or(other.local_broker),
            limit_topic: self.limit_topic.or(other.limit_topic),
            on_limit: self.on_limit.or(other.on_limit),
        }
    }

    /// What holds where nothing is `given`.
    pub(super) fn defaults(given: &Self) -> Self {
        let limit_topic = given.local_broker.is_some().then(|| SignTopic::default().to_string());
        Self { default_limit: Some(DEFAULT_LIMIT_KMH), limit_topic, ..Self::default() }
    }

    pub(super) fn check(self, id: Option<&AgentId>, problems: &mut Vec<String>) -> (f64, LimitSinks) {
        let default_kmh = self.default_limit.unwrap_or(DEFAULT_LIMIT_KMH);
        if !is_limit(default_kmh) {
            problems.push(format!("default_limit: {default_kmh} km/h, give one above 0 and at most 400"));
        }
        let broker = self.local_broker.as_deref().and_then(|text| {
            let parsed = text.parse::<BrokerAddress>();
            parsed.map_err(|error| problems.push(format!("local_broker: {text}: {error}"))).ok()
        });
        let topic = self.limit_topic.as_deref().and_then(|text| {
            let parsed = text.parse::<SignTopic>();
            parsed.map_err(|error| problems.push(format!("limit_topic: {error}"))).ok()
        });
        if self.limit_topic.is_some() && self.local_broker.is_none() {
            problems.push("limit_topic: a topic of which broker? Give --local-broker too".to_owned());
        }
        if self.on_limit.as_ref().is_some_and(|command| command.trim().is_empty()) {
            problems.push("on_limit: there is no command in it, give one or leave it out".to_owned());
        }
        let sign = broker.zip(topic).zip(id).map(|((broker, topic), id)| SignConfig { broker, topic: topic.of(id) });
        (default_kmh, LimitSinks { sign, command: self.on_limit })
    }
}
