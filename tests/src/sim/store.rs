//! A store that is slow, fails, and takes the write and loses the reply.
//!
//! Of the two kinds, the transactional one does a commit as a whole and knows by `(run, id)` that it was done; the other
//! writes points first, each one by its identity, and then the state.

use super::agenda::{Agenda, Event};
use super::bugs::Bug;
use super::checks::{Check, Place, require};
use super::coverage::Coverage;
use super::ledger::{Ledger, Serial};
use super::limits::Limits;
use super::options::{StoreKind, StoreOptions};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::rng::Rng;
use fogline_protocol::store::{
    Commit, CommitReport, DecisionRecord, Fate, Fold, Progress, Recovered, StoreAnswer, StoreCommand, StoreFault,
};
use fogline_protocol::time::Wall;
use fogline_protocol::window::{Aggregate, DECISION_WIDTH_S, Scope, window_start};
use fogline_protocol::wire::{Outcome, Status};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long after its end a window may still be open, seen from a restart: the grace, and room for a slow start.
const OPEN_FOR: Duration = Duration::from_secs(5);

/// What a stored aggregate is of: the scope, the use case, the field, the window's length and its beginning.
type FoldKey = (Scope, &'static str, &'static str, u32, Wall);

/// What an ingester keeps beside the points.
#[derive(Debug, Default)]
struct State {
    term: u64,
    last_commit: Option<(u64, u64)>,
    progress: BTreeMap<(AgentId, StreamId), Progress>,
    decisions: BTreeMap<(AgentId, String), DecisionRecord>,
    statuses: BTreeMap<AgentId, Status>,
    folds: BTreeMap<FoldKey, Aggregate>,
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

/// The store of the one ingester.
#[derive(Debug)]
pub struct SimStore {
    options: StoreOptions,
    rng: Rng,
    bug: Option<Bug>,
    state: State,
    points: BTreeMap<Identity, Place>,
    queue: VecDeque<StoreCommand>,
    steps: VecDeque<Step>,
    trouble: Option<StoreFault>,
    state_was_lost: bool,
}

/// What the store tells of what it does.
pub struct Books<'a> {
    /// What became of the readings.
    pub ledger: &'a mut Ledger,
    /// What the limits rest on.
    pub limits: &'a mut Limits,
    /// What the run has met.
    pub coverage: &'a mut Coverage,
}

impl SimStore {
    /// An empty store.
    #[must_use]
    pub fn new(options: StoreOptions, bug: Option<Bug>, rng: Rng) -> Self {
        Self {
            options,
            rng,
            bug,
            state: State::default(),
            state_was_lost: false,
            points: BTreeMap::new(),
            queue: VecDeque::new(),
            steps: VecDeque::new(),
            trouble: None,
        }
    }

