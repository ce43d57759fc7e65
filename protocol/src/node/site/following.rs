//! Following a leader's log: first all rows, page by page, and from the first page on every entry.
//!
//! Pages and entries come on one topic, in the order in which the leader read them. A row of a later message is never older.

use super::peers::Route;
use super::{Keeping, SiteEffect, SiteNode};
use crate::ids::Name;
use crate::store::{Rows, StoreCommand, StoreFault};
use crate::time::Monotonic;
use crate::topic::Peer;
use crate::wire::{Ask, Beat, Log, LogPlace, Message, PageOf};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How long a page may take before it is asked for again, and a failed follower waits before it begins anew.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// Entries that wait for the state. More: it is too slow, and begins anew.
const ADOPTING_MAX: usize = 64;
/// A leader that was not heard for this long is no more followed: nobody knows how far behind one is.
const FRESH_FOR: Duration = Duration::from_secs(3);

/// The leader whose log is followed.
#[derive(Debug)]
struct Leader {
    name: Name,
    route: Route,
    heard: Monotonic,
    /// Its log; none: there is one state for all.
    log: Option<LogPlace>,
}

/// How far one is.
#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// All rows are wanted, those after this place next; asked for at that time.
    Fetching { after: Option<String>, ask: Monotonic },
    /// All is known up to the entry before the expected one.
    #[default]
    InStep,
}

/// What a state has with certain rows.
#[derive(Debug, Clone, Copy)]
struct Reached {
    place: LogPlace,
    /// They are the last page.
    last_page: bool,
}

/// A follower.
#[derive(Debug, Default)]
pub(super) struct Following {
    leader: Option<Leader>,
    stage: Stage,
    /// The next entry; none before the first page.
    expected: Option<u64>,
    /// The parts of the expected entry that are here.
    parts: (u32, Rows),
    /// To be given to the state, each with the place that it brings it to.
    rows: VecDeque<(Reached, Rows)>,
    /// What the state was given and has not answered.
    adopting: VecDeque<Reached>,
    /// How much of the leader's log the state has.
    keeps: Option<LogPlace>,
    /// It has the last page too: nothing before that place is missing.
    whole: bool,
    /// The leader waits to hear of it.
    waited_for: bool,
}

impl Following {
    /// True when one could take over without loss.
    pub(super) fn in_step(&self, now: Monotonic) -> bool {
        self.leader.as_ref().is_some_and(|leader| now.since(leader.heard) < FRESH_FOR) && self.stage == Stage::InStep
    }

    /// This one leads itself now.
    pub(super) fn ends(&mut self) {
        *self = Self { adopting: std::mem::take(&mut self.adopting), ..Self::default() };
    }

    pub(super) fn heard_leader(&mut self, broker: usize, from: &Name, beat: &Beat, keeping: Keeping, now: Monotonic) {
        let log = beat.log.filter(|_| keeping == Keeping::Apart);
        let lead = |place: &Option<LogPlace>| place.map(|place| place.lead);
        let known = self.leader.take().filter(|leader| leader.name == *from && lead(&leader.log) == lead(&log));
        let mut route = known.as_ref().map_or(Route::new(broker, now), |leader| leader.route);
        route.heard(broker, now);
        // An entry that was said before the beat before, and should have come before this one.
        let missed = known.as_ref().and_then(|leader| leader.log).zip(self.expected);
        let missed = missed.is_some_and(|(place, expected)| place.number >= expected);
        let same = known.is_some();
        self.leader = Some(Leader { name: from.clone(), route, heard: now, log });
        match log {
            None => self.stage = Stage::InStep,
            Some(_) if !same || missed => self.begin(now),
            Some(_) => {}
        }
    }

    /// Everything anew, from `at` on.
    fn begin(&mut self, at: Monotonic) {
        (self.keeps, self.whole) = (None, false);
        self.stage = Stage::Fetching { after: None, ask: at };
        self.expected = None;
        self.parts = (0, Rows::default());
    }

