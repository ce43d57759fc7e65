//! Which broker of an ordered list an agent uses: when it leaves one whose ingester is silent, and when it returns to the first.
//!
//! The link below walks the list by itself when a connection fails. This machine decides what a connection that stands does not
//! show: nobody answers behind it. It knows no clock and no network: it is told what happens, and says where to go.
//!
//! Silence counts only while the agent waits for an answer. A slow ingester says so (`busy`, `store_down`), and is not silent.

use crate::rng::Rng;
use crate::time::Monotonic;
use std::fmt;
use std::time::Duration;

/// How long an ingester may be silent by default: it repeats itself within 2 s, so that five of its words must be missing.
pub const FAILOVER_AFTER: Duration = Duration::from_secs(10);
/// The shortest patience: below it one word that comes late, or is lost, would be a silence.
pub const FAILOVER_AFTER_MIN: Duration = Duration::from_secs(3);
/// The longest: whoever wants to wait longer wants no failover.
pub const FAILOVER_AFTER_MAX: Duration = Duration::from_secs(3600);
/// The shortest time at a backup before a return: each return is a gap of service if the first broker is not well.
pub const PREFER_PRIMARY_AFTER_MIN: Duration = Duration::from_secs(10);
/// The longest.
pub const PREFER_PRIMARY_AFTER_MAX: Duration = Duration::from_secs(30 * 86_400);

/// A round over the list in vain doubles the stay at each broker, so often: four times as long at most, so that the one that
/// comes to life is found while somebody still remembers why.
const STAY_DOUBLINGS_MAX: u32 = 2;
/// A return in vain doubles the time to the next, so often: sixteen times as long at most.
const RETURN_DOUBLINGS_MAX: u32 = 4;
/// A broker at which an agent was well for so many stays is a good one, and what was tried before it is forgotten.
const GOOD_STAYS: u32 = 3;
/// Drawn for each connection: this part of a patience, so that a fleet does not move in one moment.
const PATIENCE_JITTER_PART: u64 = 8;
/// Drawn for each connection to a backup: this part of the time to a return.
const RETURN_JITTER_PART: u64 = 4;
/// Whoever looks at the clock so much later than it wanted to has slept itself, and what was said meanwhile is not read yet.
const OVERSLEPT: Duration = Duration::from_secs(1);

/// What the machine is told at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailoverConfig {
    /// Brokers in the list, at least 1. With one there is nowhere to go.
    pub brokers: usize,
    /// How long an ingester may be silent while the agent waits for an answer, and the shortest stay at a broker.
    /// [`FAILOVER_AFTER_MIN`] to [`FAILOVER_AFTER_MAX`], default [`FAILOVER_AFTER`].
    pub failover_after: Duration,
    /// After how long at a good backup to return to the first broker; none: never, which is the default.
    /// [`PREFER_PRIMARY_AFTER_MIN`] to [`PREFER_PRIMARY_AFTER_MAX`].
    pub prefer_primary_after: Option<Duration>,
}

/// Why to leave a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveReason {
    /// The ingester behind it did not answer for this long.
    Silent(Duration),
    /// It is a backup, and was well for this long: back to the first.
    PreferPrimary(Duration),
}

/// Where to go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// The broker's place in the list, from 0.
    pub broker: usize,
    /// Why.
    pub reason: MoveReason,
}

/// The machine.
#[derive(Debug, Clone)]
pub struct Failover {
    config: FailoverConfig,
    rng: Rng,
    visit: Option<Visit>,
    moves: u64,
    /// Moves for silence since an agent was last well somewhere.
    silent_moves: u32,
    /// The first broker was asked for, and was not good yet.
    returning: bool,
    failed_returns: u32,
}

/// A connection to one broker.
#[derive(Debug, Clone)]
struct Visit {
    broker: usize,
    since: Monotonic,
    /// How long its ingester may be silent.
    patience: Duration,
    /// How long to stay at least.
    stay: Duration,
    /// When to return to the first broker, if it is not the first.
    return_at: Option<Monotonic>,
    waiting_since: Option<Monotonic>,
    heard: Option<Monotonic>,
    /// Silence counts from here at the earliest, because this agent has overslept. Once until a word comes.
    excused: Option<Monotonic>,
    /// It was said where to go; the connection is to end.
    left: bool,
}

impl Failover {
    /// Nothing connected yet. `seed` is for jitter.
    #[must_use]
    pub const fn new(config: FailoverConfig, seed: u64) -> Self {
        Self {
            config,
            rng: Rng::new(seed ^ 0x4641_494C_4F56_4552),
            visit: None,
            moves: 0,
            silent_moves: 0,
            returning: false,
            failed_returns: 0,
        }
    }

    /// The agent is connected to the broker at this place in the list, from 0.
    pub fn connected(&mut self, broker: usize, now: Monotonic) {
        if self.returning && broker != 0 {
            self.returning = false;
            self.failed_returns = self.failed_returns.saturating_add(1);
        }
        let patience = self.longer_by_chance(self.config.failover_after, PATIENCE_JITTER_PART);
        let stay = patience * (1 << self.rounds().min(STAY_DOUBLINGS_MAX));
        let return_at = self.return_after().filter(|_| broker != 0);
        let return_at = return_at.map(|after| now + self.longer_by_chance(after.max(stay), RETURN_JITTER_PART));
        self.visit = Some(Visit {
            broker,
            since: now,
            patience,
            stay,
            return_at,
            waiting_since: None,
            heard: None,
            excused: None,
            left: false,
        });
    }

