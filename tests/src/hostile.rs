//! Agents that are broken or mean harm: what they send to an ingester, from a seed, each message with what must become of it.

mod broken;
mod craft;
mod desk;
mod forged;

pub use desk::{Desk, Good, Mood};

use fogline_protocol::ids::{AgentId, Name};
use fogline_protocol::rng::Rng;
use fogline_protocol::topic::{Topic, Up};
use std::collections::BTreeMap;

/// The region of all of them, and of those that they mean harm.
pub const REGION: &str = "north";

/// A way to do harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it; `Attacker::message` has a line for each")]
pub enum Kind {
    Truncated,
    Nested,
    HugeNumber,
    WrongStream,
    Replayed,
    OfAnother,
    Jump,
    NewStream,
    WrongVersion,
    NotUtf8,
    UnknownTopic,
    GiantGap,
    TooManyEntries,
    BadReading,
    HelloFlood,
    ForgedTerm,
    ForgedAnswer,
    StatusFlood,
    TooLong,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 19] = [
        Self::Truncated,
        Self::Nested,
        Self::HugeNumber,
        Self::WrongStream,
        Self::Replayed,
        Self::OfAnother,
        Self::Jump,
        Self::NewStream,
        Self::WrongVersion,
        Self::NotUtf8,
        Self::UnknownTopic,
        Self::GiantGap,
        Self::TooManyEntries,
        Self::BadReading,
        Self::HelloFlood,
        Self::ForgedTerm,
        Self::ForgedAnswer,
        Self::StatusFlood,
        Self::TooLong,
    ];
}

/// What must become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Counted as taken, under the last level of its topic.
    Taken(&'static str),
    /// Counted as refused, with this reason.
    Refused(&'static str),
    /// Taken while there is room, else refused with this reason.
    Either(&'static str, &'static str),
}

/// A message.
#[derive(Debug, Clone)]
pub struct Message {
    /// Which way it goes.
    pub kind: Kind,
    /// Its topic.
    pub topic: String,
    /// Its payload.
    pub payload: Vec<u8>,
    /// What must become of it.
    pub fate: Fate,
}

/// Makes messages.
#[derive(Debug)]
pub struct Attacker {
    rng: Rng,
    /// Whose stream is claimed, and up to which number.
    victim: u64,
    jumps: u64,
    streams: u64,
    sent: u64,
}

impl Attacker {
    /// The same seed makes the same messages. `victim` is the stream of an agent that behaves.
    #[must_use]
    pub const fn new(seed: u64, victim: u64) -> Self {
        Self { rng: Rng::new(seed), victim, jumps: 0, streams: 0, sent: 0 }
    }

    /// The next message: all kinds in turn, but those that `skips` names.
    pub fn next(&mut self, skips: &[Kind]) -> Message {
        loop {
            let turn = usize::try_from(self.sent).unwrap_or(usize::MAX) % Kind::ALL.len();
            self.sent += 1;
            if let Some(kind) = Kind::ALL.get(turn).filter(|kind| !skips.contains(kind)) {
                return self.message(*kind);
            }
        }
    }

    /// A message of a kind.
    pub fn message(&mut self, kind: Kind) -> Message {
        let (topic, payload, fate) = match kind {
            // JSON that ends too early, at any byte, on any channel.
            Kind::Truncated => self.truncated(),
            // Brackets within brackets, thousands deep.
            Kind::Nested => self.nested(),
            // Numbers that are too large for what they count, or for any number.
            Kind::HugeNumber => self.huge_number(),
            // A stream id that is none.
            Kind::WrongStream => self.wrong_stream(),
            // The same batches again and again.
            Kind::Replayed => self.replayed(),
            // The stream of an agent that behaves, under another agent's name.
            Kind::OfAnother => self.of_another(),
            // Single readings far apart: more ranges than a receiver keeps.
            Kind::Jump => self.jump(),
            // A batch in a stream that was never heard of.
            Kind::NewStream => self.new_stream(),
            // A version of the protocol that is not spoken.
            Kind::WrongVersion => self.wrong_version(),
            // Bytes that are no text.
            Kind::NotUtf8 => self.not_utf8(),
            // A channel, a name, a level that is not there.
            Kind::UnknownTopic => self.unknown_topic(),
            // Gaps over all numbers, floors at the end of them, ranges that are none.
            Kind::GiantGap => self.giant_gap(),
            // More gaps, streams, readings or fields than a message may have.
            Kind::TooManyEntries => self.too_many_entries(),
            // A batch with one reading that breaks a rule.
            Kind::BadReading => self.bad_reading(),
            // Hellos with sixteen streams each that were never heard of.
            Kind::HelloFlood => self.hello_flood(),
            // Terms that nobody can have heard of.
            Kind::ForgedTerm => self.forged_term(),
            // Answers to decisions that nobody made.
            Kind::ForgedAnswer => self.forged_answer(),
            // Statuses of past connections and of strange times.
            Kind::StatusFlood => self.status_flood(),
            // More bytes than are looked at.
            Kind::TooLong => self.too_long(),
        };
        Message { kind, topic, payload, fate }
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = usize::try_from(self.rng.below(from.len() as u64)).unwrap_or(0);
        &from[at]
    }
}

/// A topic of one of these agents.
#[must_use]
pub fn topic(agent: &str, channel: Up) -> String {
    Topic::Up(id(agent), channel).to_string()
}

/// An agent of the region.
///
/// # Panics
/// When it is no name.
#[must_use]
#[expect(clippy::expect_used, reason = "a test's names are names")]
pub fn id(agent: &str) -> AgentId {
    AgentId { region: Name::new(REGION).expect("a name"), agent: Name::new(agent).expect("a name") }
}

/// How often what happened.
pub type Counts = BTreeMap<String, u64>;

/// Holds what was counted against what must become of messages.
#[derive(Debug, Default)]
pub struct Expected {
    /// By channel or reason: at least, and at most.
    bounds: BTreeMap<&'static str, (u64, u64)>,
    /// All of them.
    pub sent: u64,
    /// Messages of those that behave, at most.
    others: u64,
}

impl Expected {
    /// One more was sent.
    pub fn sent(&mut self, fate: Fate) {
        self.sent += 1;
        let mut add = |word: &'static str, least: u64| {
            let (at_least, at_most) = self.bounds.entry(word).or_default();
            *at_least += least;
            *at_most += 1;
        };
        match fate {
            Fate::Taken(word) | Fate::Refused(word) => add(word, 1),
            Fate::Either(one, other) => {
                add(one, 0);
                add(other, 0);
            }
        }
    }

    /// Up to so many more are taken of agents that behave.
    pub fn allow(&mut self, channel: &'static str, more: u64) {
        self.bounds.entry(channel).or_default().1 += more;
        self.others += more;
    }

    /// What is wrong with these counts of taken and refused messages together.
    #[must_use]
    pub fn problems(&self, counted: &Counts) -> Vec<String> {
        let mut problems = Vec::new();
        let all: u64 = counted.values().sum();
        if !(self.sent..=self.sent + self.others).contains(&all) {
            problems.push(format!("{} messages were sent and {all} counted", self.sent));
        }
        let words = self.bounds.keys().map(|word| (*word).to_owned()).chain(counted.keys().cloned());
        for word in words.collect::<std::collections::BTreeSet<_>>() {
            let (least, most) = self.bounds.get(word.as_str()).copied().unwrap_or_default();
            let count = counted.get(&word).copied().unwrap_or(0);
            if !(least..=most).contains(&count) {
                problems.push(format!("{word}: {count} counted, and {least} to {most} expected"));
            }
        }
        problems
    }
}