    pub(super) fn heard(&mut self, from: &Name, message: Log, now: Monotonic) {
        let Some(leader) = &self.leader else { return };
        if leader.name != *from || leader.log.is_none_or(|log| log.lead != message.place.lead) {
            return;
        }
        match message.page.clone() {
            Some(page) => self.heard_page(page, message, now),
            None => self.heard_entry(message, now),
        }
    }

    fn heard_page(&mut self, page: PageOf, message: Log, now: Monotonic) {
        let wanted = matches!(&self.stage, Stage::Fetching { after, .. } if *after == page.after);
        if !wanted {
            return;
        }
        self.expected.get_or_insert(message.place.number + 1);
        let reached = Reached { place: message.place, last_page: page.next.is_none() };
        self.rows.push_back((reached, message.rows));
        self.waited_for |= message.waits;
        self.stage = match page.next {
            Some(next) => Stage::Fetching { after: Some(next), ask: now },
            None => Stage::InStep,
        };
    }

    fn heard_entry(&mut self, message: Log, now: Monotonic) {
        let Some(expected) = self.expected else { return };
        let (next_part, _) = self.parts;
        if message.place.number < expected || (message.place.number == expected && message.part < next_part) {
            return;
        }
        if message.place.number > expected
            || message.part > next_part
            || self.rows.len() + self.adopting.len() > ADOPTING_MAX
        {
            return self.begin(now);
        }
        self.parts.1.extend(message.rows);
        self.parts.0 += 1;
        if self.parts.0 >= message.parts {
            let reached = Reached { place: message.place, last_page: false };
            self.rows.push_back((reached, std::mem::take(&mut self.parts).1));
            self.waited_for |= message.waits;
            self.expected = Some(expected + 1);
        }
    }

    /// The state has answered. True when the leader waits to hear of it.
    pub(super) fn adopted(&mut self, result: &Result<(), StoreFault>, now: Monotonic) -> bool {
        let Some(reached) = self.adopting.pop_front() else { return false };
        if result.is_err() && self.leader.is_some() {
            self.begin(now + ASK_EVERY);
            return false;
        }
        self.keeps = Some(reached.place);
        self.whole |= reached.last_page;
        std::mem::take(&mut self.waited_for)
    }

    /// How much of the leader's log is kept here; none while rows before it are missing.
    pub(super) fn keeps(&self) -> Option<LogPlace> {
        self.keeps.filter(|_| self.whole)
    }

    /// The page to ask for now: of which lead, after which place, through which broker.
    fn poll_ask(&mut self, now: Monotonic) -> Option<(usize, Ask)> {
        let leader = self.leader.as_ref()?;
        let lead = leader.log?.lead;
        let Stage::Fetching { after, ask } = &mut self.stage else { return None };
        if *ask > now || self.rows.len() + self.adopting.len() > ADOPTING_MAX {
            return None;
        }
        *ask = now + ASK_EVERY;
        Some((leader.route.broker, Ask { lead, after: after.clone() }))
    }

    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        match &self.stage {
            Stage::Fetching { ask, .. }
                if self.leader.is_some() && self.rows.len() + self.adopting.len() <= ADOPTING_MAX =>
            {
                Some(*ask)
            }
            Stage::Fetching { .. } | Stage::InStep => None,
        }
    }
}

impl SiteNode {
    /// Gives the state what has come.
    pub(super) fn adopt_rows(&mut self) {
        while let Some((reached, rows)) = self.following.rows.pop_front() {
            // Also where there is none: they say the leader's term.
            self.following.adopting.push_back(reached);
            self.effects.push_back(SiteEffect::Store(StoreCommand::Adopt(Arc::new(rows))));
        }
    }

    pub(super) fn ask_leader(&mut self, now: Monotonic) {
        if self.lead.is_some() {
            return;
        }
        if let Some((broker, ask)) = self.following.poll_ask(now) {
            self.publish(broker, Peer::Ask, ask.encode());
        }
    }
}
