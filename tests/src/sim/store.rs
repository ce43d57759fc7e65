//! A store that is slow, fails, and takes the write and loses the reply.
//!
//! Of the two kinds, the transactional one does a commit as a whole and knows by `(run, id)` that it was done; the other
//! writes points first, each one by its identity, and then the state: its ingesters have a state each.

mod answering;
mod averages;

use super::agenda::Agenda;
use super::bugs::Bug;
use super::checks::{Check, Place, require};
use super::coverage::Coverage;
use super::ledger::{Ledger, Serial};
use super::limits::Limits;
use super::options::{StoreKind, StoreOptions};
use super::trials::Trials;
use fogline_protocol::directive::Directive;
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::realm::Realm;
use fogline_protocol::rng::Rng;
use fogline_protocol::sensing;
use fogline_protocol::store::{
    AgentStatus, Commit, CommitReport, DecisionRecord, Fate, Fold, Progress, Recovered, StoreAnswer, StoreCommand,
    StoreFault, TakeOver,
};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, DECISION_WIDTH_S, Scope};
use fogline_protocol::wire::Outcome;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long after its end a window may still be open, seen from a restart: the grace, and room for a slow start.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// What a stored aggregate is of: the scope, the use case, the field, the window's length and its beginning.
pub(super) type FoldKey = (Scope, &'static str, &'static str, u32, Wall);

/// What an ingester keeps beside the points.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) term: u64,
    /// The run that leads, and the last of its commits.
    last_commit: (u64, u64),
    pub(super) progress: BTreeMap<(AgentId, StreamId), Progress>,
    pub(super) decisions: BTreeMap<(AgentId, String), DecisionRecord>,
    pub(super) statuses: BTreeMap<AgentId, AgentStatus>,
    pub(super) folds: BTreeMap<FoldKey, Aggregate>,
    pub(super) directives: BTreeMap<u64, Directive>,
}

/// What an ingester has asked its store for.
#[derive(Debug, Default)]
struct Desk {
    queue: VecDeque<StoreCommand>,
    steps: VecDeque<Step>,
}

/// What is left to do of the command at the head of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Points,
    State,
    /// Both at once or none.
    Transaction,
    Answer(bool),
}

/// What makes a point in a database that knows no numbers.
type Identity = (AgentId, String, String, i64);

/// The store of all ingesters.
#[derive(Debug)]
pub struct SimStore {
    options: StoreOptions,
    rng: Rng,
    bug: Option<Bug>,
    pub(super) states: Vec<State>,
    points: BTreeMap<Identity, Place>,
    desks: Vec<Desk>,
    trouble: Option<StoreFault>,
    pub(super) state_was_lost: bool,
    /// An ingester took over that did not know all of the leader's state.
    pub(super) taken_out_of_step: bool,
    /// One that took over did not know of all that operators had decided.
    pub(super) directives_lost: bool,
}

/// What the store tells of what it does.
pub struct Books<'a> {
    /// What became of the readings.
    pub ledger: &'a mut Ledger,
    /// What the limits rest on.
    pub limits: &'a mut Limits,
    /// What agents tried.
    pub trials: &'a Trials,
    /// What the run has met.
    pub coverage: &'a mut Coverage,
}

impl SimStore {
    /// An empty store.
    #[must_use]
    pub fn new(options: StoreOptions, sites: usize, bug: Option<Bug>, rng: Rng) -> Self {
        Self {
            options,
            rng,
            bug,
            states: (0..sites).map(|_| State::default()).collect(),
            state_was_lost: false,
            taken_out_of_step: false,
            directives_lost: false,
            points: BTreeMap::new(),
            desks: (0..sites).map(|_| Desk::default()).collect(),
            trouble: None,
        }
    }

    /// Which state an ingester works on: of a transactional store there is one, beside its points.
    #[must_use]
    pub const fn state_of(&self, site: usize) -> usize {
        match self.options.kind {
            StoreKind::Transactional => 0,
            StoreKind::Identity => site,
        }
    }

    /// What an ingester finds that takes over at `now`.
    fn recover(&self, site: usize, now: Wall) -> Recovered {
        let state = &self.states[self.state_of(site)];
        let newest = state.decisions.values().filter(|record| {
            let ends = record.decided + Duration::from_millis(record.decision.ttl_ms);
            record.fate == Fate::Outstanding || ends > now
        });
        let open = state.folds.iter().filter(|((_, _, _, width_s, start), _)| {
            *width_s == DECISION_WIDTH_S && *start + Duration::from_secs(u64::from(*width_s)) + OPEN_FOR > now
        });
        let fold = |((scope, kind, field, width_s, start), aggregate): (&FoldKey, &Aggregate)| Fold {
            scope: scope.clone(),
            kind,
            field,
            width_s: *width_s,
            start: *start,
            aggregate: *aggregate,
        };
        let (decisions, open_windows) = (newest.cloned().collect(), open.map(fold).collect());
        let directives = state.directives.values().filter(|directive| directive.ended.is_none()).cloned().collect();
        Recovered { term: state.term, decisions, open_windows, directives, ..Recovered::default() }
    }

