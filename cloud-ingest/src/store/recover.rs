//! Taking the lead: the run that may commit from now on, and what it finds.

use super::commit::fault;
use super::names::Names;
use super::number::{from_sql, to_sql};
use super::{StateDb, aggregates, decisions, directives, latest, ledger};
use fogline_protocol::store::{Fold, Recovered, StoreFault, TakeOver};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase;
use fogline_protocol::window::{DECISION_WIDTH_S, Scope};
use rusqlite::{Connection, Row, TransactionBehavior};
use std::time::Duration;

/// Windows that begin this long after the oldest that may be open are of readings from the future: they wait in the store.
const OPEN_SPAN: Duration = Duration::from_secs(5 * 60);

impl StateDb {
    /// Takes the lead; see [`Store::take_over`](super::Store::take_over).
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody. Perhaps it was done all the same: then a term is left out.
    pub fn take_over(&mut self, take: TakeOver) -> Result<Recovered, StoreFault> {
        // Another ingester may have worked on the file: it has made names, and deleted windows.
        self.names = Names::default();
        self.begin_run(take).map_err(|error| fault(&error))
    }

    fn begin_run(&mut self, take: TakeOver) -> rusqlite::Result<Recovered> {
        let db = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // The numbers of a run that was begun before still hold.
        let term: i64 = db.query_row(
            "UPDATE state SET term = max(term, ?2) + 1, run = ?1, commit_id = CASE WHEN run = ?1 THEN commit_id ELSE 0 END
             RETURNING term",
            (take.run.cast_signed(), to_sql(take.above)),
            |row| row.get(0),
        )?;
        let decisions = decisions::newest(&db, take.since)?;
        let open_windows = open_windows(&db, take.since)?;
        let (latest, stays) = (latest::asked_about(&db)?, ledger::inside(&db)?);
        let (plate_key, directives) = (ledger::plate_key(&db)?, directives::in_force(&db)?);
        db.commit()?;
        Ok(Recovered { term: from_sql(term), decisions, directives, open_windows, latest, stays, plate_key })
    }
}

fn open_windows(db: &Connection, since: Wall) -> rusqlite::Result<Vec<Fold>> {
    let mut statement = db.prepare(
        "SELECT v.region, v.agent, v.kind, v.field, g.start_us, g.n, g.sum, g.sum_squares, g.min, g.max
         FROM average v CROSS JOIN aggregate g
         WHERE g.average = v.id AND g.width_s = ?1 AND g.start_us BETWEEN ?2 AND ?3 ORDER BY g.start_us, v.id",
    )?;
    let until = since + OPEN_SPAN;
    let rows = statement.query_map((DECISION_WIDTH_S, since.us(), until.us()), fold)?;
    // Averages of a use case that this program does not know are of no use to it.
    rows.filter_map(Result::transpose).collect()
}

fn fold(row: &Row<'_>) -> rusqlite::Result<Option<Fold>> {
    let (kind, field): (String, String) = (row.get(2)?, row.get(3)?);
    let known = usecase::find(&kind)
        .and_then(|usecase| Some((usecase.kind(), usecase.fields().iter().find(|known| known.name == field)?.name)));
    let Some((kind, field)) = known else { return Ok(None) };
    let Some(scope) = Scope::of_names(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_str()?) else { return Ok(None) };
    Ok(Some(Fold {
        scope,
        kind,
        field,
        width_s: DECISION_WIDTH_S,
        start: Wall::from_us(row.get(4)?),
        aggregate: aggregates::read(row, 5)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{EPOCH_US, agent, commit, count, decision, fold, shared, sqlite, state, take};
    use super::super::{SqliteStore, Store as _};
    use super::*;
    use fogline_protocol::store::{Commit, CommitReport};

    #[test]
    fn a_new_state_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let found = SqliteStore::new(shared(&dir)).take_over(take(1)).unwrap();
        let plate_key = found.plate_key;
        assert!(plate_key.is_some_and(|key| key.bytes() != &[0; 32]));
        assert_eq!(found, Recovered { term: 1, plate_key, ..Recovered::default() });
    }

    #[test]
    fn a_new_run_finds_what_the_last_one_left() {
        let dir = tempfile::tempdir().unwrap();
        let region = Fold { scope: Scope::Region(agent("north", "r1").region), ..fold(EPOCH_US, &[91.0]) };
        let elsewhere = [
            fold(EPOCH_US - 5_000_000, &[1.0]),
            fold(EPOCH_US + 3_600_000_000, &[1.0]),
            Fold { width_s: 60, ..fold(EPOCH_US, &[1.0]) },
            Fold { kind: "tide", ..fold(EPOCH_US, &[1.0]) },
        ];
        let mut first = commit(1, 1, 3);
        first.decisions = vec![decision("r1", 1)];
        first.folds.push(region.clone());
        first.folds.extend(elsewhere);
        SqliteStore::commit(&mut sqlite(&dir), &first).unwrap();
        let found = state(&dir).take_over(take(2)).unwrap();
        assert_eq!(found.decisions, [decision("r1", 1)]);
        assert_eq!(found.open_windows, [fold(EPOCH_US, &[91.0, 92.0]), region]);
    }

    #[test]
    fn nobody_has_a_term_twice() {
        let dir = tempfile::tempdir().unwrap();
        let term = |run, above| state(&dir).take_over(TakeOver { above, ..take(run) }).unwrap().term;
        assert_eq!([term(1, 0), term(2, 0), term(2, 0)], [1, 2, 3]);
        assert_eq!([term(3, 9), term(4, 5)], [10, 11]);
        let raised = Commit { term: 20, ..commit(4, 1, 3) };
        let low = Commit { term: 2, ..commit(4, 2, 6) };
        for commit in [raised, low] {
            SqliteStore::new(state(&dir)).commit(&commit).unwrap();
        }
        assert_eq!(term(5, 0), 21, "a term that the run was raised to counts");
    }

    #[test]
    fn the_same_run_begun_twice_remembers_its_commits() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = sqlite(&dir);
        let commit = Commit { id: 5, ..commit(1, 5, 3) };
        let done = CommitReport { stored: 3, dead: 0 };
        assert_eq!(store.commit(&commit), Ok(done));
        store.take_over(take(1)).unwrap();
        assert_eq!(store.commit(&commit), Ok(done));
        assert_eq!(count(&dir, "reading"), 3);
        store.take_over(take(2)).unwrap();
        assert_eq!(store.commit(&commit), Err(StoreFault::Deposed));
        assert_eq!(count(&dir, "reading"), 3);
    }
}
