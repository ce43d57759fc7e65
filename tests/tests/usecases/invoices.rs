//! The ledger, and what it must say: counted again from entries and exits.

use fogline_tests::real::Database;
use std::collections::BTreeMap;

const HOUR_US: i64 = 3_600_000_000;

/// An entry or exit as the store keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Movement {
    pub(crate) seq: i64,
    pub(crate) ts_us: i64,
    pub(crate) garage: String,
    pub(crate) stream: String,
    pub(crate) entry: bool,
    pub(crate) plate_hash: String,
    pub(crate) occupied: i64,
}

/// A stay that has ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Invoice {
    /// Stream and number of the entry.
    pub(crate) number: String,
    pub(crate) garage: String,
    pub(crate) plate_hash: String,
    pub(crate) entered_us: i64,
    pub(crate) left_us: i64,
    pub(crate) hours: i64,
    pub(crate) cents: i64,
}

/// The invoices that follow from entries and exits in the order of their numbers, and how many cars are still inside each garage.
pub(crate) fn expected(movements: &[Movement], tariff_cents: i64) -> (Vec<Invoice>, BTreeMap<String, usize>) {
    let mut inside: BTreeMap<(&str, &str), &Movement> = BTreeMap::new();
    let mut invoices = Vec::new();
    for movement in movements {
        let car = (movement.garage.as_str(), movement.plate_hash.as_str());
        if movement.entry {
            assert!(inside.insert(car, movement).is_none(), "it is in already: {movement:?}");
            continue;
        }
        let entry = inside.remove(&car).unwrap_or_else(|| panic!("it is not in: {movement:?}"));
        let hours = (movement.ts_us - entry.ts_us + HOUR_US - 1).div_euclid(HOUR_US).max(1);
        invoices.push(Invoice {
            number: format!("{}-{}", entry.stream, entry.seq),
            garage: movement.garage.clone(),
            plate_hash: movement.plate_hash.clone(),
            entered_us: entry.ts_us,
            left_us: movement.ts_us,
            hours,
            cents: hours * tariff_cents,
        });
    }
    let mut cars = BTreeMap::new();
    inside.keys().for_each(|(garage, _)| *cars.entry((*garage).to_owned()).or_default() += 1);
    invoices.sort();
    (invoices, cars)
}

/// What the ledger says.
pub(crate) fn invoices(ledger: &Database) -> Vec<Invoice> {
    let sql = "SELECT invoice, garage, plate_hash, entered_us, left_us, hours, cents FROM invoices";
    let mut invoices = ledger.rows(sql, [], |row| {
        Ok(Invoice {
            number: row.get(0)?,
            garage: row.get(1)?,
            plate_hash: row.get(2)?,
            entered_us: row.get(3)?,
            left_us: row.get(4)?,
            hours: row.get(5)?,
            cents: row.get(6)?,
        })
    });
    invoices.sort();
    invoices
}

/// The entries and exits that a SQLite store has of an agent, in the order of their numbers.
pub(crate) fn movements(store: &Database, agent: &str) -> Vec<Movement> {
    let sql = "SELECT seq, ts_us, sensor, stream, json_extract(fields, '$.event') = 'entry',
                      json_extract(fields, '$.plate_hash'), json_extract(fields, '$.occupied')
               FROM readings WHERE agent = ?1 AND kind = 'parking' ORDER BY seq";
    store.rows(sql, [agent], |row| {
        Ok(Movement {
            seq: row.get(0)?,
            ts_us: row.get(1)?,
            garage: row.get(2)?,
            stream: row.get(3)?,
            entry: row.get(4)?,
            plate_hash: row.get(5)?,
            occupied: cars(row.get(6)?),
        })
    })
}

/// How many entries and exits did not fit.
pub(crate) fn clarifications(ledger: &Database) -> i64 {
    ledger.query("SELECT count(*) FROM clarification", [], |row| row.get(0)).unwrap()
}

/// The plates that the ledger knows.
pub(crate) fn plates(ledger: &Database) -> Vec<String> {
    ledger.rows("SELECT plate FROM stay UNION SELECT plate FROM clarification", [], |row| row.get(0))
}

/// Counts are floats, as all numbers of readings.
#[allow(clippy::cast_possible_truncation, reason = "a few cars")]
pub(crate) fn cars(count: f64) -> i64 {
    count as i64
}
