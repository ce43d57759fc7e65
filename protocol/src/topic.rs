//! The topic tree: `fogline/v1/{region}/{agent}/{up|down}/{channel}`, `fogline/v1/{region}/peers/{agent}/{channel}` with one
//! level more where it is for one agent only, and `fogline/v1/{forum}/ingest/{ingester}/{channel}`.
//!
//! The direction is a level of its own so that an access rule is one line: an agent writes its own `up/#` and
//! `peers/{itself}/#`, and reads its own `down/#` and its region's `peers/#`.

use crate::ids::{AgentId, Name};
use crate::realm::{Realm, Share};
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
    /// A question.
    Request,
}

/// What an ingester writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Down {
    /// Which readings are in the store.
    Ack,
    /// A speed limit.
    Limit,
    /// What is known of the agent's sensors.
    Notice,
    /// How the agent is to work: how often it samples.
    Config,
    /// The answer to a question, unless it goes along with [`Self::Ack`].
    Reply,
}

impl Up {
    const ALL: [Self; 5] = [Self::Hello, Self::Readings, Self::Status, Self::Ack, Self::Request];

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::Readings => "readings",
            Self::Status => "status",
            Self::Ack => "ack",
            Self::Request => "request",
        }
    }
}

impl Down {
    const ALL: [Self; 5] = [Self::Ack, Self::Limit, Self::Notice, Self::Config, Self::Reply];

    /// The topic of the decisions of a register.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        match key.split_once('/') {
            None if key == "limit" => Some(Self::Limit),
            Some(("notice", _)) => Some(Self::Notice),
            Some(("config", _)) => Some(Self::Config),
            None | Some(_) => None,
        }
    }

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Limit => "limit",
            Self::Notice => "notice",
            Self::Config => "config",
            Self::Reply => "reply",
        }
    }
}

/// What ingesters say to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Peer {
    /// Who leads, and who would.
    Beat,
    /// What a successor needs, as it changes.
    Log,
    /// A follower asks for all of it.
    Ask,
}

impl Peer {
    const ALL: [Self; 3] = [Self::Beat, Self::Log, Self::Ask];

    /// The last level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Beat => "beat",
            Self::Log => "log",
            Self::Ask => "ask",
        }
    }
}

/// What the agents of a region say to each other: the nodes of a city, and its sensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Neighbour {
    /// A node, to all: what it is.
    Node,
    /// The coordinator, to all: the average over all nodes, and what it has taken.
    Global,
    /// Sensors, to their node.
    Samples,
    /// A node, to its sensors: it lives, and what it has taken.
    Alive,
    /// A node, to the coordinator.
    Averages,
    /// The coordinator, to a node: what it has taken.
    Taken,
}

impl Neighbour {
    const ALL: [Self; 6] = [Self::Node, Self::Global, Self::Samples, Self::Alive, Self::Averages, Self::Taken];

    /// The level of the topic.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Global => "global",
            Self::Samples => "samples",
            Self::Alive => "alive",
            Self::Averages => "averages",
            Self::Taken => "taken",
        }
    }

    /// Whether it is for one agent only, whose name is then the last level.
    #[must_use]
    pub const fn has_address(self) -> bool {
        !matches!(self, Self::Node | Self::Global)
    }
}

/// Where ingesters talk to each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forum {
    /// In a region.
    Region(Name),
    /// Below the level that no region has: those of [`Realm::Everywhere`], and beats of all shares.
    Everywhere,
    /// Those of one share.
    Share(Share),
}

/// The level of [`Forum::Everywhere`]: no region may have this name.
const EVERYWHERE: &str = INGEST;
/// The level that tells the topics of ingesters from those of agents: no agent may have this name.
const INGEST: &str = "ingest";
/// The level of what agents say to each other: no agent may have this name.
const PEERS: &str = "peers";

impl fmt::Display for Forum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region(name) => write!(f, "{name}"),
            Self::Everywhere => f.write_str(EVERYWHERE),
            Self::Share(share) => f.write_str(&share.level()),
        }
    }
}

impl Forum {
    fn read(level: &str) -> Option<Self> {
        if level == EVERYWHERE {
            return Some(Self::Everywhere);
        }
        Share::of_level(level).map(Self::Share).or_else(|| Name::new(level).ok().map(Self::Region))
    }
}

