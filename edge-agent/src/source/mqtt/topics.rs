//! From a message to readings: the first rule that matches its topic, and the sensors that were discovered.

use super::config::{MqttConfig, TopicRule};
use super::discovery::Discovered;
use super::filter::Filter;
use crate::source::mapping::MappingError;
use fogline_protocol::reading::Readings;
use fogline_protocol::time::Wall;

/// What is taken, as configured and as discovered since.
#[derive(Debug)]
pub(super) struct Topics {
    rules: Vec<TopicRule>,
    discovered: Option<Discovered>,
}

impl Topics {
    pub(super) fn new(config: &MqttConfig) -> Self {
        Self { rules: config.topics.clone(), discovered: config.discovery.clone().map(Discovered::new) }
    }

    /// What to subscribe to: rules that pass topics over need nothing.
    pub(super) fn filters(&self) -> Vec<String> {
        let rules = self.rules.iter().filter(|rule| rule.mapping.is_some()).map(|rule| rule.filter.to_string());
        let mut filters: Vec<String> = rules.collect();
        if let Some(discovered) = &self.discovered {
            filters.extend(discovered.filters());
        }
        filters.sort();
        filters.dedup();
        filters
    }

    /// Adds the readings that a message holds; none are no error. What is to be subscribed to because of it goes to `subscribe`.
    pub(super) fn take(
        &mut self,
        message: Message<'_>,
        now: Wall,
        into: &mut Readings,
        subscribe: &mut Vec<String>,
    ) -> Result<(), MappingError> {
        let Message { topic, payload, retained } = message;
        if let Some(discovered) = &mut self.discovered
            && discovered.is_configuration(topic)
        {
            subscribe.extend(discovered.configure(topic, payload));
            return Ok(());
        }
        let rule = self.rules.iter().find(|rule| rule.filter.matches(topic));
        if let Some(rule) = rule.filter(|rule| rule.retained || !retained)
            && let Some(mapping) = &rule.mapping
        {
            let levels: Vec<&str> = topic.split('/').collect();
            return mapping.map(payload, &levels, now, into);
        }
        match &self.discovered {
            Some(discovered) if rule.is_none() && !retained => discovered.map(topic, payload, now, into),
            _ => Ok(()),
        }
    }
}

/// A message from the broker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) topic: &'a str,
    pub(super) payload: &'a [u8],
    /// It says what was last so, and was not published now.
    pub(super) retained: bool,
}

/// A filter that has no wildcards in it.
pub(super) fn is_topic(text: &str) -> bool {
    Filter::try_from(text.to_owned()).is_ok() && !text.contains(['+', '#'])
}
