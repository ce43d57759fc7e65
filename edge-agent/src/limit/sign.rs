//! A sign of the vehicle or the gantry: the limit as a retained message at a local MQTT broker.

use super::Limit;
use anyhow::Context;
use bytes::Bytes;
use fogline_protocol::ids::AgentId;
use fogline_runtime::clock::entropy;
use fogline_runtime::link::{BrokerAddress, Link, LinkConfig, LinkEvent, LinkEvents, LinkHandle, Publish};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tokio::sync::watch;

/// The topic unless another is given.
const DEFAULT_TOPIC: &str = "fogline/{region}/{agent}/limit";
/// The longest topic, in bytes: some names, and words between them.
const TOPIC_BYTES_MAX: usize = 512;
/// The version of the message.
const VERSION: u32 = 1;
/// The local broker is near: what waits for it is one message.
const WAITING_BYTES: usize = 128 * 1024;
/// How long to say goodbye to the broker.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Where a sign listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignConfig {
    /// The broker.
    pub broker: BrokerAddress,
    /// The topic.
    pub topic: String,
}

/// A topic in which `{region}` and `{agent}` stand for the agent's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignTopic(String);

impl Default for SignTopic {
    fn default() -> Self {
        Self(DEFAULT_TOPIC.to_owned())
    }
}

impl FromStr for SignTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wild = |c: char| matches!(c, '+' | '#') || c.is_control();
        if text.is_empty() || text.len() > TOPIC_BYTES_MAX || text.contains(wild) || text.starts_with('$') {
            return Err(format!(
                "{text:?} is no topic to publish to: give 1 to {TOPIC_BYTES_MAX} bytes without +, # and a $ at the beginning, as in \
                 {DEFAULT_TOPIC}"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for SignTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SignTopic {
    /// The topic of this agent.
    #[must_use]
    pub fn of(&self, id: &AgentId) -> String {
        self.0.replace("{region}", id.region.as_str()).replace("{agent}", id.agent.as_str())
    }
}

/// What is published.
#[derive(Serialize)]
struct Message {
    v: u32,
    #[serde(flatten)]
    limit: Limit,
}

/// A link of its own: what the local broker does is no matter of the agent's.
pub(super) fn connect(config: &SignConfig, agent: &str) -> anyhow::Result<(LinkHandle, LinkEvents)> {
    let mut link = LinkConfig::new(vec![config.broker.clone()], format!("{agent}-limit"), entropy());
    link.outgoing_bytes = WAITING_BYTES;
    link.incoming_bytes = WAITING_BYTES;
    // No will: the message says until when it holds, and whoever shows it heeds that.
    Link::start(link, |_| None).with_context(|| format!("local broker {}", config.broker))
}

/// Publishes the limit, and each that follows, and again after each connect: a PUBACK may be lost with its connection.
pub(super) async fn show(link: LinkHandle, mut events: LinkEvents, topic: String, mut limits: watch::Receiver<Limit>) {
    let mut connected = None;
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(LinkEvent::Connected { .. }) => {
                    connected = Some(true);
                    tracing::info!(topic, "the local broker is told of the limit");
                    publish(&link, &topic, *limits.borrow_and_update());
                }
                Some(LinkEvent::Disconnected { reason }) => {
                    if connected.replace(false) != Some(false) {
                        tracing::warn!(reason, "the local broker is away: the limit is published when it is back");
                    }
                }
                Some(LinkEvent::Message { .. }) => {}
                None => return,
            },
            changed = limits.changed() => {
                if changed.is_err() {
                    break;
                }
                let limit = *limits.borrow_and_update();
                publish(&link, &topic, limit);
            }
        }
    }
    link.close(CLOSE_DEADLINE).await;
}

fn publish(link: &LinkHandle, topic: &str, limit: Limit) {
    // Numbers and texts always become JSON.
    let payload = serde_json::to_vec(&Message { v: VERSION, limit }).unwrap_or_default();
    // What the link does not take is published after the next connect.
    let publish = Publish { topic: topic.to_owned(), payload: Bytes::from(payload), retain: true };
    if let Err(error) = link.publish(publish) {
        tracing::debug!(%error, "the limit waits for the local broker");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fogline_protocol::ids::Name;

    #[test]
    fn a_topic_names_its_agent() {
        let name = |text| Name::new(text).unwrap();
        let id = AgentId { region: name("a7"), agent: name("lane-1") };
        assert_eq!(SignTopic::default().of(&id), "fogline/a7/lane-1/limit");
        assert_eq!("car/{agent}".parse::<SignTopic>().unwrap().of(&id), "car/lane-1");
        for bad in ["", "a/+", "#", "$SYS/limit", "a\nb", &"x".repeat(TOPIC_BYTES_MAX + 1)] {
            assert!(bad.parse::<SignTopic>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_message_has_its_version_first() {
        let message = Message { v: VERSION, limit: Limit::by_default(130.0) };
        let json = serde_json::to_string(&message).unwrap();
        assert_eq!(json, r#"{"v":1,"limit_kmh":130.0,"default":true,"until_us":null}"#);
    }
}