/// A topic of one agent, or of one ingester.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// From the agent.
    Up(AgentId, Up),
    /// To the agent.
    Down(AgentId, Down),
    /// From an agent to the others of its region, or to one of them.
    Peers(AgentId, Neighbour, Option<Name>),
    /// From an ingester to others.
    Ingest(Forum, Name, Peer),
}

/// A topic that is not one of ours. The caller counts it and goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a topic of Fogline: fogline/v1/REGION/AGENT/up|down/CHANNEL and the like")]
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
        let (region, agent) = (levels.next()?, levels.next()?);
        let (direction, channel) = (levels.next()?, levels.next()?);
        let fifth = levels.next();
        if agent == PEERS && levels.next().is_none() {
            return read_peers(region, direction, channel, fifth);
        }
        if fifth.is_some() {
            return None;
        }
        if agent == INGEST {
            return read_ingest(region, direction, channel);
        }
        let id = AgentId { region: Name::new(region).ok()?, agent: Name::new(agent).ok()? };
        match direction {
            "up" => Up::ALL.into_iter().find(|up| up.as_str() == channel).map(|up| Self::Up(id, up)),
            "down" => Down::ALL.into_iter().find(|down| down.as_str() == channel).map(|down| Self::Down(id, down)),
            _ => None,
        }
    }
}

fn read_ingest(forum: &str, ingester: &str, channel: &str) -> Option<Topic> {
    let peer = Peer::ALL.into_iter().find(|peer| peer.as_str() == channel)?;
    Some(Topic::Ingest(Forum::read(forum)?, Name::new(ingester).ok()?, peer))
}

fn read_peers(region: &str, agent: &str, channel: &str, to: Option<&str>) -> Option<Topic> {
    let from = AgentId { region: Name::new(region).ok()?, agent: Name::new(agent).ok()? };
    let channel = Neighbour::ALL.into_iter().find(|known| known.as_str() == channel)?;
    let to = to.map(Name::new).transpose().ok()?;
    (channel.has_address() == to.is_some()).then_some(Topic::Peers(from, channel, to))
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up(id, up) => write!(f, "{ROOT}/{id}/up/{}", up.as_str()),
            Self::Down(id, down) => write!(f, "{ROOT}/{id}/down/{}", down.as_str()),
            Self::Peers(AgentId { region, agent }, channel, to) => {
                write!(f, "{ROOT}/{region}/{PEERS}/{agent}/{}", channel.as_str())?;
                to.as_ref().map_or(Ok(()), |to| write!(f, "/{to}"))
            }
            Self::Ingest(forum, ingester, peer) => {
                write!(f, "{ROOT}/{forum}/{INGEST}/{ingester}/{}", peer.as_str())
            }
        }
    }
}

/// The filter that an agent subscribes to: everything that is said to it.
#[must_use]
pub fn down_filter(id: &AgentId) -> String {
    format!("{ROOT}/{id}/down/+")
}

/// The filters that a leading ingester subscribes to: what the agents of its realm say. Of a share it is more: what all agents
/// say, of which it takes its part.
#[must_use]
pub fn up_filters(realm: &Realm) -> Vec<String> {
    match realm {
        Realm::Regions(regions) => regions.iter().map(|name| format!("{ROOT}/{name}/+/up/#")).collect(),
        Realm::Share(_) | Realm::Everywhere => vec![format!("{ROOT}/+/+/up/#")],
    }
}

/// The filters of what the ingesters of a realm say to each other, and of what those say that may take some of its regions.
/// No topic matches two of them.
#[must_use]
pub fn peer_filters(realm: &Realm) -> Vec<String> {
    let of = |forum: &dyn fmt::Display, channel: Peer| format!("{ROOT}/{forum}/{INGEST}/+/{}", channel.as_str());
    match realm {
        Realm::Regions(regions) => {
            let all = regions.iter().map(|name| format!("{ROOT}/{name}/{INGEST}/+/+"));
            all.chain([of(&Forum::Everywhere, Peer::Beat)]).collect()
        }
        Realm::Share(_) | Realm::Everywhere => {
            let home = realm.home();
            vec![of(&"+", Peer::Beat), of(&home, Peer::Log), of(&home, Peer::Ask)]
        }
    }
}

