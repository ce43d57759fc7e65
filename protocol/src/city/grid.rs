//! The grid that a city is: where nodes stand, how far apart, and which of them is the nearest.

use crate::ids::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Coordinates go from 0 to one less than this, in both directions.
pub const GRID_SIZE: u32 = 100;
/// How far apart two nodes stand at least (Manhattan distance), so that together they cover the city.
pub const SPACING_MIN: u32 = 20;
/// The most nodes of a city. Regular rows of them fill the grid with 50; nobody needs to remember more than this.
pub const NODES_MAX: usize = 64;
/// The longest host, in bytes: what DNS allows.
pub const HOST_MAX_BYTES: usize = 253;
/// What no node may be called: averages over all nodes have the first name, and the API's paths have both.
pub const RESERVED_IDS: [&str; 2] = [crate::usecase::GLOBAL, "stats"];
/// The most ports that a node may name.
pub const PORTS_MAX: usize = 8;

/// A place on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// To the right, from 0 to 99.
    pub u: u32,
    /// Upwards, from 0 to 99.
    pub v: u32,
}

impl Place {
    /// True when it is on the grid.
    #[must_use]
    pub const fn is_on_grid(self) -> bool {
        self.u < GRID_SIZE && self.v < GRID_SIZE
    }

    /// How far it is to `other` along the streets (Manhattan distance).
    #[must_use]
    pub const fn distance(self, other: Self) -> u32 {
        self.u.abs_diff(other.u).saturating_add(self.v.abs_diff(other.v))
    }
}

/// A node of the city, as the API names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeNode {
    /// Unique in the city; also the agent's name, and its weight in an election: the greatest wins.
    pub id: Name,
    /// Where its machine is found: a host name or an address, 1 to 253 bytes.
    pub host: String,
    /// Its ports by what they are for, such as `"http"`; a node without a server has none.
    #[serde(default)]
    pub ports: BTreeMap<String, u16>,
    /// Where it stands, from 0 to 99.
    pub u: u32,
    /// Where it stands, from 0 to 99.
    pub v: u32,
}

/// Why a node cannot be one of the city's. The text says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NodeError {
    /// One of [`RESERVED_IDS`].
    #[error("the id {0:?} is reserved: choose another")]
    Reserved(String),
    /// `host` is empty, too long, or holds what no host has.
    #[error("host must have 1 to 253 of letters, digits, '.', '-', '_', ':', '[' and ']'")]
    Host,
    /// Too many ports, a port 0, or a name of a port that is none.
    #[error("ports must be at most 8 numbers from 1 to 65535, by names of a-z, 0-9, '_' and '-'")]
    Ports,
    /// Not on the grid.
    #[error("u={u}, v={v} is not on the grid: both go from 0 to 99")]
    OutOfBounds {
        /// Its `u`.
        u: u32,
        /// Its `v`.
        v: u32,
    },
    /// Nearer than [`SPACING_MIN`] to another one.
    #[error(
        "only {distance} away from {other:?}: nodes stand at least 20 apart (|u - u'| + |v - v'|), choose another place"
    )]
    TooClose {
        /// The other node.
        other: String,
        /// How far away it is.
        distance: u32,
    },
    /// Another node has the id.
    #[error("the id {0:?} is taken: choose another, or remove that node first")]
    Taken(String),
    /// The city is full.
    #[error("the city has {NODES_MAX} nodes already: remove one first")]
    Full,
}

impl EdgeNode {
    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> Place {
        Place { u: self.u, v: self.v }
    }

    /// Checks what the types do not say.
    ///
    /// # Errors
    /// [`NodeError::Reserved`], [`NodeError::Host`], [`NodeError::Ports`] or [`NodeError::OutOfBounds`].
    pub fn check(&self) -> Result<(), NodeError> {
        if RESERVED_IDS.contains(&self.id.as_str()) {
            return Err(NodeError::Reserved(self.id.to_string()));
        }
        let in_host =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']');
        if self.host.is_empty() || self.host.len() > HOST_MAX_BYTES || !self.host.bytes().all(in_host) {
            return Err(NodeError::Host);
        }
        if self.ports.len() > PORTS_MAX
            || self.ports.iter().any(|(name, port)| !crate::ids::is_name(name) || *port == 0)
        {
            return Err(NodeError::Ports);
        }
        if self.place().is_on_grid() { Ok(()) } else { Err(NodeError::OutOfBounds { u: self.u, v: self.v }) }
    }
}

