//! What a site node is told at its start, what it hears, and what it asks for.

use crate::directive::{Directive, DirectiveChange, DirectiveRefusal};
use crate::election::Timing;
use crate::ids::Name;
use crate::node::{CloudConfig, CloudTuning, Publish};
use crate::realm::Realm;
use crate::store::{StoreAnswer, StoreCommand};
use bytes::Bytes;

/// How the ingesters of a realm keep their state. Readings are in one store in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// In the store that they share: whoever takes over finds all of it.
    Together,
    /// Each in a file of its own: a leader tells the others what changes.
    Apart,
}

/// What an ingester is told at its start.
#[derive(Debug, Clone)]
pub struct SiteConfig {
    /// How it leads. `run` is the seed of the numbers of its runs.
    pub cloud: CloudConfig,
    /// Whose readings it takes.
    pub realm: Realm,
    /// Of several that would lead the highest does; among equals the greatest name. Default 0.
    pub rank: u32,
    /// How many brokers there are.
    pub brokers: usize,
    /// Which store it writes to: the same text on all that share one.
    pub store: String,
    /// How its state is kept.
    pub keeping: Keeping,
    /// The times of the election.
    pub timing: Timing,
}

impl SiteConfig {
    /// An ingester of all regions with one broker and a store of its own.
    #[must_use]
    pub fn new(cloud: CloudConfig) -> Self {
        Self {
            cloud,
            realm: Realm::Everywhere,
            rank: 0,
            brokers: 1,
            store: String::new(),
            keeping: Keeping::Together,
            timing: Timing::default(),
        }
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum SiteInput {
    /// A broker has accepted the connection and the subscription.
    Connected {
        /// Its place in the list of brokers.
        broker: usize,
    },
    /// The connection to it is gone.
    Disconnected {
        /// Its place in the list of brokers.
        broker: usize,
    },
    /// An agent or another ingester published.
    Message {
        /// Where: the broker's place in the list.
        broker: usize,
        /// The whole topic.
        topic: String,
        /// The message.
        payload: Bytes,
    },
    /// The store answered.
    Store(StoreAnswer),
    /// An operator decides something. Answered by [`SiteEffect::Directed`], unless this ingester ceases to lead meanwhile.
    Direct {
        /// Comes back with the answer.
        ticket: u64,
        /// What.
        change: DirectiveChange,
    },
    /// To go on with other bounds and another rule.
    Tune(CloudTuning),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum SiteEffect {
    /// For a broker.
    Publish {
        /// Which one: its place in the list.
        broker: usize,
        /// What.
        publish: Publish,
    },
    /// For the store. Its answer comes back as [`SiteInput::Store`].
    Store(StoreCommand),
    /// What became of what an operator decided.
    Directed {
        /// That of the question.
        ticket: u64,
        /// The directive as it is now.
        result: Result<Directive, DirectiveRefusal>,
    },
    /// From now on what agents say is to be heard, or not any more.
    Listen(bool),
    /// This ingester must not run: another one of its realm writes to another store. The program ends with that reason.
    Conflict {
        /// The other one.
        peer: Name,
        /// Its store.
        store: String,
    },
}
