//! What will happen, in the order of its time.

use super::faults::Fault;
use fogline_protocol::node::Publish;
use std::collections::BTreeMap;
use std::fmt;

/// Whoever runs a program of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// The agent with this number.
    Agent(usize),
    /// The ingester of the site with this number.
    Cloud(usize),
}

/// A client of a broker: whoever runs it, and the broker's number. Ingesters have one at each broker, agents are connected at
/// one of them.
pub type Client = (Party, usize);

impl Event {
    /// The program to which it happens; none: to the world.
    #[must_use]
    pub const fn happens_to(&self) -> Option<Party> {
        match self {
            Self::Measure(index)
            | Self::Disk(index, _)
            | Self::Flush(index, _)
            | Self::Move(index, ..)
            | Self::Dies(index, _) => Some(Party::Agent(*index)),
            Self::Store(site, _) => Some(Party::Cloud(*site)),
            Self::Attempt(client, _) => Some(client.0),
            Self::Deliver(connection, _) | Self::KeepAlive(connection) => Some(connection.client.0),
            Self::Fault(_)
            | Self::AtBroker(..)
            | Self::Boot(_)
            | Self::Left(..)
            | Self::Operate(_)
            | Self::Realm(_) => None,
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Agent(index) => format!("agent {index}"),
            Self::Cloud(index) => format!("cloud {index}"),
        };
        f.pad(&name)
    }
}

/// One connection of one client to one life of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Whose, to which broker.
    pub client: Client,
    /// Counts the connections of the whole run, so that none is taken for another.
    pub number: u64,
    /// Counts the broker's starts.
    pub broker_life: u64,
}

/// Something that is going to happen.
#[derive(Debug)]
pub enum Event {
    /// Something breaks, or is mended.
    Fault(Fault),
    /// A sensor of this agent measures.
    Measure(usize),
    /// The disk of this agent answers its oldest command; the number is the agent's life that asked.
    Disk(usize, u64),
    /// The frees on the disk of this agent have waited long enough; the number is as above.
    Flush(usize, u64),
    /// This agent leaves its connection of this number for that broker.
    Move(usize, u64, usize),
    /// The store finishes a step of the oldest command of this ingester; the other number is its life that asked.
    Store(usize, u64),
    /// A client's attempt to connect comes to its end; the number is the program's life.
    Attempt(Client, u64),
    /// A message reaches the broker.
    AtBroker(Connection, Publish),
    /// A message reaches a subscriber.
    Deliver(Connection, Publish),
    /// A client looks whether its connection still lives.
    KeepAlive(Connection),
    /// A crashed program is started again.
    Boot(Party),
    /// The program of this agent and life dies of its configuration.
    Dies(usize, u64),
    /// The operator's order of this number is given.
    Operate(usize),
    /// The move of this number: an ingester is to take other agents.
    Realm(usize),
    /// An ingester of this site and life that was to stop in order has had its time; it starts again after so many
    /// microseconds.
    Left(usize, u64, u64),
}

/// All events to come.
#[derive(Debug, Default)]
pub struct Agenda {
    events: BTreeMap<(u64, u64), Event>,
    /// Tells apart what happens at the same time: first come, first served.
    order: u64,
}

impl Agenda {
    /// `event` happens at the true time `at_us`.
    pub fn at(&mut self, at_us: u64, event: Event) {
        self.order += 1;
        self.events.insert((at_us, self.order), event);
    }

    /// When the next event happens.
    #[must_use]
    pub fn next_us(&self) -> Option<u64> {
        self.events.first_key_value().map(|((at_us, _), _)| *at_us)
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<Event> {
        self.events.pop_first().map(|(_, event)| event)
    }
}
