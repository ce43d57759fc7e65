//! The topic tree, `fogline/v1/{region}/{agent}/{up|down}/{channel}`.
//!
//! The direction is a level of its own so that an access rule is one line: an agent writes its own `up/#` and reads its
//! own `down/#`.

use crate::ids::{AgentId, Name};
use std::fmt;

/// What every topic begins with: the system and the version of its topic tree.
pub const ROOT: &str = "fogline/v1";

/// What an agent writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Up {
    /// The open streams; resent until answered.
    Hello,
    /// A batch of readings.
    Readings,
    /// Online or offline, queue depth; retained.
    Status,
    /// What became of a decision.
    Ack,
}

/// What an ingester writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Down {
    /// Which readings are in the store.
    Ack,
    /// A speed limit.
    Limit,
}

impl Up {
    const ALL: [Self; 4] = [Self::Hello, Self::Readings, Self::Status, Self::Ack];

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Readings => "readings",
            Self::Status => "status",
            Self::Ack => "ack",
        }
    }
}

impl Down {
    const ALL: [Self; 2] = [Self::Ack, Self::Limit];

    /// The topic of the decisions of a register.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        (key == "limit").then_some(Self::Limit)
    }

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Limit => "limit",
        }
    }
}

/// A topic of one agent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// From the agent.
    Up(AgentId, Up),
    /// To the agent.
    Down(AgentId, Down),
}

/// A topic that is not one of ours. The caller counts it and goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a topic of Fogline: fogline/v1/REGION/AGENT/up|down/CHANNEL")]
pub struct TopicError(String);

impl Topic {
    /// Reads a topic.
    ///
    /// # Errors
    /// [`TopicError`] for anything that [`fmt::Display`] of a topic would not have written.
    pub fn parse(text: &str) -> Result<Self, TopicError> {
        Self::read(text).ok_or_else(|| TopicError(text.chars().take(200).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let mut levels = text.strip_prefix(ROOT)?.strip_prefix('/')?.split('/');
        let region = Name::new(levels.next()?).ok()?;
        let agent = Name::new(levels.next()?).ok()?;
        let (direction, channel) = (levels.next()?, levels.next()?);
        if levels.next().is_some() {
            return None;
        }
        let id = AgentId { region, agent };
        match direction {
            "up" => Up::ALL.into_iter().find(|up| up.as_str() == channel).map(|up| Self::Up(id, up)),
            "down" => Down::ALL.into_iter().find(|down| down.as_str() == channel).map(|down| Self::Down(id, down)),
            _ => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(id, up) => write!(f, "{ROOT}/{id}/up/{}", up.as_str()),
            Self::Down(id, down) => write!(f, "{ROOT}/{id}/down/{}", down.as_str()),
        }
    }
}

/// The filter that an agent subscribes to: everything that is said to it.
#[must_use]
pub fn down_filter(id: &AgentId) -> String {
    format!("{ROOT}/{id}/down/#")
}

/// The filter that an ingester subscribes to: everything that the agents of its region say, or of all regions.
#[must_use]
pub fn up_filter(region: Option<&Name>) -> String {
    format!("{ROOT}/{}/+/up/#", region.map_or("+", Name::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_reads_back() {
        let id = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() };
        let ups = Up::ALL.map(|up| Topic::Up(id.clone(), up));
        let downs = Down::ALL.map(|down| Topic::Down(id.clone(), down));
        for topic in ups.into_iter().chain(downs) {
            assert_eq!(Topic::parse(&topic.to_string()), Ok(topic));
        }
        assert_eq!(Topic::Up(id.clone(), Up::Readings).to_string(), "fogline/v1/a7/lane-1/up/readings");
        assert_eq!(down_filter(&id), "fogline/v1/a7/lane-1/down/#");
        assert_eq!(up_filter(None), "fogline/v1/+/+/up/#");
        assert_eq!(up_filter(Some(&id.region)), "fogline/v1/a7/+/up/#");
    }

    #[test]
    fn other_topics_are_refused() {
        for bad in [
            "",
            "fogline",
            "fogline/v2/a/b/up/ack",
            "fogline/v1/a/b/up",
            "fogline/v1/a/b/up/ack/x",
            "fogline/v1/a/b/down/hello",
            "fogline/v1/a/peers/up/ack",
            "fogline/v1/a/+/up/ack",
            "fogline/v1/a/#/up/ack",
            "fogline/v1/a/b\0/up/ack",
            "fogline/v1//b/up/ack",
            "fogline/v1/A/b/up/ack",
        ] {
            assert!(Topic::parse(bad).is_err(), "{bad:?}");
        }
    }
}
