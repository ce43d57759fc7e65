//! The ledger of the garages. It alone keeps licence plates.

use super::commit::fault;
use super::names::Names;
use super::number::{from_sql, to_sql};
use super::state::StateDb;
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Clarification, Departure, Owner, Stay, StoreFault, Unclear};
use fogline_protocol::usecase::parking::PlateKey;
use rusqlite::{Connection, OptionalExtension as _, Row};

const STAY: &str =
    "s.id, a.region, a.name, s.garage, t.bits, s.seq, s.plate, s.plate_hash, s.entered_us, s.tariff_cents,
    s.exit_bits, s.exit_seq, s.left_us, s.hours, s.cents, s.unresolved
    FROM stay s CROSS JOIN agent a ON a.id = s.agent CROSS JOIN stream t ON t.id = s.stream";

/// Keeps stays and clarifications as they are now. A stay that ended stays ended, in whatever order rows come.
pub(super) fn save(
    db: &Connection,
    names: &mut Names,
    stays: &[Stay],
    clarifications: &[Clarification],
) -> rusqlite::Result<()> {
    for stay in stays {
        save_stay(db, names, stay)?;
    }
    for clarification in clarifications {
        save_clarification(db, names, clarification)?;
    }
    Ok(())
}

fn save_stay(db: &Connection, names: &mut Names, stay: &Stay) -> rusqlite::Result<()> {
    let id = AgentId::from(stay.owner.clone());
    let (agent, stream) = (names.agent(db, &id)?, names.stream(db, &id, stay.stream)?);
    let left = stay.left.as_ref();
    db.prepare_cached(
        "INSERT INTO stay (agent, garage, stream, seq, plate, plate_hash, entered_us, tariff_cents, exit_bits, exit_seq,
             left_us, hours, cents, unresolved)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (stream, seq) DO UPDATE SET exit_bits = excluded.exit_bits, exit_seq = excluded.exit_seq,
             left_us = excluded.left_us, hours = excluded.hours, cents = excluded.cents, unresolved = excluded.unresolved
         WHERE left_us IS NULL AND unresolved = 0",
    )?
    .execute(rusqlite::params![
        agent,
        stay.garage,
        stream,
        to_sql(stay.seq),
        stay.plate,
        stay.plate_hash,
        stay.entered_us,
        stay.tariff_cents,
        left.map(|left| left.stream.bits().cast_signed()),
        left.map(|left| to_sql(left.seq)),
        left.map(|left| left.left_us),
        left.map(|left| to_sql(left.hours)),
        left.map(|left| to_sql(left.cents)),
        stay.unresolved,
    ])?;
    Ok(())
}

fn save_clarification(db: &Connection, names: &mut Names, row: &Clarification) -> rusqlite::Result<()> {
    let id = AgentId::from(row.owner.clone());
    let (agent, stream) = (names.agent(db, &id)?, names.stream(db, &id, row.stream)?);
    db.prepare_cached(
        "INSERT OR IGNORE INTO clarification (agent, garage, stream, seq, what, ts_us, plate, plate_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        agent,
        &row.garage,
        stream,
        to_sql(row.seq),
        row.what.as_str(),
        row.ts_us,
        &row.plate,
        &row.plate_hash,
    ))?;
    Ok(())
}

/// The cars that are in garages.
pub(super) fn inside(db: &Connection) -> rusqlite::Result<Vec<Stay>> {
    let mut statement = db.prepare(&format!("SELECT {STAY} WHERE s.left_us IS NULL AND s.unresolved = 0"))?;
    statement.query_map([], read_stay)?.collect()
}

/// The stay that comes after this one.
pub(super) fn stay_after(db: &Connection, stay: i64) -> rusqlite::Result<Option<(i64, Stay)>> {
    db.prepare_cached(&format!("SELECT {STAY} WHERE s.id > ?1 ORDER BY s.id LIMIT 1"))?
        .query_row([stay], |row| Ok((row.get(0)?, read_stay(row)?)))
        .optional()
}

/// The clarification that comes after this one.
pub(super) fn clarification_after(db: &Connection, id: i64) -> rusqlite::Result<Option<(i64, Clarification)>> {
    db.prepare_cached(
        "SELECT c.id, a.region, a.name, c.garage, t.bits, c.seq, c.what, c.ts_us, c.plate, c.plate_hash
         FROM clarification c CROSS JOIN agent a ON a.id = c.agent CROSS JOIN stream t ON t.id = c.stream
         WHERE c.id > ?1 ORDER BY c.id LIMIT 1",
    )?
    .query_row([id], |row| Ok((row.get(0)?, read_clarification(row)?)))
    .optional()
}

fn read_stay(row: &Row<'_>) -> rusqlite::Result<Stay> {
    let left_us: Option<i64> = row.get(12)?;
    let left = match left_us {
        None => None,
        Some(left_us) => Some(Departure {
            stream: stream(row, 10)?,
            seq: from_sql(row.get(11)?),
            left_us,
            hours: from_sql(row.get(13)?),
            cents: from_sql(row.get(14)?),
        }),
    };
    Ok(Stay {
        owner: owner(row)?,
        garage: row.get(3)?,
        stream: stream(row, 4)?,
        seq: from_sql(row.get(5)?),
        plate: row.get(6)?,
        plate_hash: row.get(7)?,
        entered_us: row.get(8)?,
        tariff_cents: row.get(9)?,
        left,
        unresolved: row.get(15)?,
    })
}

