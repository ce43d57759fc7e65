//! Home Assistant's discovery: devices tell in retained messages what they measure, in which unit, and where they publish it.
//!
//! <https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery>. Read are sensors and binary sensors, with the keys in full or
//! abbreviated, and of templates those that name a place in the payload; others are passed over and told of once.

mod entity;
mod template;

use super::config::DiscoveryConfig;
use super::topics::is_topic;
use crate::source::mapping::MappingError;
use entity::Entity;
use fogline_protocol::reading::{FIELDS_MAX, Readings, Value};
use fogline_protocol::time::Wall;
use std::collections::{BTreeMap, BTreeSet};

/// More entities than a home has: each is kept in memory.
const ENTITIES_MAX: usize = 2000;

/// What has been discovered.
#[derive(Debug)]
pub struct Discovered {
    config: DiscoveryConfig,
    /// By the topics of their configurations.
    entities: BTreeMap<String, Entity>,
}

impl Discovered {
    /// Nothing yet.
    #[must_use]
    pub fn new(config: DiscoveryConfig) -> Self {
        Self { config, entities: BTreeMap::new() }
    }

    /// Where configurations are, and the states of what was found.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        let prefix = &self.config.prefix;
        let kinds = ["sensor", "binary_sensor"];
        let mut filters: Vec<String> = kinds
            .iter()
            .flat_map(|kind| [format!("{prefix}/{kind}/+/config"), format!("{prefix}/{kind}/+/+/config")])
            .collect();
        let states: BTreeSet<&str> = self.entities.values().map(|entity| entity.state_topic.as_str()).collect();
        filters.extend(states.into_iter().map(str::to_owned));
        filters
    }

    /// True when a message on this topic is a configuration.
    #[must_use]
    pub fn is_configuration(&self, topic: &str) -> bool {
        topic.strip_prefix(self.config.prefix.as_str()).is_some_and(|rest| rest.starts_with('/'))
            && topic.ends_with("/config")
    }

    /// Takes a configuration, or its end. Gives the topic to subscribe to because of it.
    pub fn configure(&mut self, topic: &str, payload: &[u8]) -> Option<String> {
        if payload.trim_ascii().is_empty() {
            self.entities.remove(topic);
            return None;
        }
        let entity = match Entity::read(topic, payload) {
            Ok(entity) if is_topic(&entity.state_topic) => entity,
            Ok(_) => return passed_over(topic, "its state topic is none"),
            Err(why) => return passed_over(topic, why),
        };
        if self.entities.len() >= ENTITIES_MAX && !self.entities.contains_key(topic) {
            return passed_over(topic, "there are 2000 entities already");
        }
        let state = entity.state_topic.clone();
        let known = self.entities.values().any(|known| known.state_topic == state);
        tracing::debug!(topic, sensor = entity.sensor, field = entity.field, "discovered");
        self.entities.insert(topic.to_owned(), entity);
        (!known).then_some(state)
    }

    /// Adds what a state says: a reading for each sensor that has something in it.
    ///
    /// # Errors
    /// When nothing of it is a value.
    pub fn map(&self, topic: &str, payload: &[u8], now: Wall, into: &mut Readings) -> Result<(), MappingError> {
        let entities = self.entities.values().filter(|entity| entity.state_topic == topic);
        let json = serde_json::from_slice(payload).unwrap_or(serde_json::Value::Null);
        let plain = String::from_utf8_lossy(payload);
        let mut sensors: BTreeMap<&str, Vec<(&str, Value<'_>)>> = BTreeMap::new();
        let mut asked = false;
        for entity in entities {
            asked = true;
            let Some(value) = entity.value(&json, &plain) else { continue };
            let fields = sensors.entry(&entity.sensor).or_default();
            if fields.len() < FIELDS_MAX && !fields.iter().any(|(name, _)| *name == entity.field) {
                fields.push((&entity.field, value));
            }
        }
        if asked && sensors.is_empty() {
            return Err(MappingError::Missing("value that was discovered"));
        }
        sensors.iter().try_for_each(|(sensor, fields)| Ok(into.push(now, sensor, &self.config.kind, fields)?))
    }
}

fn passed_over(topic: &str, why: &str) -> Option<String> {
    tracing::info!(topic, why, "a discovered entity was passed over");
    None
}
