//! Names, streams, sequence numbers and terms.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The number of a reading in its queue: from 1 to [`SEQ_MAX`], given at append, never given twice in one stream.
pub type Seq = u64;

/// The largest sequence number: 2^53 - 1, exact as a JSON number in every language. At a million readings a second it
/// lasts 285 years.
pub const SEQ_MAX: Seq = (1 << 53) - 1;

/// The longest name, in bytes.
pub const NAME_MAX_BYTES: usize = 63;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not of the form `[a-z0-9][a-z0-9_-]{0,62}`.
    #[error("{0:?} is not a name: use 1 to 63 of a-z, 0-9, '_' and '-', beginning with a letter or a digit")]
    Form(String),
    /// `peers` and `ingest` are levels of the topic tree.
    #[error("the name {0:?} is reserved: choose another")]
    Reserved(String),
}

/// True when `text` has the form of a name: `[a-z0-9][a-z0-9_-]{0,62}`. Such a text needs no escaping in a topic, in
/// JSON, in SQL or in line protocol.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= NAME_MAX_BYTES
        && bytes.first().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
}

/// The name of a region, an agent or an ingester. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(Arc<str>);

impl Name {
    /// Checks `text` and keeps it.
    ///
    /// # Errors
    /// [`NameError`] when the text has not the form of a name, or is reserved.
    pub fn new(text: &str) -> Result<Self, NameError> {
        if !is_name(text) {
            let shown: String = text.chars().take(NAME_MAX_BYTES + 1).collect();
            return Err(NameError::Form(shown));
        }
        if matches!(text, "peers" | "ingest") {
            return Err(NameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// An agent and the region it belongs to: unique in the whole system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AgentId {
    /// The unit of averaging, of partitioning ingest, and of isolation.
    pub region: Name,
    /// Also the agent's MQTT client id and user name.
    pub agent: Name,
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.agent)
    }
}

/// What one opening of a queue file appended. Random, so that (stream, sequence number) means the same reading for ever,
/// also when an old copy of the file comes back. 16 hexadecimal digits on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamId(u64);

impl StreamId {
    /// The stream with these random bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The random bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is not a stream id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stream id is 16 hexadecimal digits in lower case")]
pub struct StreamIdError;

impl FromStr for StreamId {
    type Err = StreamIdError;

    fn from_str(text: &str) -> Result<Self, StreamIdError> {
        let lower_hex = |b: &u8| b.is_ascii_digit() || (b'a'..=b'f').contains(b);
        if text.len() != 16 || !text.as_bytes().iter().all(lower_hex) {
            return Err(StreamIdError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| StreamIdError)
    }
}

impl Serialize for StreamId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Who decides: a counter that each new leader raises above all it has heard of, and the leader's name to break ties.
/// A decision of an older term is never applied over one of a newer term.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Term {
    /// Raised by one at least whenever an ingester starts or takes over. From 1 to [`SEQ_MAX`].
    pub counter: u64,
    /// The ingester that decides in this term.
    pub ingester: Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_break_a_topic_are_refused() {
        for bad in ["", "-a", "_a", "A", "a/b", "a+", "#", "a\0", "ä", "a b", &"a".repeat(64)] {
            assert!(matches!(Name::new(bad), Err(NameError::Form(_))), "{bad:?}");
        }
        for reserved in ["peers", "ingest"] {
            assert!(matches!(Name::new(reserved), Err(NameError::Reserved(_))), "{reserved:?}");
        }
        for good in ["a", "7", "a7", "lane-1", "house_3", &"a".repeat(63)] {
            assert!(Name::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn stream_ids_are_sixteen_lower_case_digits() {
        let id = StreamId::from_bits(0xAB);
        assert_eq!(id.to_string(), "00000000000000ab");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "ab", "00000000000000AB", "+0000000000000ab", "00000000000000abc"] {
            assert_eq!(bad.parse::<StreamId>(), Err(StreamIdError), "{bad:?}");
        }
    }

    #[test]
    fn terms_order_by_counter_and_then_by_name() {
        let term = |counter, name| Term { counter, ingester: Name::new(name).unwrap() };
        assert!(term(2, "a") > term(1, "b"));
        assert!(term(2, "b") > term(2, "a"));
    }
}
