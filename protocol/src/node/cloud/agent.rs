//! What an ingester knows of one agent.

use crate::delivery::receiver::Receiver;
use crate::ids::{Seq, StreamId};
use crate::time::Monotonic;
use crate::wire::{Batch, Hello, Reply};
use std::collections::{BTreeMap, BTreeSet};

/// A stream of an agent.
#[derive(Debug)]
pub(super) enum Stream {
    /// The store is being asked where it stands; its batches wait, with their bytes.
    Recalling(Vec<(Batch, u64)>),
    /// Its receiver.
    Known(Receiver),
}

/// The agent.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) streams: BTreeMap<StreamId, Stream>,
    /// The newest hello, until every stream that it names is known.
    pub(super) greeting: Option<Hello>,
    /// The streams that the newest hello named, oldest first, and the number that follows each one's newest.
    pub(super) named: Vec<(StreamId, Seq)>,
    /// It has said hello to this ingester.
    pub(super) greeted: bool,
    /// Its next acknowledgement names no stream, so that it says hello.
    pub(super) stranger: bool,
    /// The answer to its newest question.
    pub(super) reply: Option<Reply>,
    /// Streams whose recall failed, to be asked again.
    pub(super) forgotten: BTreeSet<StreamId>,
    /// Recalls that the store has not answered yet.
    pub(super) recalls: usize,
    /// It has spoken to this ingester, or was asked to.
    pub(super) met: bool,
    /// The number of a hello that the next acknowledgement answers.
    pub(super) answers: Option<u64>,
    /// Something was not taken since the last acknowledgement.
    pub(super) turned_away: bool,
    /// Bytes held for it.
    pub(super) held: u64,
    /// The broker at which it was last heard.
    pub(super) broker: usize,
    /// When that was.
    pub(super) heard: Monotonic,
    /// When it was last acknowledged anything.
    pub(super) acked: Monotonic,
    /// The connection of the newest status: (openings, connects).
    pub(super) connection: (u64, u64),
}

impl Agent {
    pub(super) const fn new(broker: usize, now: Monotonic) -> Self {
        Self {
            streams: BTreeMap::new(),
            greeting: None,
            named: Vec::new(),
            greeted: false,
            stranger: false,
            reply: None,
            forgotten: BTreeSet::new(),
            recalls: 0,
            met: false,
            answers: None,
            turned_away: false,
            held: 0,
            broker,
            heard: now,
            acked: now,
            connection: (0, 0),
        }
    }

    /// True when something of it is between the network and the store.
    pub(super) fn is_waited_for(&self) -> bool {
        self.held > 0 || self.greeting.is_some() || self.streams.values().any(Stream::holds)
    }

    /// Forgets streams that the agent does not name any more. The store still knows where they stand.
    pub(super) fn forget_unnamed(&mut self) {
        let named = &self.named;
        let is_named = |stream: &StreamId| named.iter().any(|(name, _)| name == stream);
        self.streams.retain(|stream, state| is_named(stream) || state.has_readings());
    }

    /// Forgets one stream of which everything is written.
    pub(super) fn forget_one_at_rest(&mut self) {
        let at_rest = self.streams.iter().find(|(_, state)| !state.holds()).map(|(stream, _)| *stream);
        at_rest.and_then(|stream| self.streams.remove(&stream));
    }
}

impl Stream {
    /// True when readings of it are between the network and the store.
    pub(super) fn has_readings(&self) -> bool {
        match self {
            Self::Recalling(waiting) => !waiting.is_empty(),
            Self::Known(receiver) => receiver.holds(),
        }
    }

    /// True when the ingester must not forget it.
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Recalling(_) => true,
            Self::Known(receiver) => receiver.holds(),
        }
    }
}
