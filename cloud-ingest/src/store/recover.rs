//! What an ingester finds when it starts.

use super::number::from_sql;
use super::{aggregates, decisions};
use fogline_protocol::ids::AgentId;
use fogline_protocol::store::{Fold, Recovered};
use fogline_protocol::time::Wall;
use fogline_protocol::usecase;
use fogline_protocol::window::{DECISION_WIDTH_S, Scope};
use rusqlite::{Connection, Row};
use std::time::Duration;

/// Windows that begin this long after the oldest that may be open are of readings from the future: they wait in the store.
const OPEN_SPAN: Duration = Duration::from_secs(5 * 60);

/// Begins the run with this number and says what is known.
pub(super) fn recover(db: &Connection, run: u64, since: Wall) -> rusqlite::Result<Recovered> {
    // The numbers of a run that was begun before still hold. Besides, this shows at the start whether one can write.
    let run = run.cast_signed();
    db.execute("UPDATE state SET run = ?1, commit_id = CASE WHEN run = ?1 THEN commit_id ELSE 0 END", [run])?;
    let term: i64 = db.query_row("SELECT term FROM state", [], |row| row.get(0))?;
    Ok(Recovered {
        term: from_sql(term),
        decisions: decisions::newest(db, since)?,
        open_windows: open_windows(db, since)?,
    })
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
    let region = decisions::name(row, 0)?;
    let scope = if row.get_ref(1)?.as_str()?.is_empty() {
        Scope::Region(region)
    } else {
        Scope::Agent(AgentId { region, agent: decisions::name(row, 1)? })
    };
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
    use super::super::testing::{EPOCH_US, agent, commit, decision, fold, sqlite};
    use super::super::{SqliteStore, Store as _};
    use super::*;
    use fogline_protocol::store::{Commit, CommitReport};

    fn since() -> Wall {
        Wall::from_us(EPOCH_US)
    }

    #[test]
    fn a_new_state_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(sqlite(&dir).recover(1, since()).unwrap(), Recovered::default());
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
        let found = sqlite(&dir).recover(2, since()).unwrap();
        assert_eq!(found.term, 3);
        assert_eq!(found.decisions, [decision("r1", 1)]);
        assert_eq!(found.open_windows, [fold(EPOCH_US, &[91.0, 92.0]), region]);
    }

    #[test]
    fn the_same_run_begun_twice_remembers_its_commits() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = sqlite(&dir);
        store.recover(1, since()).unwrap();
        let commit = Commit { run: 1, id: 5, ..commit(1, 5, 3) };
        let done = CommitReport { stored: 3, dead: 0 };
        assert_eq!(store.commit(&commit), Ok(done));
        store.recover(1, since()).unwrap();
        assert_eq!(store.commit(&commit), Ok(done));
        let readings: i64 = super::super::testing::count(&dir, "reading");
        assert_eq!(readings, 3);
    }
}
