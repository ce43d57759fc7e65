//! The newest reading of each sensor.

use super::names::Names;
use super::number::{from_sql, to_sql};
use fogline_protocol::ids::{AgentId, StreamId};
use fogline_protocol::store::{Latest, Owner};
use fogline_protocol::usecase::REGISTRY;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// The columns that [`read`] takes, of [`TABLES`].
pub(super) const COLUMNS: &str =
    "l.series, a.region, a.name, s.kind, s.sensor, l.ts_us, l.clock, t.bits, l.seq, l.flags, l.fields";
/// What [`COLUMNS`] are of.
pub(super) const TABLES: &str = "latest l CROSS JOIN series s ON s.id = l.series CROSS JOIN agent a ON a.id = s.agent
    CROSS JOIN stream t ON t.id = l.stream";

/// Keeps a reading, unless a newer one of its sensor is kept.
pub(super) fn save(db: &Connection, names: &mut Names, row: &Latest) -> rusqlite::Result<()> {
    let id = AgentId::from(row.owner.clone());
    let agent = names.agent(db, &id)?;
    let series = names.series(db, agent, &row.kind, &row.sensor)?;
    let stream = names.stream(db, &id, row.stream)?;
    let fields =
        serde_json::to_string(&row.fields).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    db.prepare_cached(
        "INSERT INTO latest (series, ts_us, clock, stream, seq, flags, fields) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (series) DO UPDATE SET ts_us = excluded.ts_us, clock = excluded.clock, stream = excluded.stream,
             seq = excluded.seq, flags = excluded.flags, fields = excluded.fields
         WHERE (excluded.ts_us, excluded.clock) >= (ts_us, clock)",
    )?
    .execute((series, row.ts_us, row.clock, stream, to_sql(row.seq), row.flags, fields))?;
    Ok(())
}

/// The newest readings of the kinds about which agents may ask.
pub(super) fn asked_about(db: &Connection) -> rusqlite::Result<Vec<Latest>> {
    let mut statement = db.prepare(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE s.kind = ?1"))?;
    let mut found = Vec::new();
    for usecase in REGISTRY.into_iter().filter(|usecase| usecase.question().is_some()) {
        for row in statement.query_map([usecase.kind()], read)? {
            found.push(row?);
        }
    }
    Ok(found)
}

/// The row that comes after this one.
pub(super) fn after(db: &Connection, series: i64) -> rusqlite::Result<Option<(i64, Latest)>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM {TABLES} WHERE l.series > ?1 ORDER BY l.series LIMIT 1"))?
        .query_row([series], |row| Ok((row.get(0)?, read(row)?)))
        .optional()
}

/// A row of [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Latest> {
    let owner = Owner { region: super::decisions::name(row, 1)?, agent: super::decisions::name(row, 2)? };
    let fields = serde_json::from_str(row.get_ref(10)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(10, Type::Text, error.into()))?;
    Ok(Latest {
        owner,
        kind: row.get(3)?,
        sensor: row.get(4)?,
        ts_us: row.get(5)?,
        clock: row.get(6)?,
        stream: StreamId::from_bits(row.get::<_, i64>(7)?.cast_unsigned()),
        seq: from_sql(row.get(8)?),
        flags: row.get(9)?,
        fields,
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{agent, memory};
    use super::*;

    #[test]
    fn the_newest_stays_and_pages_follow_each_other() {
        let (db, mut names) = memory();
        let row = |sensor: &str, ts_us, seq| Latest {
            owner: (&agent("city", "garages")).into(),
            kind: "parking".to_owned(),
            sensor: sensor.to_owned(),
            ts_us,
            clock: 0,
            stream: StreamId::from_bits(7),
            seq,
            flags: 1,
            fields: serde_json::from_str(r#"{"occupied":3.0,"event":"exit"}"#).unwrap(),
        };
        for (ts_us, seq) in [(5, 1), (9, 2), (7, 3)] {
            save(&db, &mut names, &row("east", ts_us, seq)).unwrap();
        }
        save(&db, &mut names, &row("west", 1, 4)).unwrap();
        save(&db, &mut names, &Latest { kind: "road".to_owned(), ..row("lane", 1, 5) }).unwrap();
        let (first, east) = after(&db, 0).unwrap().unwrap();
        assert_eq!(east, row("east", 9, 2));
        assert_eq!(after(&db, first).unwrap().unwrap().1, row("west", 1, 4));
        assert_eq!(asked_about(&db).unwrap(), [row("east", 9, 2), row("west", 1, 4)], "nobody asks about roads");
    }
}
