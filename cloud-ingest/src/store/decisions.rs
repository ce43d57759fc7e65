//! Decisions: those that are outstanding, and the history of each register.

use super::names::Names;
use super::number::{from_sql, to_sql};
use fogline_protocol::ids::{AgentId, Name, Term};
use fogline_protocol::store::{DecisionRecord, Fate};
use fogline_protocol::time::Wall;
use fogline_protocol::wire::{Decision, Outcome};
use rusqlite::types::Type;
use rusqlite::{Connection, Row};

/// The most decisions of a register that are kept, besides outstanding ones: with one a window, an hour and 23 minutes; with
/// limits that change as traffic does, some days.
pub const DECISIONS_KEPT: i64 = 1000;

/// The columns that [`read`] takes, of `decision d JOIN agent a`.
pub(super) const COLUMNS: &str =
    "a.region, a.name, d.key, d.term, d.ingester, d.seq, d.ttl_ms, d.body, d.decided_us, d.fate, d.reason";

/// How a fate is written in the database.
pub(super) const fn fate_name(fate: Fate) -> &'static str {
    match fate {
        Fate::Outstanding => "outstanding",
        Fate::Acknowledged(Outcome::Applied) => "applied",
        Fate::Acknowledged(Outcome::Superseded) => "superseded",
        Fate::Acknowledged(Outcome::Refused) => "refused",
        Fate::Acknowledged(Outcome::RolledBack) => "rolled_back",
        Fate::Replaced => "replaced",
        Fate::Expired => "expired",
    }
}

fn fate_of(name: &str) -> Fate {
    match name {
        "outstanding" => Fate::Outstanding,
        "applied" => Fate::Acknowledged(Outcome::Applied),
        "superseded" => Fate::Acknowledged(Outcome::Superseded),
        "refused" => Fate::Acknowledged(Outcome::Refused),
        "rolled_back" => Fate::Acknowledged(Outcome::RolledBack),
        "replaced" => Fate::Replaced,
        _ => Fate::Expired,
    }
}

/// Keeps a decision that is new or that something became of.
pub(super) fn save(db: &Connection, names: &mut Names, record: &DecisionRecord) -> rusqlite::Result<()> {
    let agent = names.agent(db, &record.agent)?;
    let decision = &record.decision;
    db.prepare_cached(
        "INSERT INTO decision (agent, key, term, ingester, seq, ttl_ms, body, decided_us, fate, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (agent, key, term, ingester, seq) DO UPDATE SET fate = excluded.fate, reason = excluded.reason",
    )?
    .execute((
        agent,
        &decision.key,
        to_sql(decision.term.counter),
        decision.term.ingester.as_str(),
        to_sql(decision.seq),
        to_sql(decision.ttl_ms),
        decision.body.to_string(),
        record.decided.us(),
        fate_name(record.fate),
        &record.reason,
    ))?;
    if record.fate == Fate::Outstanding {
        forget_old(db, agent, &decision.key)?;
    }
    Ok(())
}

fn forget_old(db: &Connection, agent: i64, key: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "DELETE FROM decision WHERE agent = ?1 AND key = ?2 AND fate <> 'outstanding' AND id <=
             (SELECT id FROM decision WHERE agent = ?1 AND key = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)",
    )?
    .execute((agent, key, DECISIONS_KEPT))?;
    Ok(())
}

/// Ends the older decisions of a register that are outstanding: the newest has taken their place. Here for one that does not
/// see how each of them ended.
pub(super) fn settle(db: &Connection, names: &mut Names, record: &DecisionRecord) -> rusqlite::Result<()> {
    let agent = names.agent(db, &record.agent)?;
    let key = record.decision.key.as_str();
    db.prepare_cached(&format!(
        "UPDATE decision SET fate = 'replaced' WHERE fate = 'outstanding' AND agent = ?1 AND key = ?2 AND id <> ({NEWEST})",
    ))?
    .execute((agent, key))?;
    forget_old(db, agent, key)
}

/// The row of the newest decision of the agent ?1 in the register ?2, as agents see it: by term, then by number.
const NEWEST: &str = "SELECT id FROM decision WHERE agent = ?1 AND key = ?2
    ORDER BY term DESC, ingester DESC, seq DESC LIMIT 1";

