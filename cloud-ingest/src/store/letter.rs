//! One dead letter again: given back to the database, or discarded.

use super::commit::{StateCommit, fault};
use super::dead::{DeadLetter, LetterId, count, detail_text};
use super::number::{from_sql, to_sql};
use super::state::StateDb;
use fogline_protocol::delivery::ranges::Range;
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::reading::{Readings, parse_reading};
use fogline_protocol::store::{Points, StoreFault};
use rusqlite::{Connection, OptionalExtension as _};
use std::sync::Arc;

/// What became of a dead letter that was given back to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Retried {
    /// The database has the reading, and the dead letter is gone.
    Stored,
    /// It is refused again, for this reason; the dead letter stays.
    Refused(String),
    /// There is no such dead letter.
    Unknown,
}

/// A dead letter in an open transaction. Dropped, it is as it was.
pub(super) struct Letter<'a> {
    pub(super) work: StateCommit<'a>,
    /// The reading, as the point that it was to be.
    pub(super) points: Points,
    row: i64,
    reason: String,
}

impl StateDb {
    /// Begins with a dead letter, as the run that leads; none when there is no such one.
    pub(super) fn take_up(&mut self, run: u64, id: LetterId) -> Result<Option<Letter<'_>>, StoreFault> {
        let work = self.lead(run)?.0;
        work.names.begin();
        let Some((points, reason)) = read(&work.db, id)? else { return Ok(None) };
        Ok(Some(Letter { work, points, row: id.row, reason }))
    }

    /// Forgets a dead letter; see [`Store::discard`](super::Store::discard).
    pub(super) fn discard(&mut self, run: u64, id: LetterId) -> Result<bool, StoreFault> {
        let work = self.lead(run)?.0;
        let found = is_there(&work.db, id).map_err(|error| fault(&error))?;
        if found {
            delete(&work.db, id.row).and_then(|()| work.db.commit()).map_err(|error| fault(&error))?;
        }
        Ok(found)
    }
}

impl Letter<'_> {
    /// The database has the reading.
    pub(super) fn stored(self) -> Result<Retried, StoreFault> {
        self.bury().map_err(|error| fault(&error))
    }

    fn bury(self) -> rusqlite::Result<Retried> {
        let db = &self.work.db;
        delete(db, self.row)?;
        // What is counted there is missing from the store.
        count(db, &self.reason, -1)?;
        db.prepare_cached("UPDATE state SET stored_total = stored_total + 1")?.execute([])?;
        self.work.db.commit()?;
        self.work.names.commit();
        Ok(Retried::Stored)
    }

    /// The database refuses it again.
    pub(super) fn refused(self, now: &DeadLetter) -> Result<Retried, StoreFault> {
        self.keep(now).map_err(|error| fault(&error))
    }

    fn keep(self, now: &DeadLetter) -> rusqlite::Result<Retried> {
        let (db, reason, detail) = (&self.work.db, now.reason.name(), detail_text(&now.detail));
        db.prepare_cached("UPDATE dead_letter SET at_us = ?2, reason = ?3, detail = ?4 WHERE id = ?1")?.execute((
            self.row,
            self.work.now_us,
            reason,
            &detail,
        ))?;
        count(db, &self.reason, -1)?;
        count(db, reason, 1)?;
        self.work.db.commit()?;
        self.work.names.commit();
        Ok(Retried::Refused(detail))
    }
}

fn is_there(db: &Connection, id: LetterId) -> rusqlite::Result<bool> {
    db.prepare_cached(
        "SELECT 1 FROM dead_letter d JOIN stream t ON t.id = d.stream WHERE d.id = ?1 AND t.bits = ?2 AND d.seq = ?3",
    )?
    .exists((id.row, id.stream.cast_signed(), to_sql(id.seq)))
}

fn delete(db: &Connection, row: i64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM dead_letter WHERE id = ?1")?.execute([row]).map(drop)
}

/// What is kept of a dead letter: the point, and the reason.
fn read(db: &Connection, id: LetterId) -> Result<Option<(Points, String)>, StoreFault> {
    let found = db
        .prepare_cached(
            "SELECT a.region, a.name, d.clock, d.reading, d.reason, d.seq
             FROM dead_letter d JOIN stream t ON t.id = d.stream JOIN agent a ON a.id = t.agent
             WHERE d.id = ?1 AND t.bits = ?2 AND d.seq = ?3",
        )
        .and_then(|mut statement| {
            let key = (id.row, id.stream.cast_signed(), to_sql(id.seq));
            let row = statement.query_row(key, |row| {
                let agent = AgentId { region: super::decisions::name(row, 0)?, agent: super::decisions::name(row, 1)? };
                let (clock, reading) = (row.get::<_, u16>(2)?, row.get::<_, String>(3)?);
                Ok((agent, clock, reading, row.get::<_, String>(4)?, from_sql(row.get(5)?)))
            });
            row.optional()
        })
        .map_err(|error| fault(&error))?;
    let Some((agent, clock, reading, reason, seq)) = found else { return Ok(None) };
    let mut readings = Readings::new();
    parse_reading(reading.as_bytes(), &mut readings)
        .map_err(|error| StoreFault::Operator(format!("what is kept of this dead letter is no reading: {error}")))?;
    let points = Points {
        agent,
        stream: StreamId::from_bits(id.stream),
        clock,
        time: None,
        first: seq,
        readings: Arc::new(readings),
        fresh: vec![Range::new(seq, seq)],
    };
    Ok(Some((points, reason)))
}

