//! Rows of another ingester in the place of one's own.

use super::super::commit::fault;
use super::super::names::Names;
use super::super::number::{now_us, to_sql};
use super::super::{StateDb, agents, aggregates, decisions, directives, latest, ledger, progress};
use fogline_protocol::store::{Progress, ProgressRow, Rows, StoreFault, StreamProgress};
use fogline_protocol::usecase::parking::PlateKey;
use rusqlite::{Connection, TransactionBehavior};

impl StateDb {
    /// Adopts rows of one that leads; see [`Store::adopt`](super::super::Store::adopt). Gaps are added to those that are known,
    /// everything else is replaced. Averages of a use case or field that this program does not know are left out.
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody.
    pub fn adopt(&mut self, rows: &Rows) -> Result<(), StoreFault> {
        self.adopt_rows(rows).map_err(|error| fault(&error))
    }

    fn adopt_rows(&mut self, rows: &Rows) -> rusqlite::Result<()> {
        let db = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        self.names.begin();
        save(&db, &mut self.names, rows)?;
        db.commit()?;
        self.names.commit();
        Ok(())
    }
}

fn save(db: &Connection, names: &mut Names, rows: &Rows) -> rusqlite::Result<()> {
    let now_us = now_us();
    // Whoever takes over with this state has to be above the leader that it followed, also after a restart.
    db.prepare_cached("UPDATE state SET term = max(term, ?1)")?.execute([to_sql(rows.term)])?;
    for row in &rows.progress {
        progress::save(db, names, &change(row), now_us)?;
    }
    for fold in rows.averages.iter().filter_map(|row| row.clone().fold()) {
        aggregates::replace(db, names, &fold, now_us)?;
    }
    for record in rows.decisions.iter().map(|row| row.clone().record()) {
        decisions::save(db, names, &record)?;
        decisions::settle(db, names, &record)?;
    }
    for directive in &rows.directives {
        directives::save(db, directive)?;
    }
    for row in &rows.statuses {
        agents::save(db, names, &row.clone().status())?;
    }
    for row in &rows.latest {
        latest::save(db, names, row)?;
    }
    ledger::save(db, names, &rows.stays, &rows.clarifications)?;
    if let Some(key) = rows.plate_key.as_deref().and_then(PlateKey::parse) {
        ledger::set_plate_key(db, key)?;
    }
    Ok(())
}

fn change(row: &ProgressRow) -> StreamProgress {
    StreamProgress {
        agent: row.owner.clone().into(),
        stream: row.stream,
        progress: Progress { through: row.through, ranges: row.ranges.clone() },
        new_gaps: row.gaps.clone(),
    }
}
