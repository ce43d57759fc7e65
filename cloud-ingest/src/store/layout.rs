//! The layout of the database: making it, and bringing an older one up to date.

use super::StoreError;
use super::file::classify;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::path::Path;

/// Marks files of the ingester, for SQLite and for `file`: "FogI".
const APPLICATION_ID: i64 = 0x466F_6749;
/// The layout of `schema.sql`. Raised with each change that an older program could not live with.
pub(super) const LAYOUT: i64 = 4;
/// The oldest layout that can be read, and brought up to date.
const OLDEST: i64 = 1;
const SCHEMA: &str = concat!(
    include_str!("schema.sql"),
    include_str!("schema/readings.sql"),
    include_str!("schema/latest.sql"),
    include_str!("schema/ledger.sql"),
    include_str!("schema/city.sql"),
    include_str!("schema/directives.sql"),
);
/// From layout 1 to 2: the identity, and the index by register.
const FROM_1: &str = "
    ALTER TABLE state ADD COLUMN identity TEXT NOT NULL DEFAULT '';
    UPDATE state SET identity = lower(hex(randomblob(8)));
    DROP INDEX decision_outstanding;
    CREATE INDEX decision_outstanding ON decision (agent, key) WHERE fate = 'outstanding';";
/// From layout 2 to 3: marks of readings, the newest readings, the ledger of the garages, and the city.
const FROM_2: &str = concat!(
    "ALTER TABLE state ADD COLUMN plate_key TEXT NOT NULL DEFAULT '';
    UPDATE state SET plate_key = lower(hex(randomblob(32)));
    ALTER TABLE reading ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
    DROP VIEW readings;",
    include_str!("schema/readings.sql"),
    include_str!("schema/latest.sql"),
    include_str!("schema/ledger.sql"),
    include_str!("schema/city.sql"),
);
/// From layout 3 to 4: what operators decided, and why an agent did not do it.
const FROM_3: &str = concat!("ALTER TABLE decision ADD COLUMN reason TEXT;", include_str!("schema/directives.sql"));
/// Larger pages than SQLite's default: points come in by the megabyte, and each page written costs a checksum in the log.
const PAGE_BYTES: i64 = 8192;

/// The layout of a file of ours; any other is refused.
pub(super) fn of(path: &Path, connection: &Connection) -> Result<i64, StoreError> {
    let (id, found) = marks(connection).map_err(|error| classify(path, &error))?;
    if id != APPLICATION_ID || found < OLDEST {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    if found > LAYOUT {
        return Err(StoreError::Newer { file: path.to_owned(), found, known: LAYOUT });
    }
    Ok(found)
}

fn marks(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

/// Makes the layout in an empty file, or brings an older one up to date. All of it and its marks in one transaction: a file is a
/// whole one of ours, or as it was before. Another process may be about to do the same.
pub(super) fn make(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "page_size", PAGE_BYTES)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    match marks(&transaction)? {
        (APPLICATION_ID, LAYOUT) => Ok(()),
        (APPLICATION_ID, OLDEST) => finish(transaction, &[FROM_1, FROM_2, FROM_3].concat()),
        (APPLICATION_ID, 2) => finish(transaction, &[FROM_2, FROM_3].concat()),
        (APPLICATION_ID, 3) => finish(transaction, FROM_3),
        _ => finish(transaction, SCHEMA),
    }
}

fn finish(transaction: Transaction<'_>, statements: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(statements)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{commit, sqlite, state};
    use super::super::{Store as _, StoreError};
    use super::*;
    use fogline_protocol::ids::StreamId;

    /// Takes away what layout 3 had not.
    const BACK_TO_3: &str = "
        DROP TABLE directive;
        ALTER TABLE decision DROP COLUMN reason;
        PRAGMA user_version = 3;";
    /// Takes away what layout 2 had not, of a file of layout 3.
    const BACK_TO_2: &str = "
        DROP VIEW invoices; DROP TABLE clarification; DROP TABLE stay; DROP TABLE latest; DROP VIEW readings;
        ALTER TABLE reading DROP COLUMN flags;
        ALTER TABLE state DROP COLUMN plate_key;
        CREATE VIEW readings AS SELECT * FROM reading;
        DROP TABLE city_node; DROP TABLE city_measurement; DROP TABLE setting;
        PRAGMA user_version = 2;";
    /// Takes away what layout 1 had not, of a file of layout 2.
    const BACK_TO_1: &str = "
        ALTER TABLE state DROP COLUMN identity;
        DROP INDEX decision_outstanding;
        CREATE INDEX decision_outstanding ON decision (id) WHERE fate = 'outstanding';
        PRAGMA user_version = 1;";

    fn schema(dir: &tempfile::TempDir) -> Vec<(String, String)> {
        let db = Connection::open(dir.path().join("fogline.db")).unwrap();
        let mut statement =
            db.prepare("SELECT name, sql FROM sqlite_schema WHERE type <> 'table' ORDER BY name").unwrap();
        let rows =
            statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, Option<String>>(1)?.unwrap_or_default())));
        rows.unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn an_older_layout_is_brought_up_to_date_and_keeps_what_it_has() {
        let dir = tempfile::tempdir().unwrap();
        sqlite(&dir).commit(&commit(1, 1, 3)).unwrap();
        let whole = schema(&dir);
        state(&dir).connection.execute_batch(&[BACK_TO_3, BACK_TO_2, BACK_TO_1].concat()).unwrap();
        super::super::query::StoreReader::open(&dir.path().join("fogline.db")).unwrap().counts().unwrap();
        let identity = state(&dir).identity();
        assert!(identity.len() >= 16, "{identity}");
        assert_eq!(state(&dir).identity(), identity);
        assert_eq!(schema(&dir), whole);
        let agent = super::super::testing::agent("north", "r1");
        assert_eq!(sqlite(&dir).recall(&agent, StreamId::from_bits(7)).unwrap().unwrap().through, 3);
    }

    #[test]
    fn the_tables_that_came_later_are_in_an_older_file_as_they_are_in_a_new_one() {
        let columns = |dir: &tempfile::TempDir| -> Vec<(String, String, String, bool, i64)> {
            let db = Connection::open(dir.path().join("fogline.db")).unwrap();
            let mut statement = db
                .prepare(
                    "SELECT t.name, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_schema t, pragma_table_info(t.name) c
                     ORDER BY t.name, c.cid",
                )
                .unwrap();
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?));
            statement.query_map([], read).unwrap().map(Result::unwrap).collect()
        };
        let dir = tempfile::tempdir().unwrap();
        drop(state(&dir));
        let whole = columns(&dir);
        assert!(whole.iter().any(|(table, ..)| table == "city_node"));
        for back in [BACK_TO_3.to_owned(), [BACK_TO_3, BACK_TO_2].concat()] {
            Connection::open(dir.path().join("fogline.db")).unwrap().execute_batch(&back).unwrap();
            assert_ne!(columns(&dir), whole);
            drop(state(&dir));
            assert_eq!(columns(&dir), whole);
        }
    }

    #[test]
    fn a_newer_layout_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        state(&dir).connection.pragma_update(None, "user_version", LAYOUT + 1).unwrap();
        let path = dir.path().join("fogline.db");
        let refused = super::super::StateDb::open(&path, Default::default(), Default::default());
        assert!(matches!(refused, Err(StoreError::Newer { found: 5, known: 4, .. })));
    }
}