fn read_clarification(row: &Row<'_>) -> rusqlite::Result<Clarification> {
    let what = match row.get_ref(6)?.as_str()? {
        "second_entry" => Unclear::SecondEntry,
        _ => Unclear::ExitWithoutEntry,
    };
    Ok(Clarification {
        owner: owner(row)?,
        garage: row.get(3)?,
        stream: stream(row, 4)?,
        seq: from_sql(row.get(5)?),
        what,
        ts_us: row.get(7)?,
        plate: row.get(8)?,
        plate_hash: row.get(9)?,
    })
}

fn owner(row: &Row<'_>) -> rusqlite::Result<Owner> {
    Ok(Owner { region: super::decisions::name(row, 1)?, agent: super::decisions::name(row, 2)? })
}

fn stream(row: &Row<'_>, column: usize) -> rusqlite::Result<StreamId> {
    Ok(StreamId::from_bits(row.get::<_, i64>(column)?.cast_unsigned()))
}

/// What plates are hashed with.
pub(super) fn plate_key(db: &Connection) -> rusqlite::Result<Option<PlateKey>> {
    db.query_row("SELECT plate_key FROM state", [], |row| Ok(PlateKey::parse(row.get_ref(0)?.as_str()?)))
}

/// From now on plates are hashed with this: what the ingester that leads has.
pub(super) fn set_plate_key(db: &Connection, key: PlateKey) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE state SET plate_key = ?1 WHERE plate_key <> ?1")?.execute([key.to_hex()])?;
    Ok(())
}

impl StateDb {
    /// Removes what the ledger has of a plate, however it is written: its stays, with their invoices, and what had to be
    /// clarified. Gives how many rows that were. A car that is inside comes back with its exit, as one without an entry.
    ///
    /// # Errors
    /// [`StoreFault`] says whether to wait or to call somebody.
    pub fn forget_plate(&mut self, plate: &str) -> Result<u64, StoreFault> {
        self.forget(plate).map_err(|error| fault(&error))
    }

    fn forget(&mut self, plate: &str) -> rusqlite::Result<u64> {
        let db = self.connection.transaction()?;
        let Some(key) = plate_key(&db)? else { return Ok(0) };
        let hash = key.hash(plate);
        let stays = db.execute("DELETE FROM stay WHERE plate_hash = ?1", [&hash])?;
        let clarifications = db.execute("DELETE FROM clarification WHERE plate_hash = ?1", [&hash])?;
        db.commit()?;
        // Deleted rows stay in the file until their place is needed: this overwrites them.
        self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").ok();
        Ok(u64::try_from(stays + clarifications).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, memory, state};
    use super::*;

    fn stay(seq: u64, plate: &str) -> Stay {
        let key = PlateKey::new([1; 32]);
        Stay {
            owner: (&agent("city", "garages")).into(),
            garage: "east".to_owned(),
            stream: StreamId::from_bits(7),
            seq,
            plate: plate.to_owned(),
            plate_hash: key.hash(plate),
            entered_us: 5,
            tariff_cents: 250,
            left: None,
            unresolved: false,
        }
    }

    fn ended(stay: Stay) -> Stay {
        let left = Departure { stream: stay.stream, seq: stay.seq + 1, left_us: 9, hours: 1, cents: 250 };
        Stay { left: Some(left), ..stay }
    }

    fn unclear(seq: u64) -> Clarification {
        let Stay { owner, garage, stream, plate, plate_hash, .. } = stay(seq, "B-FG 1");
        Clarification { owner, garage, stream, seq, what: Unclear::SecondEntry, ts_us: 5, plate, plate_hash }
    }

    #[test]
    fn rows_read_back_and_an_ended_stay_stays_ended() {
        let (db, mut names) = memory();
        let (open, gone) = (stay(1, "B-FG 1"), stay(3, "B-FG 2"));
        save(&db, &mut names, &[open.clone(), ended(gone.clone()), gone.clone()], &[unclear(4), unclear(4)]).unwrap();
        assert_eq!(inside(&db).unwrap(), std::slice::from_ref(&open));
        let (first, found) = stay_after(&db, 0).unwrap().unwrap();
        assert_eq!(found, open);
        let (second, found) = stay_after(&db, first).unwrap().unwrap();
        assert_eq!(found, ended(gone));
        assert_eq!(stay_after(&db, second).unwrap(), None);
        let (first, found) = clarification_after(&db, 0).unwrap().unwrap();
        assert_eq!((found, clarification_after(&db, first).unwrap()), (unclear(4), None));
        let invoices: i64 = db.query_row("SELECT count(*) FROM invoices", [], |row| row.get(0)).unwrap();
        assert_eq!(invoices, 1);
    }

    #[test]
    fn a_plate_is_forgotten_however_it_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = state(&dir);
        set_plate_key(&state.connection, PlateKey::new([1; 32])).unwrap();
        let StateDb { connection, names, .. } = &mut state;
        save(connection, names, &[stay(1, "B-FG 1"), ended(stay(3, "B-FG 2"))], &[unclear(4)]).unwrap();
        assert_eq!(state.forget_plate("b fg1"), Ok(2));
        assert_eq!(state.forget_plate("B-FG 1"), Ok(0));
        assert_eq!(stay_after(&state.connection, 0).unwrap().unwrap().1.plate, "B-FG 2");
    }
}
