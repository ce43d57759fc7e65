//! The account of a run: where every reading is that was accepted, what became of decisions, and the verdict.

use crate::books::Held;
use crate::ledger::Ledger;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The version of the account. It grows when something in it changes its meaning.
pub(crate) const VERSION: u32 = 1;

/// What a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// The version of this account: 1.
    pub v: u32,
    /// Nothing lost, nothing stored twice, no decision replaced by an older one, everything back at work.
    pub good: bool,
    /// What was not as it should be, for a person.
    pub findings: Vec<String>,
    /// What plays the same schedule again.
    pub seed: u64,
    /// Where was stored.
    pub store: String,
    /// How long the run took, with healing and draining, in seconds.
    pub seconds: f64,
    /// Readings of all agents.
    pub readings: Readings,
    /// Readings by agent.
    pub agents: BTreeMap<String, Readings>,
    /// Decisions.
    pub decisions: Decisions,
    /// The longest time in which nothing new was stored while sensors spoke, in milliseconds.
    pub longest_gap_ms: u64,
    /// The longest time in which no reading of one of the agents was acknowledged, in milliseconds; to half a second.
    pub longest_agent_gap_ms: u64,
    /// How long it took until all queues were empty when the last fault was healed and the sensors fell silent, in milliseconds.
    pub drained_ms: u64,
    /// Faults in the order of their strikes.
    pub faults: Vec<Struck>,
    /// Faults that could not be played here, and why.
    pub skipped: BTreeMap<String, String>,
    /// Processes that ended by themselves, and were started again.
    pub ended: Vec<String>,
    /// What `fogline audit` says of the same site, if this program has it.
    pub audit: Option<serde_json::Value>,
    /// The folder of the run, with logs and databases, if it was kept.
    pub folder: Option<PathBuf>,
}

/// Where readings are. Stored, queued, dropped, dead and destroyed are what was accepted, each counted once, in this order; what
/// is left over is lost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Readings {
    /// Given a number by the queue of their agent.
    pub accepted: u64,
    /// In the store.
    pub stored: u64,
    /// In a queue.
    pub queued: u64,
    /// Dead letters: refused by the database, kept by the ingester.
    pub dead: u64,
    /// Dropped by a full queue, or damaged, and reported as gaps.
    pub dropped: u64,
    /// On a disk that the lab destroyed, and nowhere else: a promise holds as long as the disk does.
    pub destroyed: u64,
    /// Nowhere.
    pub lost: u64,
    /// In the store once more.
    pub duplicates: u64,
    /// In the store, and never accepted.
    pub strangers: u64,
}

/// What became of decisions, by the books of the ingesters; `sent` and `answered` were heard at the brokers, repeats included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Decisions {
    /// Made.
    pub made: u64,
    /// Messages that brought one.
    pub sent: u64,
    /// Answers of agents.
    pub answered: u64,
    /// Acknowledged as applied.
    pub applied: u64,
    /// Acknowledged as older than what the agent had.
    pub superseded: u64,
    /// Not acknowledged before the next one was made.
    pub replaced: u64,
    /// Not acknowledged before they expired.
    pub expired: u64,
    /// Not acknowledged yet.
    pub outstanding: u64,
    /// Applied over a newer one. Never.
    pub backwards: u64,
}

/// A fault that was played.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Struck {
    /// Its name.
    pub fault: String,
    /// What was done to what.
    pub what: String,
    /// When, in seconds since the beginning.
    pub at_s: f64,
    /// How long it lasted, in milliseconds.
    pub held_ms: u64,
    /// The longest time without a new reading in the store that touches it, in milliseconds.
    pub gap_ms: u64,
    /// The longest time in which no reading of one of the agents was acknowledged that touches it, in milliseconds.
    pub agent_gap_ms: u64,
}

