//! Configurations that agents try: kept on disk before they are applied, good only when an ingester was heard, gone otherwise.

use super::checks::{Check, Violation, require};
use super::coverage::Coverage;
use super::options::SECOND_US;
use fogline_protocol::directive::directive_of;
use fogline_protocol::ids::{AgentId, Seq, Term};
use fogline_protocol::queue::SavedDecision;
use fogline_protocol::sensing::{KEY, Sensing};
use fogline_protocol::store::{DecisionRecord, Fate};
use fogline_protocol::trial::{Phase, STARTS_MAX};
use fogline_protocol::wire::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How much longer than its time a trial may last: the disk is busy, and the device's clock runs apart.
const SLACK_US: u64 = 2 * SECOND_US;

/// What a queue file keeps of the newest configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Record {
    phase: Phase,
    set: Sensing,
    good: Sensing,
    directive: Option<u64>,
}

/// What an agent works with, and has not heard an ingester with yet.
#[derive(Debug, Clone, Copy)]
struct Tried {
    since_us: u64,
    /// The first hello that was said after it was applied.
    asked: Option<u64>,
    heard: bool,
}

/// The books of one agent.
#[derive(Debug, Default)]
struct Book {
    /// What is on disk.
    kept: Option<Record>,
    /// What the disk was asked to keep.
    asked: Option<Record>,
    in_force: Sensing,
    tried: Option<Tried>,
    /// The directive that is tried, and how often it was applied.
    tries: (Option<u64>, u32),
}

/// The books of all trials.
#[derive(Debug, Default)]
pub struct Trials {
    books: BTreeMap<usize, Book>,
    /// What agents were about to answer: of which decision, and what.
    ended: BTreeSet<(usize, Term, Seq, bool)>,
}

fn record(saved: &SavedDecision) -> Result<Record, Violation> {
    let body = &saved.decision.body;
    let part = |name: &str| body.get(name).cloned().unwrap_or_default();
    let unreadable = |what: &str| Violation::new(format!("UNREADABLE: {what} in what is kept of a trial: {body}"));
    Ok(Record {
        phase: serde_json::from_value(part("phase")).map_err(|_| unreadable("phase"))?,
        set: Sensing::parse(&part("set")).map_err(|_| unreadable("set"))?,
        good: Sensing::parse(&part("good")).map_err(|_| unreadable("good"))?,
        directive: directive_of(body),
    })
}

impl Trials {
    /// An agent opens its queue, and finds these decisions in it.
    ///
    /// # Errors
    /// What is kept cannot be read.
    pub fn opened(&mut self, agent: usize, saved: &[SavedDecision], exchanged: bool) -> Check {
        let kept = saved.iter().find(|saved| saved.decision.key == KEY).map(record).transpose()?;
        let book = self.books.entry(agent).or_default();
        let tried = kept.filter(|kept| kept.phase == Phase::Trying).and_then(|kept| kept.directive);
        let times = if book.tries.0 == tried && !exchanged { book.tries.1 } else { 0 };
        *book = Book { kept, tries: (tried, times), ..Book::default() };
        Ok(())
    }

    /// The disk is asked to keep something.
    ///
    /// # Errors
    /// A configuration is to be kept as good with which nobody was heard.
    pub fn asks(&mut self, agent: usize, saved: &SavedDecision) -> Check {
        if saved.decision.key != KEY {
            return Ok(());
        }
        let asked = record(saved)?;
        let book = self.books.entry(agent).or_default();
        let tried = book.kept.filter(|kept| kept.phase == Phase::Trying && kept.set == asked.set);
        let passes = asked.phase == Phase::Good && tried.is_some_and(|tried| tried.directive == asked.directive);
        let heard = book.tried.is_some_and(|tried| tried.heard);
        require(!passes || heard, || format!("KEPT UNHEARD: agent {agent} keeps {asked:?}, and heard nobody with it"))?;
        book.asked = Some(asked);
        if asked.phase != Phase::Trying {
            let (term, seq) = (saved.decision.term.clone(), saved.decision.seq);
            self.ended.insert((agent, term, seq, asked.phase == Phase::Good));
        }
        Ok(())
    }

