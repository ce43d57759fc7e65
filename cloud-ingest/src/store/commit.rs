//! One commit as one transaction of the state.

use super::aggregates::{self, Merged};
use super::dead::{self, DeadLetter};
use super::names::Names;
use super::number::{from_sql, now_us, to_sql};
use super::state::StateDb;
use super::{agents, city, decisions, directives, latest, ledger, progress};
use fogline_protocol::store::{Commit, CommitReport, StoreFault};
use rusqlite::{ErrorCode, Transaction, TransactionBehavior};

/// What becomes of a commit that is asked for.
pub(super) enum Begun<'a> {
    /// It was done before: this is what it did.
    Done(CommitReport),
    /// It is to be done.
    New(StateCommit<'a>),
}

/// An open transaction. Dropped, it leaves no trace.
pub(super) struct StateCommit<'a> {
    pub(super) db: Transaction<'a>,
    pub(super) names: &'a mut Names,
    pub(super) now_us: i64,
}

impl StateDb {
    /// Begins the transaction of a commit, unless that was done.
    pub(super) fn begin(&mut self, commit: &Commit) -> Result<Begun<'_>, StoreFault> {
        let (work, last, report) = self.lead(commit.run)?;
        // Ids of a run only grow, and each is asked for until it is done.
        if commit.id <= last {
            return Ok(Begun::Done(report));
        }
        work.names.begin();
        Ok(Begun::New(work))
    }

    /// Begins a transaction of the run that leads; says its last commit, and what that did. While it is open nobody can take
    /// over; whoever did before has deposed the run.
    pub(super) fn lead(&mut self, run: u64) -> Result<(StateCommit<'_>, u64, CommitReport), StoreFault> {
        let db =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| fault(&error))?;
        let (leads, last, report) = last(&db).map_err(|error| fault(&error))?;
        if leads != run {
            return Err(StoreFault::Deposed);
        }
        Ok((StateCommit { db, names: &mut self.names, now_us: now_us() }, last, report))
    }
}

/// The run that leads, its last commit, and what that did.
fn last(db: &Transaction<'_>) -> rusqlite::Result<(u64, u64, CommitReport)> {
    db.prepare_cached("SELECT run, commit_id, stored, dead FROM state")?.query_row([], |row| {
        let report = CommitReport { stored: from_sql(row.get(2)?), dead: from_sql(row.get(3)?) };
        Ok((row.get::<_, i64>(0)?.cast_unsigned(), from_sql(row.get(1)?), report))
    })
}

impl StateCommit<'_> {
    /// Merges the commit's values into the stored aggregates.
    pub(super) fn merge<'c>(&mut self, commit: &'c Commit) -> Result<Vec<Merged<'c>>, StoreFault> {
        aggregates::merge(&self.db, self.names, &commit.folds, self.now_us).map_err(|error| fault(&error))
    }

    /// Does the rest of the commit, all but points and aggregates, and makes it durable.
    pub(super) fn finish(mut self, commit: &Commit, dead: &[DeadLetter]) -> Result<CommitReport, StoreFault> {
        dead::save(&self.db, self.names, commit, dead, self.now_us)?;
        let points: u64 = commit.points.iter().map(|points| points.count()).sum();
        let dead = u64::try_from(dead.len()).unwrap_or(u64::MAX);
        let report = CommitReport { stored: points.saturating_sub(dead), dead };
        self.save(commit, report).map_err(|error| fault(&error))?;
        self.db.commit().map_err(|error| fault(&error))?;
        self.names.commit();
        Ok(report)
    }

    fn save(&mut self, commit: &Commit, report: CommitReport) -> rusqlite::Result<()> {
        for change in &commit.progress {
            progress::save(&self.db, self.names, change, self.now_us)?;
        }
        for record in &commit.decisions {
            decisions::save(&self.db, self.names, record)?;
        }
        for directive in &commit.directives {
            directives::save(&self.db, directive)?;
        }
        for heard in &commit.statuses {
            agents::save(&self.db, self.names, heard)?;
        }
        for row in &commit.latest {
            latest::save(&self.db, self.names, row)?;
        }
        ledger::save(&self.db, self.names, &commit.bills.stays, &commit.bills.clarifications)?;
        city::take(&self.db, &commit.points, self.now_us)?;
        self.db
            .prepare_cached(
                "UPDATE state SET term = max(term, ?1), commit_id = ?2, stored = ?3, dead = ?4,
                     stored_total = stored_total + ?3",
            )?
            .execute((to_sql(commit.term), to_sql(commit.id), to_sql(report.stored), to_sql(report.dead)))?;
        Ok(())
    }
}

/// What an error of the database means to the node.
pub(super) fn fault(error: &rusqlite::Error) -> StoreFault {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::SchemaChanged,
        ) => StoreFault::Transient(format!("sqlite: {error}")),
        Some(ErrorCode::DiskFull) => StoreFault::Operator(format!("sqlite: {error}: make room on the disk")),
        _ => StoreFault::Operator(format!("sqlite: {error}")),
    }
}
