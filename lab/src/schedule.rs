//! When is struck what: a pure function of a seed, so that a run can be repeated.

use fogline_protocol::rng::Rng;
use std::collections::BTreeMap;

/// Nothing is struck before the programs have settled.
const FIRST_MS: u64 = 3_000;
/// How long a fault lasts: from a blink to longer than every time-out that is meant to notice it soon.
const HOLD_MS: (u64, u64) = (300, 9_000);
/// How long nothing is wrong between two rounds: from too short to drain, to long enough.
const CALM_MS: (u64, u64) = (500, 6_000);
/// How many rounds of 100 strike twice.
const PAIRS_PERCENT: u64 = 40;
/// What is left of a run for healing and for the last readings.
const LAST_MS: u64 = 5_000;

/// A fault of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strike {
    /// The fault, by its place in the list that the schedule was made for.
    pub fault: usize,
    /// Which of its targets, as a number without a bound: the fault takes the remainder.
    pub which: u64,
    /// When it strikes, in milliseconds since the beginning of the round.
    pub after_ms: u64,
    /// How long it lasts, in milliseconds.
    pub hold_ms: u64,
}

/// One or two faults at a time, and a calm after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// When it begins at the earliest, in milliseconds since the beginning of the run.
    pub at_ms: u64,
    /// The faults, in the order of their strikes. One or two, and never the same twice.
    pub strikes: Vec<Strike>,
}

/// The rounds of a run of `length_ms` milliseconds over a list of `faults` faults. The same seed, length and number of faults give
/// the same rounds. Every fault comes once before any comes again: they are dealt as from a shuffled deck.
#[must_use]
pub fn schedule(seed: u64, length_ms: u64, faults: usize) -> Vec<Round> {
    let mut rng = Rng::new(seed);
    let mut deck = Deck { faults, cards: Vec::new() };
    let (mut rounds, mut at_ms) = (Vec::new(), FIRST_MS);
    while faults > 0 && at_ms + LAST_MS < length_ms {
        let strikes = strikes(&mut rng, &mut deck);
        let end_ms = strikes.iter().map(|strike| strike.after_ms + strike.hold_ms).max().unwrap_or(0);
        rounds.push(Round { at_ms, strikes });
        at_ms += end_ms + between(&mut rng, CALM_MS);
    }
    rounds
}

fn strikes(rng: &mut Rng, deck: &mut Deck) -> Vec<Strike> {
    let fault = deck.deal(rng);
    let first = strike(rng, fault, 0);
    if deck.faults < 2 || !rng.percent(PAIRS_PERCENT) {
        return vec![first];
    }
    // While the first one lasts, so that they overlap.
    let after_ms = rng.below(first.hold_ms.max(1));
    let fault = deck.deal_other(rng, first.fault);
    let second = strike(rng, fault, after_ms);
    vec![first, second]
}

fn strike(rng: &mut Rng, fault: usize, after_ms: u64) -> Strike {
    Strike { fault, which: rng.next_u64(), after_ms, hold_ms: between(rng, HOLD_MS) }
}

fn between(rng: &mut Rng, (low, high): (u64, u64)) -> u64 {
    low + rng.below(high - low + 1)
}

/// The faults that are to be dealt before all of them are shuffled again.
struct Deck {
    faults: usize,
    cards: Vec<usize>,
}

impl Deck {
    fn deal(&mut self, rng: &mut Rng) -> usize {
        if self.cards.is_empty() {
            // Ordered by random numbers, ties by themselves: a shuffle.
            let shuffled: BTreeMap<(u64, usize), ()> =
                (0..self.faults).map(|card| ((rng.next_u64(), card), ())).collect();
            self.cards = shuffled.into_keys().map(|(_, card)| card).collect();
        }
        self.cards.pop().unwrap_or(0)
    }

    /// A fault other than `taken`, which was dealt just now.
    fn deal_other(&mut self, rng: &mut Rng, taken: usize) -> usize {
        let card = self.deal(rng);
        if card != taken {
            return card;
        }
        // The first of a new deck is the last of the one before: the next one goes before it.
        let other = self.deal(rng);
        self.cards.push(card);
        other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_AN_HOUR_MS: u64 = 30 * 60_000;

    #[test]
    fn the_same_seed_gives_the_same_schedule() {
        for seed in 0..50 {
            assert_eq!(schedule(seed, HALF_AN_HOUR_MS, 17), schedule(seed, HALF_AN_HOUR_MS, 17));
        }
        assert_ne!(schedule(1, HALF_AN_HOUR_MS, 17), schedule(2, HALF_AN_HOUR_MS, 17));
    }

    #[test]
    fn a_schedule_is_written_down() {
        let rounds = schedule(7, 60_000, 5);
        let short: Vec<String> = rounds
            .iter()
            .map(|round| {
                let strikes: Vec<String> =
                    round.strikes.iter().map(|s| format!("{}+{}:{}", s.fault, s.after_ms, s.hold_ms)).collect();
                format!("{} {}", round.at_ms, strikes.join(" "))
            })
            .collect();
        // A change of the generator changes what every recorded seed means: then say so, and write the new one down.
        assert_eq!(short, WRITTEN);
    }

    const WRITTEN: [&str; 5] = [
        "3000 2+0:4008",
        "12390 3+0:2280 4+1590:6366",
        "23533 0+0:6479",
        "35421 1+0:778 0+533:2488",
        "43255 1+0:8327 4+977:6819",
    ];

    #[test]
    fn every_fault_comes_before_any_comes_again() {
        for seed in 0..200 {
            let rounds = schedule(seed, HALF_AN_HOUR_MS, 17);
            let order: Vec<usize> = rounds.iter().flat_map(|round| &round.strikes).map(|strike| strike.fault).collect();
            let mut first: Vec<usize> = order.iter().copied().take(17).collect();
            first.sort_unstable();
            assert_eq!(first, (0..17).collect::<Vec<_>>(), "seed {seed}");
        }
    }

    #[test]
    fn rounds_follow_each_other_and_pairs_overlap() {
        for seed in 0..200 {
            let rounds = schedule(seed, HALF_AN_HOUR_MS, 9);
            let mut free_ms = FIRST_MS;
            for round in &rounds {
                assert!(round.at_ms >= free_ms && round.at_ms + LAST_MS < HALF_AN_HOUR_MS);
                free_ms = round.at_ms + round.strikes.iter().map(|s| s.after_ms + s.hold_ms).max().unwrap();
                if let [first, second] = round.strikes.as_slice() {
                    assert!(first.fault != second.fault && second.after_ms < first.hold_ms, "seed {seed}");
                }
            }
            assert!(rounds.iter().any(|round| round.strikes.len() == 2));
        }
    }

    #[test]
    fn there_is_nothing_to_schedule_without_faults_or_time() {
        assert!(schedule(1, HALF_AN_HOUR_MS, 0).is_empty());
        assert!(schedule(1, 5_000, 3).is_empty());
        assert!(schedule(1, 60_000, 1).iter().all(|round| round.strikes.len() == 1));
    }
}