/// The newest decision of each register of an agent, whatever became of it.
pub(super) fn newest_of(db: &Connection, agent: i64) -> rusqlite::Result<Vec<DecisionRecord>> {
    let mut next_key = db.prepare_cached("SELECT min(key) FROM decision WHERE agent = ?1 AND key > ?2")?;
    let mut newest = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM decision d JOIN agent a ON a.id = d.agent WHERE d.id = ({NEWEST})"
    ))?;
    let (mut found, mut key) = (Vec::new(), String::new());
    // No key is empty.
    while let Some(next) = next_key.query_row((agent, &key), |row| row.get::<_, Option<String>>(0))? {
        found.push(newest.query_row((agent, &next), read)?);
        key = next;
    }
    Ok(found)
}

/// The decisions that no agent has answered, and the newest of each agent and key if it is in force at `now`, or a configuration,
/// which stays when its time is over: those of a register in the order of their terms and numbers.
pub(super) fn newest(db: &Connection, now: Wall) -> rusqlite::Result<Vec<DecisionRecord>> {
    let mut statement = db.prepare(&format!(
        "SELECT {COLUMNS} FROM decision d JOIN agent a ON a.id = d.agent
         WHERE d.fate = 'outstanding' OR ((d.decided_us + d.ttl_ms * 1000 > ?1 OR d.key GLOB 'config/*') AND NOT EXISTS (
             SELECT 1 FROM decision n WHERE n.agent = d.agent AND n.key = d.key
                 AND (n.term, n.ingester, n.seq) > (d.term, d.ingester, d.seq)))
         ORDER BY d.agent, d.key, d.term, d.ingester, d.seq"
    ))?;
    let rows = statement.query_map([now.us()], read)?;
    rows.collect()
}

/// The decision in [`COLUMNS`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<DecisionRecord> {
    let body: String = row.get(7)?;
    let body = serde_json::from_str(&body)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(7, Type::Text, error.into()))?;
    let term = Term { counter: from_sql(row.get(3)?), ingester: name(row, 4)? };
    let (seq, ttl_ms, decided_us) = (from_sql(row.get(5)?), from_sql(row.get(6)?), row.get(8)?);
    let decision = Decision { key: row.get(2)?, term, seq, decided_us, ttl_ms, body };
    Ok(DecisionRecord {
        agent: AgentId { region: name(row, 0)?, agent: name(row, 1)? },
        decision,
        decided: Wall::from_us(row.get(8)?),
        fate: fate_of(&row.get::<_, String>(9)?),
        reason: row.get(10)?,
    })
}

/// The name in a column.
pub(super) fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<Name> {
    let text: String = row.get(column)?;
    Name::new(&text).map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{decision, memory};
    use super::*;

    #[test]
    fn outstanding_decisions_come_back_until_something_became_of_them() {
        let (db, mut names) = memory();
        let mut first = decision("r1", 1);
        let second = decision("r2", 2);
        save(&db, &mut names, &first).unwrap();
        save(&db, &mut names, &second).unwrap();
        assert_eq!(newest(&db, Wall::MAX).unwrap(), [first.clone(), second.clone()]);
        assert_eq!(newest(&db, Wall::MIN).unwrap().len(), 2);
        let fates = [
            Fate::Acknowledged(Outcome::Applied),
            Fate::Acknowledged(Outcome::Superseded),
            Fate::Acknowledged(Outcome::Refused),
            Fate::Acknowledged(Outcome::RolledBack),
            Fate::Replaced,
            Fate::Expired,
        ];
        for fate in fates {
            first.fate = fate;
            save(&db, &mut names, &first).unwrap();
            assert_eq!(newest(&db, Wall::MAX).unwrap(), std::slice::from_ref(&second));
            assert_eq!(newest(&db, Wall::MIN).unwrap(), [first.clone(), second.clone()], "while it is in force");
            let kept: String = db.query_row("SELECT fate FROM decision WHERE seq = 1", [], |row| row.get(0)).unwrap();
            assert_eq!(fate_of(&kept), fate);
        }
    }

    #[test]
    fn history_is_bounded_and_what_is_outstanding_stays() {
        let (db, mut names) = memory();
        save(&db, &mut names, &decision("r1", 1)).unwrap();
        for seq in 2..=1100 {
            let mut next = decision("r1", seq);
            save(&db, &mut names, &next).unwrap();
            next.fate = Fate::Replaced;
            save(&db, &mut names, &next).unwrap();
        }
        let (count, oldest): (i64, i64) =
            db.query_row("SELECT count(*), min(seq) FROM decision", [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!((count, oldest), (1001, 1));
        assert_eq!(newest(&db, Wall::MAX).unwrap().len(), 1);
    }
}