    /// The connection is gone; the link finds another.
    pub fn disconnected(&mut self, now: Monotonic) {
        self.look_back(now);
        self.visit = None;
    }

    /// The ingester said something to this agent that makes sense, whatever it was.
    pub fn heard(&mut self, now: Monotonic) {
        if let Some(visit) = &mut self.visit {
            visit.heard = Some(now);
            visit.excused = None;
        }
        self.look_back(now);
    }

    /// Whether the agent waits for an answer now. To be told after each input.
    pub fn waits(&mut self, waits: bool, now: Monotonic) {
        if let Some(visit) = &mut self.visit {
            visit.waiting_since = waits.then(|| visit.waiting_since.unwrap_or(now));
        }
    }

    /// Where to go, if it is time to leave. Said once for each connection.
    pub fn poll_move(&mut self, now: Monotonic) -> Option<Move> {
        self.look_back(now);
        let found = self.silence(now).or_else(|| self.preference(now))?;
        self.visit.as_mut()?.left = true;
        self.moves += 1;
        match found.reason {
            MoveReason::Silent(_) => self.silent_moves = self.silent_moves.saturating_add(1),
            MoveReason::PreferPrimary(_) => self.returning = true,
        }
        Some(found)
    }

    /// When [`Failover::poll_move`] may have something to say, if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Monotonic> {
        let visit = self.visit.as_ref().filter(|visit| !visit.left && self.has_choice())?;
        // While nobody answers there is no return; the next word is an input, after which this is asked for again.
        [visit.patience_ends(), visit.may_return()].into_iter().flatten().min()
    }

    /// The broker that the agent is connected to: its place in the list, from 0.
    #[must_use]
    pub fn broker(&self) -> Option<usize> {
        self.visit.as_ref().map(|visit| visit.broker)
    }

    /// How often a broker was left that was connected, since the start.
    #[must_use]
    pub const fn moves(&self) -> u64 {
        self.moves
    }

    fn silence(&mut self, now: Monotonic) -> Option<Move> {
        let brokers = self.config.brokers;
        let has_choice = self.has_choice();
        let visit = self.visit.as_mut().filter(|visit| !visit.left && has_choice)?;
        let ends = visit.patience_ends().filter(|ends| *ends <= now)?;
        if now.since(ends) > OVERSLEPT && visit.excused.is_none() {
            visit.excused = Some(now);
            return None;
        }
        let silent = visit.counts_from().map_or(Duration::ZERO, |from| now.since(from));
        Some(Move { broker: (visit.broker + 1) % brokers, reason: MoveReason::Silent(silent) })
    }

    fn preference(&self, now: Monotonic) -> Option<Move> {
        let visit = self.visit.as_ref().filter(|visit| !visit.left && self.has_choice())?;
        visit.may_return().filter(|at| *at <= now)?;
        Some(Move { broker: 0, reason: MoveReason::PreferPrimary(now.since(visit.since)) })
    }

    /// Forgets what was tried in vain, once this broker has shown itself good.
    fn look_back(&mut self, now: Monotonic) {
        let Some(visit) = &self.visit else { return };
        if visit.heard.is_none() || !visit.is_well(now) {
            return;
        }
        let lasted = now.since(visit.since);
        if lasted >= visit.stay * GOOD_STAYS {
            self.silent_moves = 0;
        }
        if visit.broker == 0 && self.config.prefer_primary_after.is_some_and(|after| lasted >= after) {
            self.returning = false;
            self.failed_returns = 0;
        }
    }

    const fn has_choice(&self) -> bool {
        self.config.brokers > 1
    }

    /// Rounds over the whole list in vain.
    fn rounds(&self) -> u32 {
        self.silent_moves / u32::try_from(self.config.brokers).unwrap_or(u32::MAX).max(1)
    }

    fn return_after(&self) -> Option<Duration> {
        let doublings = self.failed_returns.min(RETURN_DOUBLINGS_MAX);
        Some((self.config.prefer_primary_after? * (1 << doublings)).min(PREFER_PRIMARY_AFTER_MAX))
    }

    fn longer_by_chance(&mut self, time: Duration, part: u64) -> Duration {
        let most = u64::try_from(time.as_micros()).unwrap_or(u64::MAX) / part;
        time + Duration::from_micros(self.rng.below(most))
    }
}

impl Visit {
    /// Since when the ingester is silent, while it is waited for.
    fn counts_from(&self) -> Option<Monotonic> {
        let waiting = self.waiting_since?;
        [Some(waiting), self.heard, self.excused].into_iter().flatten().max()
    }

    fn patience_ends(&self) -> Option<Monotonic> {
        self.counts_from().map(|from| (from + self.patience).max(self.since + self.stay))
    }

    /// When to return to the first broker, as far as is known now.
    fn may_return(&self) -> Option<Monotonic> {
        self.return_at.filter(|at| self.heard.is_some() && self.is_well(*at))
    }

    /// False once half of the patience is over.
    fn is_well(&self, now: Monotonic) -> bool {
        self.counts_from().is_none_or(|from| now.since(from) < self.patience / 2)
    }
}

impl fmt::Display for MoveReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(time) => write!(f, "no word from an ingester for {:.1} s", time.as_secs_f64()),
            Self::PreferPrimary(time) => {
                write!(f, "the first broker is preferred, after {} s at a backup", time.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests;
