//! The keys of an mqtt source.

use super::filter::Filter;
use super::preset::{Preset, rules};
use crate::settings::keys::Keys;
use crate::shape::ShapeConfig;
use crate::source::mapping::{self, Allowed, Mapping};
use fogline_protocol::ids::{AgentId, is_name};
use fogline_runtime::link::{BrokerAddress, LinkSecurity};
use fogline_runtime::settings::SecuritySettings;
use std::path::PathBuf;

/// Each is a subscription.
const TOPICS_MAX: usize = 100;

/// A local broker, and what is taken from it.
#[derive(Debug, Clone)]
pub struct MqttConfig {
    /// Where it is.
    pub broker: BrokerAddress,
    /// Whom the agent trusts, and who it says it is.
    pub security: LinkSecurity,
    /// By which the broker knows the session.
    pub client_id: String,
    /// What is taken, the first that matches a topic.
    pub topics: Vec<TopicRule>,
    /// Whether sensors are found by themselves.
    pub discovery: Option<DiscoveryConfig>,
}

/// Messages that are taken, and how.
#[derive(Debug, Clone)]
pub struct TopicRule {
    /// Their topics.
    pub filter: Filter,
    /// What becomes of them; none: they are passed over.
    pub mapping: Option<Mapping>,
    /// Whether retained messages, which say what was last so, are readings too.
    pub retained: bool,
}

/// Home Assistant's discovery.
#[derive(Debug, Clone)]
pub struct DiscoveryConfig {
    /// Before the topics of configurations: `homeassistant`.
    pub prefix: String,
    /// The kind of what is found.
    pub kind: String,
}

/// Reads the table of such a source.
pub(crate) fn read(
    keys: &mut Keys<'_>,
    shape: &mut ShapeConfig,
    id: Option<&AgentId>,
    source: Option<&str>,
) -> Option<MqttConfig> {
    let broker = read_broker(keys);
    let security = read_security(keys, broker.as_ref());
    let kind = read_kind(keys);
    let topics = read_topics(keys, shape, &kind);
    let discovery = read_discovery(keys, kind);
    if topics.is_empty() && discovery.is_none() {
        keys.problem("topics", "nothing is taken: give preset = \"zigbee2mqtt\", \"tasmota\", \"shelly\" or \"esphome\", tables [[sources.topics]], or discovery = true");
    }
    if topics.len() > TOPICS_MAX {
        keys.problem("topics", &format!("{}, give at most {TOPICS_MAX}", topics.len()));
    }
    let agent = id.map_or("agent", |id| id.agent.as_str());
    let client_id = keys.get("client_id").unwrap_or_else(|| format!("{agent}-{}", source.unwrap_or("mqtt")));
    Some(MqttConfig { broker: broker?, security, client_id, topics, discovery })
}

fn read_broker(keys: &mut Keys<'_>) -> Option<BrokerAddress> {
    let text = keys.get::<String>("broker").unwrap_or_else(|| "127.0.0.1:1883".to_owned());
    text.parse().map_err(|error| keys.problem("broker", &format!("{text}: {error}"))).ok()
}

fn read_security(keys: &mut Keys<'_>, broker: Option<&BrokerAddress>) -> LinkSecurity {
    let given = SecuritySettings {
        broker_ca: keys.get::<PathBuf>("broker_ca"),
        broker_cert: keys.get::<PathBuf>("broker_cert"),
        broker_key: keys.get::<PathBuf>("broker_key"),
        user: keys.get("user"),
        password_file: keys.get::<PathBuf>("password_file"),
    };
    if given.password_file.is_some() && given.user.is_none() {
        keys.problem("user", "missing, a password needs a user name");
    }
    let mut problems = Vec::new();
    let brokers: Vec<BrokerAddress> = broker.cloned().into_iter().collect();
    let security = given.check_files("", &brokers, &mut problems);
    for problem in problems {
        let (key, text) = problem.split_once(": ").unwrap_or(("broker", &problem));
        keys.problem(key, text);
    }
    security
}

fn read_topics(keys: &mut Keys<'_>, shape: &mut ShapeConfig, kind: &str) -> Vec<TopicRule> {
    let tables = keys.tables("topics");
    let mut topics: Vec<TopicRule> = tables.into_iter().filter_map(|table| read_topic(table, shape)).collect();
    let base = keys.get::<String>("base");
    if let Some(base) = base.as_ref().filter(|base| Filter::try_from((*base).clone()).is_err() || base.contains('#')) {
        keys.problem("base", &format!("{base:?} does not begin a topic"));
    }
    match keys.get::<Preset>("preset") {
        Some(preset) => topics.extend(rules(preset, base.as_deref(), kind)),
        None if base.is_some() => keys.problem("base", "for presets only, leave it out"),
        None => {}
    }
    topics
}

fn read_topic(mut table: Keys<'_>, shape: &mut ShapeConfig) -> Option<TopicRule> {
    let filter = table.require::<Filter>("topic", "give a topic filter as in plant/+/power");
    let retained = table.get("retained").unwrap_or(false);
    let mapping = mapping::read(&mut table, Allowed { sensor: "{last}", kind: "generic" }, shape);
    table.finish();
    Some(TopicRule { filter: filter?, mapping: Some(mapping), retained })
}

/// What a preset's and discovered devices' readings are.
fn read_kind(keys: &mut Keys<'_>) -> String {
    let kind = keys.get::<String>("kind").unwrap_or_else(|| "device".to_owned());
    if !is_name(&kind) {
        keys.problem("kind", &format!("{kind:?} is not a name: {}", crate::settings::NAME_RULE));
    }
    kind
}

fn read_discovery(keys: &mut Keys<'_>, kind: String) -> Option<DiscoveryConfig> {
    let prefix = keys.get::<String>("discovery_prefix");
    let wanted = keys.get::<bool>("discovery").unwrap_or(false);
    if !wanted {
        if prefix.is_some() {
            keys.problem("discovery_prefix", "give discovery = true too, or leave it out");
        }
        return None;
    }
    let prefix = prefix.unwrap_or_else(|| "homeassistant".to_owned());
    if Filter::try_from(format!("{prefix}/x")).is_err() || prefix.contains(['+', '#']) {
        keys.problem("discovery_prefix", &format!("{prefix:?} does not begin a topic"));
    }
    Some(DiscoveryConfig { prefix, kind })
}