    /// Whether another state than that of this ingester holds anything that operators decided.
    pub(super) fn has_directives_elsewhere(&self, site: usize) -> bool {
        let own = self.state_of(site);
        self.states.iter().enumerate().any(|(state, of)| state != own && !of.directives.is_empty())
    }

    /// A decision or a status of agents of this realm that has not come to rest.
    #[must_use]
    pub fn unsettled(&self, site: usize, realm: &Realm) -> Option<String> {
        let state = &self.states[self.state_of(site)];
        let takes = |id: &AgentId| realm.takes(id.region.as_str());
        let outstanding = |record: &&DecisionRecord| {
            let settled = [Outcome::Applied, Outcome::RolledBack].map(Fate::Acknowledged);
            takes(&record.agent) && record.fate != Fate::Expired && !settled.contains(&record.fate)
        };
        let decision = state.decisions.values().find(outstanding);
        let decision =
            decision.map(|r| format!("the newest decision for {} is {:?}: {:?}", r.agent, r.fate, r.decision));
        let offline = || state.statuses.iter().find(|(agent, known)| takes(agent) && !known.status.online);
        decision.or_else(|| offline().map(|(agent, status)| format!("{agent} is shown as offline: {status:?}")))
    }

    /// The database answers with `trouble` from now on, or works again.
    pub fn set_trouble(&mut self, trouble: Option<StoreFault>) {
        self.trouble = trouble;
    }

    /// From now on it works.
    pub fn heal(&mut self) {
        self.trouble = None;
        self.options.failure = 0;
        self.options.lost_reply = 0;
        self.options.delay_us = self.options.delay_us.min(50_000);
    }

    /// An ingester's own state is lost; the points survive in the database.
    pub fn lose_state(&mut self, site: usize, books: &mut Books<'_>) {
        let state = self.state_of(site);
        self.states[state] = State::default();
        self.state_was_lost = true;
        books.ledger.state_lost(state);
        books.limits.state_lost(state);
    }

    /// The ingester died: what it had asked for is forgotten, but a request that is under way to the database arrives.
    ///
    /// # Errors
    /// That write breaks a promise.
    pub fn abandon(&mut self, site: usize, books: &mut Books<'_>) -> Check {
        let mut desk = std::mem::take(&mut self.desks[site]);
        let head = desk.queue.pop_front();
        let step = desk.steps.front().copied();
        match head {
            Some(StoreCommand::Commit(commit)) if step == Some(Step::Points) && self.rng.percent(50) => {
                self.write_points(&commit, books)
            }
            _ => Ok(()),
        }
    }

    /// Takes a command.
    pub fn ask(&mut self, site: usize, command: StoreCommand, now_us: u64, life: u64, agenda: &mut Agenda) {
        let desk = &mut self.desks[site];
        desk.queue.push_back(command);
        if desk.steps.is_empty() {
            self.plan(site, now_us, life, agenda);
        }
    }

    /// Does the next step of the oldest command; the answer, when that was the last.
    ///
    /// # Errors
    /// The step breaks a promise.
    pub fn step(
        &mut self,
        site: usize,
        (now_us, wall): (u64, Wall),
        life: u64,
        agenda: &mut Agenda,
        books: &mut Books<'_>,
    ) -> Result<Option<StoreAnswer>, super::checks::Violation> {
        let desk = &mut self.desks[site];
        let (Some(step), Some(command)) = (desk.steps.pop_front(), desk.queue.front().cloned()) else {
            return Ok(None);
        };
        let state = self.state_of(site);
        match (&command, step) {
            (StoreCommand::Commit(commit), Step::Points) => self.write_points(commit, books)?,
            (StoreCommand::Commit(commit), Step::State) => self.save_state(state, commit, books)?,
            (StoreCommand::Commit(commit), Step::Transaction) => self.transact(state, commit, books)?,
            (StoreCommand::TakeOver(take), Step::Transaction) => self.take_over(state, *take),
            (StoreCommand::Adopt(rows), Step::Transaction) => self.adopt(state, rows, books)?,
            _ => {}
        }
        let answer = match step {
            Step::Answer(success) => Some(self.answer(site, &command, wall, success, books)),
            Step::Points | Step::State | Step::Transaction => None,
        };
        if self.desks[site].steps.is_empty() {
            self.desks[site].queue.pop_front();
            self.plan(site, now_us, life, agenda);
        } else {
            self.schedule(site, now_us, life, agenda);
        }
        Ok(answer)
    }

