//! What a cloud node is told at its start, what it hears, and what it asks for.

use crate::directive::{Directive, DirectiveChange, DirectiveRefusal};
use crate::ids::Name;
use crate::node::Publish;
use crate::store::{StoreAnswer, StoreCommand};
use crate::usecase::LimitRule;
use crate::usecase::power::Places;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// What an ingester is told at its start.
#[derive(Debug, Clone)]
pub struct CloudConfig {
    /// Its name.
    pub ingester: Name,
    /// Random: tells the commits of this run from those of another.
    pub run: u64,
    /// The most bytes of readings that it holds between the network and the store. Default 32 MiB.
    pub memory_bytes: u64,
    /// The bytes that all agents together may have unacknowledged. Default 6 MiB: below what the broker keeps for a slow
    /// ingester, so that its log never rolls over unread readings.
    pub credit_bytes: u64,
    /// How long a window stays open after its end. Default 1 s.
    pub grace: Duration,
    /// How limits follow from averages.
    pub limit_rule: LimitRule,
    /// Where households are.
    pub places: Arc<Places>,
}

/// What of it can change while it runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CloudTuning {
    /// As [`CloudConfig::memory_bytes`].
    pub memory_bytes: u64,
    /// As [`CloudConfig::credit_bytes`].
    pub credit_bytes: u64,
    /// As [`CloudConfig::limit_rule`].
    pub limit_rule: LimitRule,
}

impl CloudConfig {
    pub(in crate::node) const fn tune(&mut self, tuning: CloudTuning) {
        self.memory_bytes = tuning.memory_bytes;
        self.credit_bytes = tuning.credit_bytes;
        self.limit_rule = tuning.limit_rule;
    }

    /// The defaults for an ingester of this name.
    #[must_use]
    pub fn new(ingester: Name, run: u64) -> Self {
        Self {
            ingester,
            run,
            memory_bytes: 32 << 20,
            credit_bytes: 6 << 20,
            grace: Duration::from_secs(1),
            limit_rule: LimitRule::default(),
            places: Arc::default(),
        }
    }
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum CloudInput {
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
    /// An agent published.
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
    /// An operator decides something. Answered by [`CloudEffect::Directed`].
    Direct {
        /// Comes back with the answer.
        ticket: u64,
        /// What.
        change: DirectiveChange,
    },
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum CloudEffect {
    /// For a broker.
    Publish {
        /// Which one: its place in the list.
        broker: usize,
        /// What.
        publish: Publish,
    },
    /// For the store. Its answer comes back as [`CloudInput::Store`].
    Store(StoreCommand),
    /// What became of what an operator decided: it is kept, here and by one that stands by with a state of its own, or it was
    /// refused.
    Directed {
        /// That of the question.
        ticket: u64,
        /// The directive as it is now.
        result: Result<Directive, DirectiveRefusal>,
    },
}
