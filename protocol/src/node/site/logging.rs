//! A leader's log: what changes in its state, for followers that keep one of their own.
//!
//! Entries are rows as they are, not changes: what is said twice does no harm, and several changes of a row are one. Names
//! are gathered for a moment, then all their rows are read at once, so that progress and averages of an entry fit each other.

use super::peers::Route;
use super::pieces::pieces;
use super::{SiteEffect, SiteNode};
use crate::directive::Directive;
use crate::ids::{AgentId, Name, StreamId};
use crate::store::{
    AgentStatus, Bills, Commit, DecisionRecord, DecisionRow, Export, Fold, Latest, Owner, Page, Rows, StatusRow,
    StoreCommand, StoreFault,
};
use crate::time::{Monotonic, Wall};
use crate::topic::Peer;
use crate::window::Scope;
use crate::wire::{Ask, Log, LogPlace, Message, PageOf};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How long changes gather. What was acknowledged within it and is not in a follower's averages is the price of a crash.
const GATHER: Duration = Duration::from_millis(100);
/// More names than this are not gathered: the followers begin anew.
const NAMES_MAX: usize = 50_000;
/// A follower that was not heard for this long is none.
const FOLLOWS_FOR: Duration = Duration::from_secs(3);
/// The most commits with bills that wait apart for a follower: the oldest is then waited for with the next.
const BILLED_MAX: usize = 1024;
/// A follower that has missed something asks for all rows again. Bills wait for it so long; one that needs longer is none.
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(10);
/// Questions for pages that wait: one of each follower.
const ASKS_MAX: usize = 16;

/// The name of a window.
type WindowKey = (Scope, &'static str, &'static str, u32, Wall);

/// One that follows.
#[derive(Debug)]
struct Follower {
    route: Route,
    heard: Monotonic,
    /// It knows all.
    in_step: bool,
    /// When it last did.
    kept_up: Option<Monotonic>,
}

impl Follower {
    fn is_alive(&self, now: Monotonic) -> bool {
        now.since(self.heard) < FOLLOWS_FOR
    }

    /// It keeps the ledger, or is about to again.
    fn stands_by(&self, now: Monotonic) -> bool {
        self.is_alive(now) && self.kept_up.is_some_and(|kept_up| now.since(kept_up) < CATCHES_UP_WITHIN)
    }
}

/// What is being read.
#[derive(Debug)]
enum Reading {
    /// Rows that changed.
    Entry,
    /// A page, for this one at this broker, after this place.
    Page { to: Name, broker: usize, after: Option<String> },
}

/// The log.
#[derive(Debug)]
pub(super) struct LogWriter {
    pub(super) place: LogPlace,
    streams: BTreeSet<(AgentId, StreamId)>,
    windows: BTreeMap<WindowKey, Fold>,
    decisions: BTreeMap<(AgentId, String), DecisionRecord>,
    directives: BTreeMap<u64, Directive>,
    statuses: BTreeMap<AgentId, AgentStatus>,
    latest: BTreeMap<(Owner, String, String), Latest>,
    bills: Bills,
    /// Commits with bills or directives, each with the entry that says them, until a follower keeps that.
    pub(super) billed: VecDeque<(u64, u64)>,
    /// Since when something waits.
    due: Option<Monotonic>,
    reading: Option<Reading>,
    asks: VecDeque<(Name, usize, Option<String>)>,
    followers: BTreeMap<Name, Follower>,
}

impl LogWriter {
    pub(super) fn new(lead: u64) -> Self {
        Self {
            place: LogPlace { lead, number: 0 },
            streams: BTreeSet::new(),
            windows: BTreeMap::new(),
            decisions: BTreeMap::new(),
            directives: BTreeMap::new(),
            statuses: BTreeMap::new(),
            latest: BTreeMap::new(),
            bills: Bills::default(),
            billed: VecDeque::new(),
            due: None,
            reading: None,
            asks: VecDeque::new(),
            followers: BTreeMap::new(),
        }
    }

    pub(super) const fn place(&self) -> LogPlace {
        self.place
    }

    pub(super) fn is_at_rest(&self) -> bool {
        self.names() == 0 && self.reading.is_none()
    }

    pub(super) fn poll_timeout(&self) -> Option<Monotonic> {
        self.due.filter(|_| self.reading.is_none())
    }

