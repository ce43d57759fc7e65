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
    /// The ingester.
    Cloud,
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Agent(index) => format!("agent {index}"),
            Self::Cloud => "cloud".to_owned(),
        };
        f.pad(&name)
    }
}

/// One connection of one client to one life of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Whose.
    pub client: Party,
    /// Counts the client's connections in the whole run, so that none is taken for another.
    pub number: u64,
    /// Counts the broker's starts.
    pub broker: u64,
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
    /// The store finishes a step of its oldest command; the number is the ingester's life that asked.
    Store(u64),
    /// A client's attempt to connect comes to its end; the number is the client's life.
    Attempt(Party, u64),
    /// A message reaches the broker.
    AtBroker(Connection, Publish),
    /// A message reaches a subscriber.
    Deliver(Connection, Publish),
    /// A client looks whether its connection still lives.
    KeepAlive(Connection),
    /// A crashed program is started again.
    Boot(Party),
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
