//! A message to be published, and why it may be refused.

use bytes::Bytes;

/// Charged for each waiting publish on top of its topic and payload: what the queue and the client spend on it, so that a
/// flood of tiny messages is bounded too.
const OVERHEAD_BYTES: usize = 128;

/// MQTT writes the length of a topic in 16 bits.
const MAX_TOPIC_BYTES: usize = 65_535;

/// A message to be published, always at `QoS` 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// A topic: not empty, at most 65,535 bytes, without `+`, `#` and NUL.
    pub topic: String,
    /// The payload, at most what [`LinkConfig::max_packet_bytes`](super::LinkConfig::max_packet_bytes) leaves beside the topic.
    pub payload: Bytes,
    /// Whether the broker keeps it as the topic's last known value.
    pub retain: bool,
}

/// Why a publish was not queued. Nothing of it was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Too much waits for the broker. Publish again when acknowledgements of the level above have come.
    #[error("the outgoing queue is full")]
    Full,
    /// The packet would be larger than the limit, and could never be sent. Cut the message.
    #[error("a packet of {bytes} bytes is over the limit of {limit}")]
    Oversize {
        /// Size of the whole packet.
        bytes: usize,
        /// The configured limit.
        limit: usize,
    },
    /// The topic is empty, too long, or holds a wildcard or NUL. A fault of the caller.
    #[error("{0:?} is not a topic to publish to")]
    Topic(String),
    /// There is no connection. Publish again after the next `Connected`.
    #[error("not connected")]
    Offline,
    /// The link has ended.
    #[error("the link is closed")]
    Closed,
}

impl Publish {
    /// What this message counts against the bound of the outgoing queue.
    pub(super) fn cost(&self) -> usize {
        OVERHEAD_BYTES + self.topic.len() + self.payload.len()
    }

    /// Refuses what the client could not send: there it would end the connection, again and again.
    pub(super) fn check(&self, limit: usize) -> Result<(), PublishError> {
        let wild = |c| matches!(c, '+' | '#' | '\0');
        if self.topic.is_empty() || self.topic.len() > MAX_TOPIC_BYTES || self.topic.contains(wild) {
            return Err(PublishError::Topic(self.topic.chars().take(100).collect()));
        }
        let bytes = packet_bytes(self.topic.len(), self.payload.len());
        if bytes > limit {
            return Err(PublishError::Oversize { bytes, limit });
        }
        Ok(())
    }
}

/// Smallest value that a config may give as bound of the outgoing queue, so that the largest packet fits into it.
pub(super) fn min_outgoing_bytes(max_packet_bytes: usize) -> usize {
    OVERHEAD_BYTES + max_packet_bytes
}

/// The size of a `QoS` 1 PUBLISH: type, remaining length (1 to 4 bytes), topic with its length, packet id, payload.
fn packet_bytes(topic: usize, payload: usize) -> usize {
    let remaining = 2 + topic + 2 + payload;
    let length_bytes = match remaining {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    };
    1 + length_bytes + remaining
}

#[cfg(test)]
mod tests {
    use super::*;
    use rumqttc::QoS;

    fn publish(topic: &str, payload: usize) -> Publish {
        Publish { topic: topic.to_owned(), payload: Bytes::from(vec![b'x'; payload]), retain: false }
    }

    #[test]
    fn the_size_is_the_one_that_rumqttc_computes() {
        for payload in [0, 1, 121, 122, 123, 124, 16_370, 16_378, 16_379, 16_380, 65_536, 2_097_150] {
            let message = publish("a/b", payload);
            let mut packet = rumqttc::Publish::from_bytes("a/b", QoS::AtLeastOnce, message.payload.clone());
            packet.pkid = 1;
            assert_eq!(packet_bytes(3, payload), packet.size(), "payload of {payload}");
        }
    }

    #[test]
    fn a_packet_of_exactly_the_limit_passes_and_one_byte_more_does_not() {
        let limit = packet_bytes(3, 1000);
        assert_eq!(publish("a/b", 1000).check(limit), Ok(()));
        let bytes = limit + 1;
        assert_eq!(publish("a/b", 1001).check(limit), Err(PublishError::Oversize { bytes, limit }));
    }

    #[test]
    fn topics_that_would_break_a_connection_are_refused() {
        let long = "x".repeat(65_536);
        for topic in ["", "a/+", "#", "a\0b", long.as_str()] {
            let refused = publish(topic, 1).check(1_000_000);
            assert!(matches!(refused, Err(PublishError::Topic(_))), "{refused:?}");
        }
    }
}