/// The region's level of a topic.
#[must_use]
pub fn region_of(topic: &str) -> Option<&str> {
    topic.strip_prefix(ROOT)?.strip_prefix('/')?.split('/').next()
}

/// The filters of what the agents of a region say to all, and to this agent.
#[must_use]
pub fn neighbour_filters(id: &AgentId) -> [String; 3] {
    let AgentId { region, agent } = id;
    let of = |channel: Neighbour| format!("{ROOT}/{region}/{PEERS}/+/{}", channel.as_str());
    [of(Neighbour::Node), of(Neighbour::Global), format!("{ROOT}/{region}/{PEERS}/+/+/{agent}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_reads_back() {
        let id = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() };
        let ups = Up::ALL.map(|up| Topic::Up(id.clone(), up));
        let downs = Down::ALL.map(|down| Topic::Down(id.clone(), down));
        let share = Share::new(2, 4).unwrap();
        let forums = [Forum::Region(id.region.clone()), Forum::Everywhere, Forum::Share(share)];
        let peers = forums
            .into_iter()
            .flat_map(|forum| Peer::ALL.map(|peer| Topic::Ingest(forum.clone(), Name::new("ingest-1").unwrap(), peer)));
        let to = |channel: Neighbour| channel.has_address().then(|| Name::new("node-2").unwrap());
        let neighbours = Neighbour::ALL.map(|channel| Topic::Peers(id.clone(), channel, to(channel)));
        for topic in ups.into_iter().chain(downs).chain(peers).chain(neighbours) {
            assert_eq!(Topic::parse(&topic.to_string()), Ok(topic));
        }
        assert_eq!(Topic::Up(id.clone(), Up::Readings).to_string(), "fogline/v1/a7/lane-1/up/readings");
        assert_eq!(down_filter(&id), "fogline/v1/a7/lane-1/down/+");
        assert_eq!(neighbour_filters(&id)[0], "fogline/v1/a7/peers/+/node");
        assert_eq!(neighbour_filters(&id)[2], "fogline/v1/a7/peers/+/+/lane-1");
        let averages = Topic::Peers(id, Neighbour::Averages, to(Neighbour::Averages)).to_string();
        assert_eq!(averages, "fogline/v1/a7/peers/lane-1/averages/node-2");
        assert_eq!(region_of("fogline/v1/a7/lane-1/up/readings"), Some("a7"));
        assert_eq!((region_of("fogline/v2/a7"), region_of("a7")), (None, None));
    }

    #[test]
    fn ingesters_hear_their_agents_and_each_other() {
        let filters = |text: &str| {
            let realm = text.parse().unwrap();
            (up_filters(&realm).join(" "), peer_filters(&realm).join(" "))
        };
        let all = "fogline/v1/+/+/up/#".to_owned();
        let (up, peers) = filters("a7,a8");
        assert_eq!(up, "fogline/v1/a7/+/up/# fogline/v1/a8/+/up/#");
        assert_eq!(peers, "fogline/v1/a7/ingest/+/+ fogline/v1/a8/ingest/+/+ fogline/v1/ingest/ingest/+/beat");
        let beats = "fogline/v1/+/ingest/+/beat";
        let (log, ask) = ("fogline/v1/ingest/ingest/+/log", "fogline/v1/ingest/ingest/+/ask");
        assert_eq!(filters("*"), (all.clone(), format!("{beats} {log} {ask}")));
        let (log, ask) = ("fogline/v1/_2of4/ingest/+/log", "fogline/v1/_2of4/ingest/+/ask");
        assert_eq!(filters("2/4"), (all, format!("{beats} {log} {ask}")));
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
            "fogline/v1/a/peers/b/node/c",
            "fogline/v1/a/peers/b/averages",
            "fogline/v1/a/peers/b/averages/c/d",
            "fogline/v1/a/peers/ingest/node",
            "fogline/v1/a/peers/b/averages/peers",
            "fogline/v1/a/b/up/ack/c",
            "fogline/v1/a/ingest/b/hello",
            "fogline/v1/peers/ingest/b/beat",
            "fogline/v1/ingest/b/up/ack",
            "fogline/v1/_2of4/b/up/ack",
            "fogline/v1/_5of4/ingest/b/beat",
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