#[cfg(test)]
mod tests {
    use super::super::Store as _;
    use super::super::dead::{self, Reason};
    use super::super::query::{After, DeadLetterRow, StoreReader};
    use super::super::testing::{agent, commit, count, points, sqlite, take};
    use super::*;
    use fogline_protocol::store::Commit;

    /// A store with one dead letter, number 2 of stream 7.
    fn with_letter(dir: &tempfile::TempDir) -> super::super::SqliteStore {
        let mut store = sqlite(dir);
        let refused = Commit { points: vec![points(&agent("north", "r1"), 7, 1, 3)], ..Commit::default() };
        let state = store.state();
        let letter = DeadLetter { points: 0, seq: 2, reason: Reason::Unresolved, detail: "no".into() };
        dead::save(&state.connection, &mut state.names, &refused, &[letter], 5).unwrap();
        store
    }

    fn letters(dir: &tempfile::TempDir) -> Vec<DeadLetterRow> {
        let reader = StoreReader::open(&dir.path().join("fogline.db")).unwrap();
        reader.dead_letters(&After::new(10, None)).unwrap().items
    }

    fn id(dir: &tempfile::TempDir) -> LetterId {
        letters(dir)[0].id.parse().unwrap()
    }

    #[test]
    fn a_letter_that_is_stored_is_the_same_point_and_gone() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = with_letter(&dir);
        let id = id(&dir);
        assert_eq!(store.retry(1, id), Ok(Retried::Stored));
        assert_eq!(store.retry(1, id), Ok(Retried::Unknown), "it is stored once");
        let db = &store.state().connection;
        let row: (i64, i64, String, i64, String) = db
            .query_row("SELECT ts_us, clock, stream, seq, fields FROM readings", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            })
            .unwrap();
        let fields = r#"{"speed_kmh":92.0}"#;
        assert_eq!(row, (1_700_000_000_002_000, 7, "0000000000000007".into(), 2, fields.into()));
        let counted: (i64, i64) = db
            .query_row("SELECT stored_total, (SELECT sum(n) FROM dead_count) FROM state", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((letters(&dir).len(), counted), (0, (1, 0)));
        store.commit(&commit(1, 1, 30)).unwrap();
        assert_eq!(count(&dir, "readings"), 4, "names are as they were");
    }

    #[test]
    fn a_letter_that_is_refused_again_stays_with_the_new_reason() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = with_letter(&dir);
        let letter = store.state().take_up(1, id(&dir)).unwrap().unwrap();
        let now = DeadLetter { points: 0, seq: 2, reason: Reason::Refused, detail: "still no".into() };
        assert_eq!(letter.refused(&now), Ok(Retried::Refused("still no".into())));
        let kept = letters(&dir);
        assert_eq!((kept[0].reason.as_str(), kept[0].detail.as_str()), ("refused", "still no"));
        assert!(kept[0].at_us > 5);
        let counts = StoreReader::open(&dir.path().join("fogline.db")).unwrap().counts().unwrap();
        assert_eq!((counts.dead["refused"], counts.dead["unresolved"]), (1, 0));
    }

    #[test]
    fn a_discarded_letter_is_gone_and_stays_counted() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = with_letter(&dir);
        let id = id(&dir);
        for other in [LetterId { row: 9, ..id }, LetterId { seq: 3, ..id }, LetterId { stream: 8, ..id }] {
            assert_eq!((store.discard(1, other), store.retry(1, other)), (Ok(false), Ok(Retried::Unknown)));
        }
        assert_eq!((store.discard(1, id), store.discard(1, id)), (Ok(true), Ok(false)));
        let counts = StoreReader::open(&dir.path().join("fogline.db")).unwrap().counts().unwrap();
        assert_eq!((letters(&dir).len(), counts.dead["unresolved"], counts.stored), (0, 1, 0));
    }

    #[test]
    fn only_the_one_that_leads_changes_letters() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = with_letter(&dir);
        let id = id(&dir);
        store.take_over(take(2)).unwrap();
        assert_eq!(store.retry(1, id), Err(StoreFault::Deposed));
        assert_eq!(store.discard(1, id), Err(StoreFault::Deposed));
        assert_eq!(letters(&dir).len(), 1);
        assert_eq!(store.discard(2, id), Ok(true));
    }

    #[test]
    fn a_letter_that_a_hand_has_spoiled_needs_that_hand() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = with_letter(&dir);
        store.state().connection.execute("UPDATE dead_letter SET reading = '{'", []).unwrap();
        assert!(matches!(store.retry(1, id(&dir)), Err(StoreFault::Operator(_))));
        assert_eq!(letters(&dir).len(), 1);
    }
}