    /// What an ingester finds when it starts at `now`.
    #[must_use]
    pub fn recover(&self, now: Wall) -> Recovered {
        let newest = self.state.decisions.values().filter(|record| {
            let ends = record.decided + Duration::from_millis(record.decision.ttl_ms);
            record.fate == Fate::Outstanding || ends > now
        });
        let open = self.state.folds.iter().filter(|((_, _, _, width_s, start), _)| {
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
        Recovered {
            term: self.state.term,
            decisions: newest.cloned().collect(),
            open_windows: open.map(fold).collect(),
        }
    }

    /// A decision or a status that has not come to rest.
    #[must_use]
    pub fn unsettled(&self) -> Option<String> {
        let outstanding =
            |record: &&DecisionRecord| !matches!(record.fate, Fate::Acknowledged(Outcome::Applied) | Fate::Expired);
        let decision = self.state.decisions.values().find(outstanding);
        let decision = decision.map(|r| format!("the newest limit of {} is {:?}: {:?}", r.agent, r.fate, r.decision));
        let offline = || self.state.statuses.iter().find(|(_, status)| !status.online);
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

    /// The ingester's own state is lost; the points survive in the database.
    pub fn lose_state(&mut self, books: &mut Books<'_>) {
        self.state = State::default();
        self.state_was_lost = true;
        books.ledger.state_lost();
        books.limits.state_lost();
    }

    /// The ingester died: what it had asked for is forgotten, but a request that is under way to the database arrives.
    ///
    /// # Errors
    /// That write breaks a promise.
    pub fn abandon(&mut self, books: &mut Books<'_>) -> Check {
        let head = self.queue.pop_front();
        let step = self.steps.front().copied();
        self.queue.clear();
        self.steps.clear();
        match head {
            Some(StoreCommand::Commit(commit)) if step == Some(Step::Points) && self.rng.percent(50) => {
                self.write_points(&commit, books)
            }
            _ => Ok(()),
        }
    }

    /// Takes a command.
    pub fn ask(&mut self, command: StoreCommand, now_us: u64, life: u64, agenda: &mut Agenda) {
        self.queue.push_back(command);
        if self.steps.is_empty() {
            self.plan(now_us, life, agenda);
        }
    }

    /// Does the next step of the oldest command; the answer, when that was the last.
    ///
    /// # Errors
    /// The step breaks a promise.
    pub fn step(
        &mut self,
        now_us: u64,
        life: u64,
        agenda: &mut Agenda,
        books: &mut Books<'_>,
    ) -> Result<Option<StoreAnswer>, super::checks::Violation> {
        let (Some(step), Some(command)) = (self.steps.pop_front(), self.queue.front().cloned()) else {
            return Ok(None);
        };
        if let StoreCommand::Commit(commit) = &command {
            match step {
                Step::Points => self.write_points(commit, books)?,
                Step::State => self.save_state(commit, books)?,
                Step::Transaction => self.transact(commit, books)?,
                Step::Answer(_) => {}
            }
        }
        let answer = match step {
            Step::Answer(success) => Some(self.answer(&command, success, books)),
            Step::Points | Step::State | Step::Transaction => None,
        };
        if self.steps.is_empty() {
            self.queue.pop_front();
            self.plan(now_us, life, agenda);
        } else {
            self.schedule(now_us, life, agenda);
        }
        Ok(answer)
    }

    /// Writes a batch that was written before: what an ingester without memory would do.
    ///
    /// # Errors
    /// It lies in the store twice.
    pub fn write_again(&mut self, commit: &Commit, books: &mut Books<'_>) -> Check {
        self.write_points(commit, books)
    }

    /// Each reading counts once in the stored averages of its agent, whenever it came. Where points are written before the
    /// state, one may lie there that left its disk before it was sent again, dropped or with the disk: the state may count it
    /// or not.
    ///
    /// # Errors
    /// A window holds another number of readings.
    pub fn averages_are_complete(&self, ledger: &Ledger) -> Check {
        if self.state_was_lost {
            return Ok(());
        }
        let mut counts: BTreeMap<(usize, Wall), (u64, u64)> = BTreeMap::new();
        for ((agent, _), book) in &ledger.streams {
            let written = book.rows.iter().filter(|(seq, _)| book.stored.contains(**seq) || book.dead.contains(**seq));
            for (seq, row) in written.filter(|(_, row)| row.speed_kmh.is_some()) {
                let (least, most) = counts.entry((*agent, window_start(row.ts, DECISION_WIDTH_S))).or_default();
                *least += u64::from(!book.gaps.contains(*seq) && !book.perished.contains(*seq));
                *most += 1;
            }
        }
        let speeds = self.state.folds.iter().filter_map(|((scope, _, field, width_s, start), values)| match scope {
            Scope::Agent(id) if *field == "speed_kmh" && *width_s == DECISION_WIDTH_S => {
                Some(((ledger.agent(id), *start), values.n))
            }
            Scope::Agent(_) | Scope::Region(_) => None,
        });
        let averaged: BTreeMap<(usize, Wall), u64> = speeds.collect();
        let unwritten = averaged.keys().find(|window| !counts.contains_key(window));
        require(unwritten.is_none(), || format!("MISCOUNTED: nothing was stored for {unwritten:?}"))?;
        for (window, (least, most)) in counts {
            let n = averaged.get(&window).copied().unwrap_or(0);
            require((least..=most).contains(&n), || {
                format!("MISCOUNTED: for {window:?} {n} readings are averaged, {least} to {most} are stored")
            })?;
        }
        Ok(())
    }

    fn plan(&mut self, now_us: u64, life: u64, agenda: &mut Agenda) {
        let Some(command) = self.queue.front() else { return };
        let works = self.trouble.is_none() && !self.rng.percent(self.options.failure);
        let heard = !self.rng.percent(self.options.lost_reply);
        let halfway = self.rng.percent(50);
        let commits = matches!(command, StoreCommand::Commit(_));
        let steps: &[Step] = match (self.options.kind, self.bug) {
            _ if !commits => &[Step::Answer(works)],
            (_, Some(Bug::AcknowledgeBeforeWrite)) if works => &[Step::Answer(true), Step::Points, Step::State],
            (_, Some(Bug::AcknowledgeBeforeWrite)) => &[Step::Answer(true)],
            (_, Some(Bug::ProgressApart)) if works => &[Step::State, Step::Points, Step::Answer(heard)],
            (_, Some(Bug::ProgressApart)) if halfway => &[Step::State, Step::Answer(false)],
            (StoreKind::Transactional, _) if works => &[Step::Transaction, Step::Answer(heard)],
            (StoreKind::Identity, _) if works => &[Step::Points, Step::State, Step::Answer(heard)],
            (StoreKind::Identity, _) if halfway => &[Step::Points, Step::Answer(false)],
            _ => &[Step::Answer(false)],
        };
        self.steps.extend(steps);
        self.schedule(now_us, life, agenda);
    }

    fn schedule(&mut self, now_us: u64, life: u64, agenda: &mut Agenda) {
        let delay_us = 50 + self.rng.below(self.options.delay_us);
        agenda.at(now_us + delay_us, Event::Store(life));
    }

    fn answer(&self, command: &StoreCommand, success: bool, books: &mut Books<'_>) -> StoreAnswer {
        let fault = || self.trouble.clone().unwrap_or_else(|| StoreFault::Transient("no answer".to_owned()));
        if !success {
            books.coverage.count("store failed");
        }
        match command {
            StoreCommand::Commit(commit) => {
                let counts = self.report(commit, books.ledger);
                StoreAnswer::Committed(commit.id, if success { Ok(counts) } else { Err(fault()) })
            }
            StoreCommand::Recall(agent, stream) => {
                let progress = self.state.progress.get(&(agent.clone(), *stream)).cloned();
                let answer = if success { Ok(progress) } else { Err(fault()) };
                StoreAnswer::Recalled(agent.clone(), *stream, answer)
            }
        }
    }

    fn report(&self, commit: &Commit, ledger: &Ledger) -> CommitReport {
        let readings = ledger.places(&commit.points);
        let dead = readings.iter().filter(|(_, point)| self.refuses(super::source::row_of(point.reading, 0).serial));
        let dead = dead.count() as u64;
        CommitReport { stored: readings.len() as u64 - dead, dead }
    }

    fn transact(&mut self, commit: &Arc<Commit>, books: &mut Books<'_>) -> Check {
        if self.is_done(commit) {
            books.coverage.count("commit known again");
            return Ok(());
        }
        self.write_points(commit, books)?;
        self.save_state(commit, books)
    }

    fn is_done(&self, commit: &Commit) -> bool {
        self.state.last_commit.is_some_and(|(run, id)| run == commit.run && commit.id <= id)
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

    fn save_state(&mut self, commit: &Arc<Commit>, books: &mut Books<'_>) -> Check {
        if self.is_done(commit) {
            books.coverage.count("commit known again");
            return Ok(());
        }
        for (place, point) in books.ledger.places(&commit.points) {
            if self.refuses(super::source::row_of(point.reading, 0).serial) {
                books.ledger.buried(place);
            }
        }
        for change in &commit.progress {
            books.ledger.saved(change)?;
            books.coverage.add("gap recorded", change.new_gaps.len() as u64);
            self.state.progress.insert((change.agent.clone(), change.stream), change.progress.clone());
        }
        require(commit.term >= self.state.term, || {
            format!("the term went from {} to {}", self.state.term, commit.term)
        })?;
        self.state.term = commit.term;
        for fold in &commit.folds {
            let key = (fold.scope.clone(), fold.kind, fold.field, fold.width_s, fold.start);
            self.state.folds.entry(key).or_default().merge(&fold.aggregate);
        }
        let statuses = commit.statuses.iter().map(|status| (status.agent.clone(), status.status.clone()));
        self.state.statuses.extend(statuses);
        for record in &commit.decisions {
            books.limits.recorded(record, books.coverage)?;
            let key = (record.agent.clone(), record.decision.key.clone());
            let newer = |known: &DecisionRecord| known.decision.order() <= record.decision.order();
            if self.state.decisions.get(&key).is_none_or(newer) {
                self.state.decisions.insert(key, record.clone());
            }
        }
        self.state.last_commit = Some((commit.run, commit.id));
        Ok(())
    }
}