/// What is known of the readings of an agent.
pub(crate) struct Evidence<'a> {
    /// What it accepted.
    pub(crate) ledger: &'a Ledger,
    /// What the store holds.
    pub(crate) held: Option<&'a Held>,
    /// What waits in its queue.
    pub(crate) queued: &'a [u64],
    /// Dead letters.
    pub(crate) dead: &'a [u64],
    /// Sequence numbers that never come.
    pub(crate) gaps: &'a [(u64, u64)],
}

impl Readings {
    /// Finds each reading that was accepted. Gives the numbers of the first lost ones too, at most `shown`.
    pub(crate) fn count(evidence: &Evidence<'_>, shown: usize) -> (Self, Vec<u64>) {
        let Evidence { ledger, held, queued, dead, gaps } = evidence;
        let sorted = |numbers: &[u64]| {
            let mut numbers = numbers.to_vec();
            numbers.sort_unstable();
            numbers
        };
        let (queued, dead) = (sorted(queued), sorted(dead));
        let mut found = Self { accepted: ledger.accepted(), ..Self::default() };
        let mut lost = Vec::new();
        for number in 0..ledger.accepted() {
            let place = if held.is_some_and(|held| held.numbers.contains(number)) {
                &mut found.stored
            } else if queued.binary_search(&number).is_ok() {
                &mut found.queued
            } else if dead.binary_search(&number).is_ok() {
                &mut found.dead
            } else if ledger
                .seq(number)
                .is_some_and(|seq| gaps.iter().any(|(first, last)| (*first..=*last).contains(&seq)))
            {
                &mut found.dropped
            } else if ledger.is_destroyed(number) {
                &mut found.destroyed
            } else {
                if lost.len() < shown {
                    lost.push(number);
                }
                &mut found.lost
            };
            *place += 1;
        }
        if let Some(held) = held {
            found.duplicates = held.duplicates;
            found.strangers = held.numbers.len() - found.stored;
        }
        (found, lost)
    }

    /// These and those together.
    pub(crate) fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.stored += other.stored;
        self.queued += other.queued;
        self.dead += other.dead;
        self.dropped += other.dropped;
        self.destroyed += other.destroyed;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.strangers += other.strangers;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(accepted: u64) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.ended(accepted, 1, accepted + 1);
        ledger
    }

    fn held(numbers: impl IntoIterator<Item = u64>) -> Held {
        let mut held = Held::default();
        numbers.into_iter().for_each(|number| held.add(number));
        held
    }

    #[test]
    fn each_reading_is_counted_where_it_is_found_first() {
        let mut ledger = ledger(10);
        ledger.destroy(8);
        let held = held([0, 1, 2, 3]);
        let evidence =
            Evidence { ledger: &ledger, held: Some(&held), queued: &[4, 3], dead: &[5], gaps: &[(7, 8), (4, 4)] };
        let (found, lost) = Readings::count(&evidence, 5);
        let expected = Readings {
            accepted: 10,
            stored: 4,
            queued: 1,
            dead: 1,
            dropped: 2,
            destroyed: 1,
            lost: 1,
            ..Readings::default()
        };
        assert_eq!((found, lost), (expected, vec![9]));
    }

    #[test]
    fn what_is_stored_twice_or_from_nowhere_is_seen() {
        let (ledger, held) = (ledger(2), held([0, 1, 1, 7]));
        let evidence = Evidence { ledger: &ledger, held: Some(&held), queued: &[], dead: &[], gaps: &[] };
        let (found, _) = Readings::count(&evidence, 5);
        assert_eq!((found.duplicates, found.strangers, found.lost), (1, 1, 0));
    }

    #[test]
    fn a_store_that_knows_nothing_of_an_agent_has_lost_all() {
        let ledger = ledger(3);
        let evidence = Evidence { ledger: &ledger, held: None, queued: &[], dead: &[], gaps: &[] };
        let (found, lost) = Readings::count(&evidence, 2);
        assert_eq!((found.lost, lost), (3, vec![0, 1]));
    }
}