    pub(super) fn heard(&mut self, broker: usize, from: &Name, in_step: bool, now: Monotonic) {
        if let Some(follower) = self.followers.get_mut(from) {
            follower.route.heard(broker, now);
            (follower.heard, follower.in_step) = (now, in_step);
            if in_step {
                follower.kept_up = Some(now);
            }
            return;
        }
        self.followers.retain(|_, follower| follower.is_alive(now));
        if self.followers.len() < ASKS_MAX {
            let route = Route::new(broker, now);
            self.followers
                .insert(from.clone(), Follower { route, heard: now, in_step, kept_up: in_step.then_some(now) });
        }
    }

    pub(super) fn in_step(&self, now: Monotonic) -> usize {
        self.followers.values().filter(|follower| follower.in_step && follower.is_alive(now)).count()
    }

    pub(super) fn standbys(&self, now: Monotonic) -> usize {
        self.followers.values().filter(|follower| follower.stands_by(now)).count()
    }

    fn names(&self) -> usize {
        self.streams.len()
            + self.windows.len()
            + self.decisions.len()
            + self.directives.len()
            + self.statuses.len()
            + self.latest.len()
            + self.bills.stays.len()
            + self.bills.clarifications.len()
    }

    /// Notes what a commit has changed.
    pub(super) fn committed(&mut self, commit: &Commit) {
        self.name_rows(commit);
        for record in &commit.decisions {
            let register = (record.agent.clone(), record.decision.key.clone());
            let newest = self.decisions.entry(register).or_insert_with(|| record.clone());
            // A commit names a decision before the one that it replaces: followers end that one by themselves.
            if record.decision.order() >= newest.decision.order() {
                newest.clone_from(record);
            }
        }
        self.directives.extend(commit.directives.iter().map(|directive| (directive.id, directive.clone())));
        for status in &commit.statuses {
            self.statuses.insert(status.agent.clone(), status.clone());
        }
        for row in &commit.latest {
            self.latest.insert((row.owner.clone(), row.kind.clone(), row.sensor.clone()), row.clone());
        }
        self.bills.append(commit.bills.clone());
        if !commit.bills.is_empty() || !commit.directives.is_empty() {
            // Rows that are being read may be older than this commit: then the entry after them says it.
            let entry = self.place.number + if self.reads_entry() { 2 } else { 1 };
            self.billed.push_back((commit.id, entry));
            if self.billed.len() > BILLED_MAX {
                self.billed.pop_front();
            }
        }
        if self.names() > NAMES_MAX {
            self.skip();
        }
    }

    fn name_rows(&mut self, commit: &Commit) {
        let streams = commit.progress.iter().map(|change| (change.agent.clone(), change.stream));
        self.streams.extend(streams);
        for fold in &commit.folds {
            let key = (fold.scope.clone(), fold.kind, fold.field, fold.width_s, fold.start);
            self.windows.entry(key).or_insert_with(|| fold.clone());
        }
    }

    /// What waits will not be said. The number that is left out tells the followers that they have missed something.
    fn skip(&mut self) {
        self.place.number += 1;
        self.streams.clear();
        self.windows.clear();
        self.decisions.clear();
        self.directives.clear();
        self.statuses.clear();
        self.latest.clear();
        self.bills = Bills::default();
        self.due = None;
    }

    const fn reads_entry(&self) -> bool {
        matches!(self.reading, Some(Reading::Entry))
    }

    /// What to read next.
    ///
    /// The rows are read after the commit `asked` that is at the store: an entry that had some of its rows and lacked others
    /// would count its readings twice, or never, in the averages of one that takes over.
    fn poll_export(&mut self, asked: Option<&Commit>, now: Monotonic) -> Option<Export> {
        if self.names() > 0 && !self.followers.values().any(|follower| follower.is_alive(now)) {
            self.skip();
        }
        if self.reading.is_some() {
            return None;
        }
        if self.names() > 0 && *self.due.get_or_insert(now + GATHER) <= now {
            self.due = None;
            asked.into_iter().for_each(|commit| self.name_rows(commit));
            self.reading = Some(Reading::Entry);
            let streams = std::mem::take(&mut self.streams).into_iter().collect();
            let windows = std::mem::take(&mut self.windows).into_values().collect();
            return Some(Export::Named { streams, windows });
        }
        let (to, broker, after) = self.asks.pop_front()?;
        self.reading = Some(Reading::Page { to, broker, after: after.clone() });
        Some(Export::Page { after })
    }