    /// A run takes the lead; begun twice it still has its numbers.
    fn take_over(&mut self, state: usize, take: TakeOver) {
        let state = &mut self.states[state];
        if state.last_commit.0 != take.run {
            state.last_commit = (take.run, 0);
            state.term = state.term.max(take.above) + 1;
        }
    }

    /// Writes a batch that was written before: what an ingester without memory would do.
    ///
    /// # Errors
    /// It lies in the store twice.
    pub fn write_again(&mut self, commit: &Commit, books: &mut Books<'_>) -> Check {
        self.write_points(commit, books)
    }

    fn report(&self, commit: &Commit, ledger: &Ledger) -> CommitReport {
        let readings = ledger.places(&commit.points);
        let dead = readings.iter().filter(|(_, point)| self.refuses(super::source::row_of(point.reading, 0).serial));
        let dead = dead.count() as u64;
        CommitReport { stored: readings.len() as u64 - dead, dead }
    }

    fn transact(&mut self, state: usize, commit: &Arc<Commit>, books: &mut Books<'_>) -> Check {
        if !self.is_new(state, commit, books.coverage) {
            return Ok(());
        }
        self.write_points(commit, books)?;
        self.save_state(state, commit, books)
    }

    /// It was not done before, and its run still leads.
    fn is_new(&self, state: usize, commit: &Commit, coverage: &mut Coverage) -> bool {
        let (run, last) = self.states[state].last_commit;
        if self.bug == Some(Bug::NoFence) && run != commit.run {
            return true;
        }
        if run == commit.run && commit.id <= last {
            coverage.count("commit known again");
        }
        run == commit.run && commit.id > last
    }

    fn refuses(&self, serial: Serial) -> bool {
        Rng::new(serial).percent(self.options.refusal)
    }

    fn write_points(&mut self, commit: &Commit, books: &mut Books<'_>) -> Check {
        let rewritable = self.options.kind == StoreKind::Identity;
        for piece in &commit.points {
            for (place, point) in books.ledger.places(std::slice::from_ref(piece)) {
                let row = books.ledger.writes(place, &point)?;
                if self.refuses(row.serial) {
                    books.coverage.count("dead letter");
                    continue;
                }
                books.ledger.stored(place, &row, rewritable)?;
                books.coverage.count("reading stored");
                let (sensor, kind) = (point.reading.sensor().to_owned(), point.reading.kind().to_owned());
                let known = *self.points.entry((piece.agent.clone(), sensor, kind, point.time_ns)).or_insert(place);
                require(known == place, || format!("OVERWRITTEN: {place:?} is the same point as {known:?}"))?;
            }
        }
        Ok(())
    }

    fn save_state(&mut self, at: usize, commit: &Arc<Commit>, books: &mut Books<'_>) -> Check {
        if !self.is_new(at, commit, books.coverage) {
            return Ok(());
        }
        for (place, point) in books.ledger.places(&commit.points) {
            if self.refuses(super::source::row_of(point.reading, 0).serial) {
                books.ledger.buried(place);
            }
        }
        for change in &commit.progress {
            books.ledger.saved(change, at)?;
            books.coverage.add("gap recorded", change.new_gaps.len() as u64);
            self.states[at].progress.insert((change.agent.clone(), change.stream), change.progress.clone());
        }
        let state = &mut self.states[at];
        require(commit.term >= state.term, || format!("the term went from {} to {}", state.term, commit.term))?;
        state.term = commit.term;
        for fold in &commit.folds {
            let key = (fold.scope.clone(), fold.kind, fold.field, fold.width_s, fold.start);
            state.folds.entry(key).or_default().merge(&fold.aggregate);
        }
        let statuses = commit.statuses.iter().map(|status| (status.agent.clone(), status.clone()));
        state.statuses.extend(statuses);
        commit.directives.iter().for_each(|directive| state.keep(directive));
        for record in &commit.decisions {
            if record.fate == Fate::Outstanding {
                state.decides(record)?;
            }
            if record.decision.key == sensing::KEY {
                books.trials.recorded(books.ledger.agent(&record.agent), record)?;
            }
            books.limits.recorded(record, at, books.coverage)?;
            let key = (record.agent.clone(), record.decision.key.clone());
            let newer = |known: &DecisionRecord| known.decision.order() <= record.decision.order();
            if state.decisions.get(&key).is_none_or(newer) {
                state.decisions.insert(key, record.clone());
            }
        }
        state.last_commit = (commit.run, commit.id);
        Ok(())
    }
}