/// Checks that `new` may join those that are there.
///
/// # Errors
/// [`NodeError`]: what [`EdgeNode::check`] finds, then [`NodeError::Taken`], [`NodeError::TooClose`], [`NodeError::Full`].
pub fn admit<'a>(new: &EdgeNode, there: impl Iterator<Item = &'a EdgeNode> + Clone) -> Result<(), NodeError> {
    new.check()?;
    if there.clone().any(|node| node.id == new.id) {
        return Err(NodeError::Taken(new.id.to_string()));
    }
    if let Some(node) = nearest(new.place(), there.clone()) {
        let distance = node.place().distance(new.place());
        if distance < SPACING_MIN {
            return Err(NodeError::TooClose { other: node.id.to_string(), distance });
        }
    }
    if there.count() >= NODES_MAX { Err(NodeError::Full) } else { Ok(()) }
}

/// The node nearest to a place; of several equally near ones the one with the smallest id. None without nodes.
pub fn nearest<'a>(place: Place, nodes: impl Iterator<Item = &'a EdgeNode>) -> Option<&'a EdgeNode> {
    nodes.min_by_key(|node| (node.place().distance(place), &node.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn node(id: &str, u: u32, v: u32) -> EdgeNode {
        EdgeNode { id: Name::new(id).unwrap(), host: "10.0.0.1".to_owned(), ports: BTreeMap::new(), u, v }
    }

    proptest! {
        #[test]
        fn distances_are_those_of_a_metric(a: [u8; 2], b: [u8; 2], c: [u8; 2]) {
            let [a, b, c] = [a, b, c].map(|[u, v]| Place { u: u.into(), v: v.into() });
            prop_assert_eq!(a.distance(b), b.distance(a));
            prop_assert_eq!(a.distance(b) == 0, a == b);
            prop_assert!(a.distance(c) <= a.distance(b) + b.distance(c));
        }
    }

    #[test]
    fn nodes_stand_apart_and_have_names_of_their_own() {
        let there = [node("a", 10, 10), node("b", 50, 50)];
        let check = |new: &EdgeNode| admit(new, there.iter());
        assert_eq!(check(&node("c", 20, 20)), Ok(()));
        assert_eq!(check(&node("c", 19, 20)), Err(NodeError::TooClose { other: "a".to_owned(), distance: 19 }));
        assert_eq!(check(&node("a", 99, 99)), Err(NodeError::Taken("a".to_owned())));
        assert_eq!(check(&node("global", 99, 99)), Err(NodeError::Reserved("global".to_owned())));
        assert_eq!(check(&node("c", 100, 0)), Err(NodeError::OutOfBounds { u: 100, v: 0 }));
    }

    #[test]
    fn a_city_is_not_without_end() {
        let there: Vec<EdgeNode> = (0..64).map(|number| node(&format!("n{number}"), 0, 0)).collect();
        assert_eq!(admit(&node("new", 50, 50), there.iter()), Err(NodeError::Full));
        assert_eq!(admit(&node("new", 50, 50), there.iter().skip(1)), Ok(()));
    }

    #[test]
    fn hosts_and_ports_are_checked() {
        for host in ["", "a b", "a/b", &"h".repeat(254)] {
            assert_eq!(EdgeNode { host: host.to_owned(), ..node("a", 0, 0) }.check(), Err(NodeError::Host), "{host}");
        }
        for (name, port) in [("http", 0), ("", 80), ("a b", 80)] {
            let ports = BTreeMap::from([(name.to_owned(), port)]);
            assert_eq!(EdgeNode { ports, ..node("a", 0, 0) }.check(), Err(NodeError::Ports), "{name} {port}");
        }
        let many = (1..=9).map(|port| (format!("p{port}"), port)).collect();
        assert_eq!(EdgeNode { ports: many, ..node("a", 0, 0) }.check(), Err(NodeError::Ports));
        assert_eq!(EdgeNode { host: "[::1]".to_owned(), ..node("a", 0, 0) }.check(), Ok(()));
    }

    #[test]
    fn the_nearest_is_found_and_ties_go_to_the_smallest_id() {
        let nodes = [node("c", 0, 20), node("b", 20, 0), node("a", 90, 90)];
        assert_eq!(nearest(Place { u: 0, v: 0 }, nodes.iter()).unwrap().id.as_str(), "b");
        assert_eq!(nearest(Place { u: 99, v: 80 }, nodes.iter()).unwrap().id.as_str(), "a");
        assert_eq!(nearest(Place { u: 0, v: 0 }, [].iter()), None);
    }

    #[test]
    fn a_node_in_json() {
        let text = r#"{"id":"node-1","host":"127.0.0.1","ports":{"http":8080},"u":10,"v":20}"#;
        let node: EdgeNode = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&node).unwrap(), text);
        assert!(serde_json::from_str::<EdgeNode>(r#"{"id":"A b","host":"h","u":0,"v":0}"#).is_err());
    }
}
