//! Devices that speak to a local MQTT broker: Zigbee2MQTT, Tasmota, Shelly, ESPHome, and whatever else publishes numbers or JSON.
//!
//! What the broker sends at QoS 1 is acknowledged to it only once the queue has committed the reading, and the session outlives the
//! connection: what devices publish at QoS 1 while the agent is down comes when it is back. After a cut the broker sends again what was
//! not acknowledged, so that a reading may then come twice, at another time.

mod config;
pub mod discovery;
mod filter;
mod preset;
mod session;
mod topics;

pub(crate) use config::read;
pub use config::{DiscoveryConfig, MqttConfig, TopicRule};
pub use filter::Filter;

use super::SourceError;
use super::feed::FeedSource;

/// Starts the source.
///
/// # Errors
/// [`SourceError::Runtime`].
pub(crate) fn open(name: &str, config: MqttConfig) -> Result<FeedSource, SourceError> {
    FeedSource::start(name, move |feed| session::run(feed, config))
}

#[cfg(test)]
mod tests;