    /// Rows were read: the messages that say them, and through which brokers.
    fn read(&mut self, result: Result<Page, StoreFault>) -> Vec<(usize, Log)> {
        match (self.reading.take(), result) {
            (Some(Reading::Entry), Ok(page)) => self.entry(page.rows),
            (Some(Reading::Page { to, broker, after }), Ok(page)) => {
                let of = PageOf { to, after, next: page.next };
                let waits = !self.billed.is_empty();
                vec![(broker, Log { place: self.place, part: 0, parts: 1, waits, page: Some(of), rows: page.rows })]
            }
            // They will ask again.
            (Some(Reading::Page { .. }) | None, Err(_)) | (None, Ok(_)) => Vec::new(),
            (Some(Reading::Entry), Err(_)) => {
                self.skip();
                Vec::new()
            }
        }
    }

    fn entry(&mut self, mut rows: Rows) -> Vec<(usize, Log)> {
        // Read after the commits that changed them: as new as the rows.
        rows.decisions = std::mem::take(&mut self.decisions).values().map(DecisionRow::new).collect();
        rows.directives = std::mem::take(&mut self.directives).into_values().collect();
        rows.statuses = std::mem::take(&mut self.statuses).values().map(StatusRow::new).collect();
        rows.latest = std::mem::take(&mut self.latest).into_values().collect();
        let bills = std::mem::take(&mut self.bills);
        let waits = !bills.is_empty() || !rows.directives.is_empty();
        (rows.stays, rows.clarifications) = (bills.stays, bills.clarifications);
        self.place.number += 1;
        let brokers: BTreeSet<usize> = self.followers.values().map(|follower| follower.route.broker).collect();
        let pieces = pieces(rows);
        let (place, parts) = (self.place, u32::try_from(pieces.len()).unwrap_or(u32::MAX));
        let mut messages = Vec::new();
        for broker in brokers {
            for (rows, part) in pieces.iter().zip(0..) {
                messages.push((broker, Log { place, part, parts, waits, page: None, rows: rows.clone() }));
            }
        }
        messages
    }
}

impl SiteNode {
    /// A follower wants a page.
    pub(super) fn asked(&mut self, broker: usize, from: Name, ask: Ask) {
        let Some(log) = self.lead.as_mut().and_then(|lead| lead.log.as_mut()) else { return };
        if ask.lead == log.place.lead && log.asks.len() < ASKS_MAX {
            log.asks.retain(|(of, ..)| *of != from);
            log.asks.push_back((from, broker, ask.after));
        }
    }

    pub(super) fn write_log(&mut self, now: Monotonic) {
        let Some(lead) = &mut self.lead else { return };
        let export = lead.log.as_mut().and_then(|log| log.poll_export(lead.asked.as_deref(), now));
        if let Some(export) = export {
            self.effects.push_back(SiteEffect::Store(StoreCommand::Export(export)));
        }
    }

    pub(super) fn exported(&mut self, result: Result<Page, StoreFault>) {
        let Some(log) = self.lead.as_mut().and_then(|lead| lead.log.as_mut()) else { return };
        for (broker, message) in log.read(result) {
            self.publish(broker, Peer::Log, message.encode());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Term;
    use crate::store::Fate;
    use crate::wire::Decision;

    fn limit(seq: u64, fate: Fate) -> DecisionRecord {
        let agent = AgentId { region: Name::new("a7").unwrap(), agent: Name::new("lane-1").unwrap() };
        let term = Term { counter: 1, ingester: Name::new("a").unwrap() };
        let (key, body, decided) = ("limit".to_owned(), serde_json::json!({}), Wall::from_us(1));
        let decision = Decision { key, term, seq, decided_us: 1, ttl_ms: 60_000, body };
        DecisionRecord { agent, decision, decided, fate, reason: None }
    }

    #[test]
    fn a_decision_is_said_and_not_the_one_that_it_replaces() {
        let mut log = LogWriter::new(1);
        let said = |log: &LogWriter| {
            log.decisions.values().map(|record| (record.decision.seq, record.fate)).collect::<Vec<_>>()
        };
        let decisions = vec![limit(2, Fate::Outstanding), limit(1, Fate::Replaced)];
        log.committed(&Commit { decisions, ..Commit::default() });
        assert_eq!(said(&log), [(2, Fate::Outstanding)]);
        log.committed(&Commit { decisions: vec![limit(2, Fate::Expired)], ..Commit::default() });
        assert_eq!(said(&log), [(2, Fate::Expired)], "what became of it");
    }
}
