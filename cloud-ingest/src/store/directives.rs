//! What operators decided.

use super::decisions::name;
use super::number::{from_sql, to_sql};
use fogline_protocol::directive::{Directive, End, Ended, Target};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// The most directives that ended and are kept: some hundred KiB, and a year of one a working hour.
pub const DIRECTIVES_KEPT: i64 = 2000;

/// The columns that [`read`] takes, of `directive d`.
pub(super) const COLUMNS: &str =
    "d.id, d.region, d.agent, d.key, d.body, d.set_by, d.set_us, d.until_us, d.ended_us, d.ended, d.ended_by";

/// Keeps a directive that is new or that ended. A new one ends those before it of the same target: a follower may not have heard
/// of that. One that ended stays ended, in whatever order rows come.
pub(super) fn save(db: &Connection, directive: &Directive) -> rusqlite::Result<()> {
    let Directive { id, target: Target { region, agent, key }, body, by, set_us, until_us, ended } = directive;
    let agent = agent.as_ref().map_or("", |agent| agent.as_str());
    let (at, how) = (ended.as_ref().map(|ended| ended.at_us), ended.as_ref().map(|ended| ended.how.as_str()));
    db.prepare_cached(
        "INSERT INTO directive (id, region, agent, key, body, set_by, set_us, until_us, ended_us, ended, ended_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT (id) DO UPDATE SET ended_us = excluded.ended_us, ended = excluded.ended, ended_by = excluded.ended_by
         WHERE ended_us IS NULL",
    )?
    .execute(rusqlite::params![
        to_sql(*id),
        region.as_str(),
        agent,
        key,
        body.to_string(),
        by,
        set_us,
        until_us,
        at,
        how,
        ended.as_ref().and_then(|ended| ended.by.as_ref()),
    ])?;
    if ended.is_none() {
        db.prepare_cached(
            "UPDATE directive SET ended_us = ?5, ended = 'replaced'
             WHERE region = ?1 AND agent = ?2 AND key = ?3 AND id < ?4 AND ended_us IS NULL",
        )?
        .execute((region.as_str(), agent, key, to_sql(*id), set_us))?;
    }
    forget_old(db)
}

fn forget_old(db: &Connection) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM directive WHERE ended_us IS NOT NULL AND id <=
             (SELECT id FROM directive WHERE ended_us IS NOT NULL ORDER BY id DESC LIMIT 1 OFFSET ?1)",
    )?
    .execute([DIRECTIVES_KEPT])?;
    Ok(())
}

/// Those that are in force, or of which nobody has noticed yet that their time is over; oldest first.
pub(super) fn in_force(db: &Connection) -> rusqlite::Result<Vec<Directive>> {
    let mut statement =
        db.prepare(&format!("SELECT {COLUMNS} FROM directive d WHERE d.ended_us IS NULL ORDER BY d.id"))?;
    statement.query_map([], read)?.collect()
}

/// The one that comes after this one.
pub(super) fn after(db: &Connection, id: i64) -> rusqlite::Result<Option<Directive>> {
    db.prepare_cached(&format!("SELECT {COLUMNS} FROM directive d WHERE d.id > ?1 ORDER BY d.id LIMIT 1"))?
        .query_row([id], read)
        .optional()
}

/// The directive in [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Directive> {
    let json: String = row.get(4)?;
    let body = serde_json::from_str(&json)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(4, Type::Text, error.into()))?;
    let whole_region = row.get_ref(2)?.as_str()?.is_empty();
    let agent = if whole_region { None } else { Some(name(row, 2)?) };
    let ended = match row.get::<_, Option<i64>>(8)? {
        Some(at_us) => Some(Ended { at_us, how: end(row.get_ref(9)?.as_str()?), by: row.get(10)? }),
        None => None,
    };
    Ok(Directive {
        id: from_sql(row.get(0)?),
        target: Target { region: name(row, 1)?, agent, key: row.get(3)? },
        body,
        by: row.get(5)?,
        set_us: row.get(6)?,
        until_us: row.get(7)?,
        ended,
    })
}

fn end(word: &str) -> End {
    match word {
        "replaced" => End::Replaced,
        "cleared" => End::Cleared,
        _ => End::Expired,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::memory;
    use super::*;
    use fogline_protocol::ids::Name;
    use serde_json::json;

    fn directive(id: u64, agent: Option<&str>) -> Directive {
        let agent = agent.map(|agent| Name::new(agent).unwrap());
        let target = Target { region: Name::new("north").unwrap(), agent, key: "limit".to_owned() };
        let (body, by) = (json!({ "limit_kmh": 80.0 }), Some("anna".to_owned()));
        Directive { id, target, body, by, set_us: 7, until_us: Some(9), ended: None }
    }

    fn ended(how: End, directive: Directive) -> Directive {
        Directive { ended: Some(Ended { at_us: 8, how, by: Some("bert".to_owned()) }), ..directive }
    }

    #[test]
    fn what_is_kept_comes_back_until_it_ended() {
        let (db, _) = memory();
        let (region, own) = (directive(1, None), directive(2, Some("r1")));
        [&region, &own].into_iter().for_each(|new| save(&db, new).unwrap());
        assert_eq!(in_force(&db).unwrap(), [region.clone(), own.clone()]);
        assert_eq!(after(&db, 1).unwrap(), Some(own.clone()));
        let cleared = ended(End::Cleared, own.clone());
        save(&db, &cleared).unwrap();
        save(&db, &own).unwrap();
        assert_eq!(in_force(&db).unwrap(), std::slice::from_ref(&region), "what ended stays ended");
        assert_eq!(after(&db, 1).unwrap(), Some(cleared));
        let next = Directive { until_us: None, ..directive(3, None) };
        save(&db, &next).unwrap();
        assert_eq!(in_force(&db).unwrap(), [next], "also where nobody says that it ended the one before");
    }

    #[test]
    fn what_ended_is_kept_for_a_while() {
        let (db, _) = memory();
        save(&db, &directive(1, Some("old"))).unwrap();
        for id in 2..=u64::try_from(DIRECTIVES_KEPT).unwrap() + 100 {
            save(&db, &ended(End::Expired, directive(id, None))).unwrap();
        }
        let kept: i64 = db.query_row("SELECT count(*) FROM directive", [], |row| row.get(0)).unwrap();
        assert_eq!((kept, in_force(&db).unwrap().len()), (DIRECTIVES_KEPT + 1, 1));
    }
}