    /// The disk has kept what it was asked to.
    pub fn kept(&mut self, agent: usize, key: &str, coverage: &mut Coverage) {
        let book = self.books.entry(agent).or_default();
        let Some(asked) = book.asked.take_if(|_| key == KEY) else { return };
        if asked.phase == Phase::Trying && book.tries.0 != asked.directive {
            book.tries = (asked.directive, 0);
        }
        if asked.phase != Phase::Trying {
            book.tried = None;
        }
        book.kept = Some(asked);
        coverage.count(match asked.phase {
            Phase::Trying => "configuration tried",
            Phase::Good => "configuration kept",
            Phase::RolledBack => "configuration rolled back",
        });
    }

    /// The disk has failed.
    pub fn not_kept(&mut self, agent: usize) {
        self.books.entry(agent).or_default().asked = None;
    }

    /// An agent works with this from now on.
    ///
    /// # Errors
    /// It is not on disk that it does, or that was tried too often already.
    pub fn applied(&mut self, agent: usize, sensing: Sensing, now_us: u64) -> Check {
        let book = self.books.entry(agent).or_default();
        let kept = book.kept;
        let good = kept.map_or_else(Sensing::default, |kept| kept.good);
        let tries = kept.is_some_and(|kept| kept.phase == Phase::Trying && kept.set == sensing) && sensing != good;
        require(tries || sensing == good, || {
            format!("UNKEPT: agent {agent} works with {sensing:?}, kept is {kept:?}")
        })?;
        // At first, and after each start that it outlives.
        book.tries.1 += u32::from(tries);
        require(!tries || book.tries.1 <= STARTS_MAX + 1, || {
            format!("TRIED AGAIN: agent {agent} works with {sensing:?} for the {}. time", book.tries.1)
        })?;
        book.in_force = sensing;
        book.tried = tries.then_some(Tried { since_us: now_us, asked: None, heard: false });
        Ok(())
    }

    /// An agent says a hello of this number for the first time.
    pub fn says_hello(&mut self, agent: usize, number: u64) {
        if let Some(tried) = self.books.get_mut(&agent).and_then(|book| book.tried.as_mut()) {
            tried.asked.get_or_insert(number);
        }
    }

    /// An answer to the hello of this number reached an agent.
    pub fn hears(&mut self, agent: usize, number: u64) {
        if let Some(tried) = self.books.get_mut(&agent).and_then(|book| book.tried.as_mut()) {
            tried.heard |= tried.asked.is_some_and(|asked| asked <= number);
        }
    }

    /// What an agent works with.
    #[must_use]
    pub fn in_force(&self, agent: usize) -> Sensing {
        self.books.get(&agent).map_or_else(Sensing::default, |book| book.in_force)
    }

    /// An agent is awake.
    ///
    /// # Errors
    /// It works with something with which it has heard nobody for longer than it may.
    pub fn awake(&self, agent: usize, now_us: u64, lasts: Duration) -> Check {
        let unheard = self.books.get(&agent).and_then(|book| book.tried).filter(|tried| !tried.heard);
        let Some(Tried { since_us, .. }) = unheard else { return Ok(()) };
        let most_us = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX).saturating_add(SLACK_US);
        require(now_us - since_us <= most_us, || {
            let (kept, seconds) = (self.books.get(&agent).map(|book| book.kept), (now_us - since_us) / SECOND_US);
            format!("NOT ROLLED BACK: agent {agent} has tried {kept:?} for {seconds} s, and heard nobody")
        })
    }

    /// An ingester records what became of a configuration.
    ///
    /// # Errors
    /// The agent never kept it as that.
    pub fn recorded(&self, agent: usize, record: &DecisionRecord) -> Check {
        let good = match record.fate {
            Fate::Acknowledged(Outcome::Applied) => true,
            Fate::Acknowledged(Outcome::RolledBack) => false,
            _ => return Ok(()),
        };
        let (id, decision): (&AgentId, _) = (&record.agent, &record.decision);
        let ended = self.ended.contains(&(agent, decision.term.clone(), decision.seq, good));
        require(ended, || format!("NOT APPLIED: {id} is said to have ended the trial of {decision:?}, good: {good}"))
    }
}
